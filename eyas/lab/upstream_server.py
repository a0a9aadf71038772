"""The server of `eyas.lab.upstream`: one process in a lab's internet (``python -m eyas.lab.upstream_server FOLDER``).

FOLDER has the sites with their addresses (settings.json), a certificate (server.pem), repositories (git/), and gets a
socket, ``control``, that is spoken HTTP to by `Upstream`. Sources: RFC 9110, 9112; git-http-backend(1).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from eyas.host.command import run
from eyas.lab.limiter import AT_THE_DOOR, Limiter, Site, client

MOST_ROWS = 500_000
BACKEND = "/usr/lib/git-core/git-http-backend"
BLOCK = 1 << 16
DOOR = """\
table inet upstream {
    set refused4 { type ipv4_addr . ipv4_addr; flags timeout, interval; }
    set refused6 { type ipv6_addr . ipv6_addr; flags timeout, interval; }
    set prohibited4 { type ipv4_addr . ipv4_addr; flags timeout, interval; }
    set prohibited6 { type ipv6_addr . ipv6_addr; flags timeout, interval; }
    set dropped4 { type ipv4_addr . ipv4_addr; flags timeout, interval; }
    set dropped6 { type ipv6_addr . ipv6_addr; flags timeout, interval; }
    chain input {
        type filter hook input priority 0;
        tcp flags & (syn | ack) != syn accept
        ip saddr . ip daddr @refused4 reject with tcp reset
        ip6 saddr . ip6 daddr @refused6 reject with tcp reset
        ip saddr . ip daddr @prohibited4 reject with icmpx admin-prohibited
        ip6 saddr . ip6 daddr @prohibited6 reject with icmpx admin-prohibited
        ip saddr . ip daddr @dropped4 drop
        ip6 saddr . ip6 daddr @dropped6 drop
    }
}
"""
"""Only first packets are looked at: what is established goes on."""


@dataclass
class Place:
    """A site as it is now, with what it has seen."""

    site: Site
    addresses: list[str]
    limiter: Limiter = field(default_factory=Limiter)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, source: str, what: str) -> None:
        self.counts.setdefault(source, {"requests": 0, "refused": 0, "connections": 0})[what] += 1


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    raw: str
    headers: Mapping[str, str]
    body: bytes
    peer: tuple[str, int]


class Bad(Exception):
    """What is no request, or none that we take."""


class Server:
    """All sites of a lab."""

    def __init__(self, folder: Path, sites: list[tuple[Site, list[str]]]) -> None:
        self.folder = folder
        self.places = {site.name: Place(site, addresses) for site, addresses in sites}
        self.rows: list[tuple[float, str, str, int, str, str, int]] = []
        self.door = False
        self.tasks: set[asyncio.Task[Any]] = set()

    async def listen(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem")
        loop = asyncio.get_running_loop()
        for place in self.places.values():
            for address in place.addresses:

                async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: Place = place) -> None:
                    await self.connection(at, reader, writer)

                await asyncio.start_server(serve, address, 80, backlog=1024)
                await asyncio.start_server(serve, address, 443, ssl=context, backlog=1024)
                await asyncio.start_server(echo, address, 7, backlog=1024)
                await loop.create_datagram_endpoint(Echo, local_addr=(address, 7))

        async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self.connection(None, reader, writer)

        # Last, and by rename: who finds it there finds all others.
        os.chdir(self.folder)  # the path of a socket is short, that of a lab need not be
        await asyncio.start_unix_server(told, "control.new")
        Path("control.new").rename("control")

    # ------------------------------------------------------------ connections

    async def connection(self, at: Place | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername") if at else ("", 0)
        try:
            if at:
                at.count(peer[0], "connections")
            while request := await read(reader, writer, (peer[0], peer[1])):
                if not await (self.answer(at, request, writer) if at else self.command(request, writer)):
                    break
                if request.headers.get("connection", "").lower() == "close":
                    break
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            pass
        except Bad as error:
            await say(writer, 400, str(error))
        finally:
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()

    async def answer(self, at: Place, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer a request, or refuse it; whether the connection is of use still."""
        site, source = at.site, request.peer[0]
        if request.path == "/count":
            return await say(writer, 200, json.dumps(at.counts))
        if site.delay:
            await asyncio.sleep(site.delay)
        at.count(source, "requests")
        wait = at.limiter.ask(site, source, time.monotonic())
        if wait:
            at.count(source, "refused")
            return await self.refuse(at, request, writer, wait)
        if site.answer:
            self.note(at, request, site.answer)
            return await say(writer, site.answer, "as it was told", retry(site, 1) if site.answer in (429, 503) else {})
        self.note(at, request, 200)
        if request.path.startswith("/files/"):
            return await self.file(site, request, writer)
        if request.path.startswith("/dumb/"):
            return await self.dumb(request, writer)
        if request.path.startswith("/git/"):
            return await self.git(request, writer)
        if request.path == "/moved":
            return await say(writer, 302, "moved", {"Location": request.query.get("to", "/moved")})
        if request.path == "/source":
            return await say(writer, 200, f"{source} {request.peer[1]}")
        return await say(writer, 404, "there is no such thing")

    async def refuse(self, at: Place, request: Request, writer: asyncio.StreamWriter, wait: float) -> bool:
        site = at.site
        if site.refusal in AT_THE_DOOR:
            await self.shut(at, request.peer[0], wait)
        if site.refusal in ("429", "403"):
            self.note(at, request, int(site.refusal))
            return await say(writer, int(site.refusal), "you ask too much", retry(site, wait))
        self.note(at, request, 0)
        reset(writer)
        return False

    async def shut(self, at: Place, source: str, wait: float) -> None:
        """The packet filter refuses a client from its next connection on."""
        family = "6" if ":" in source else "4"
        place = next(each for each in at.addresses if (":" in each) == (family == "6"))
        element = f"{client(at.site, source)} . {place} timeout {max(1, round(wait))}s"
        text = f"add element inet upstream {at.site.refusal}{family} {{ {element} }}\n"
        if not self.door:
            text, self.door = DOOR + text, True
        await asyncio.to_thread(run, ["nft", "-f", "-"], input=text, check=False)

    def note(self, at: Place, request: Request, status: int) -> None:
        if len(self.rows) < MOST_ROWS:
            row = (time.time(), at.site.name, *request.peer, request.method, request.raw, status)
            self.rows.append(row)

    async def command(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """What `Upstream` wants."""
        if request.path == "/log":
            return await say(writer, 200, json.dumps(self.rows))
        if request.path == "/set":
            told = json.loads(request.body)
            try:
                place = self.places[told["site"]]
                place.site = replace(place.site, **told["changes"])
            except (KeyError, TypeError, ValueError) as error:
                return await say(writer, 400, f"{error}")
        elif request.path == "/forget":
            self.rows.clear()
            for place in self.places.values():
                place.counts, place.limiter = {}, Limiter()
            if self.door:
                self.door = False
                await asyncio.to_thread(run, ["nft", "delete", "table", "inet", "upstream"], check=False)
        return await say(writer, 200, json.dumps({name: place.counts for name, place in self.places.items()}))

    # ------------------------------------------------------------ what there is

    async def file(self, site: Site, request: Request, writer: asyncio.StreamWriter) -> bool:
        name = request.path.removeprefix("/files/")
        size, rate = int(request.query.get("size", "64")), int(request.query.get("rate", "0"))
        seed = hashlib.sha512(f"{name} {site.version}".encode()).digest()
        headers = {"ETag": f'"{seed.hex()[:16]}-{size}"', "Content-Type": "application/octet-stream"}
        if "age" in request.query:
            headers["Cache-Control"] = f"max-age={int(request.query['age'])}"
        if request.headers.get("if-none-match") == headers["ETag"]:
            return await say(writer, 304, "", headers)
        writer.write(head(200, {**headers, "Content-Length": str(size)}))
        await writer.drain()
        if request.method == "HEAD":
            return True
        block = seed * (BLOCK // len(seed))
        step = max(1, min(BLOCK, rate // 10)) if rate else BLOCK
        begun, sent = time.monotonic(), 0
        while sent < size:
            offset = sent % len(seed)
            piece = (block[offset:] + block[:offset])[: min(step, size - sent)]
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            if rate:
                await asyncio.sleep(max(0.0, begun + sent / rate - time.monotonic()))
        return True

    async def dumb(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        root = self.folder / "git"
        path = (root / request.path.removeprefix("/dumb/")).resolve()
        if root.resolve() not in path.parents or not path.is_file():
            return await say(writer, 404, "there is no such file")
        data = path.read_bytes()
        return await say(writer, 200, data, {"Content-Type": "application/octet-stream"})

    async def git(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        raw_query = request.raw.partition("?")[2]
        env = {
            "GIT_PROJECT_ROOT": str(self.folder / "git"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path.removeprefix("/git"),
            "QUERY_STRING": raw_query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "REMOTE_ADDR": request.peer[0],
        }
        done = await asyncio.to_thread(run, [BACKEND], input=request.body, env=env, check=False)
        top, _, body = done.out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in top.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        return await say(writer, status, body, headers)


# ---------------------------------------------------------------- HTTP


async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: tuple[str, int]) -> Request | None:
    """The next request of a connection; None at its end."""
    try:
        top = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise Bad("half a request") from None
        return None
    first, *lines = top.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split()
    if len(words) != 3:
        raise Bad(f"no request: {first[:80]!r}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join([piece async for piece in chunks(reader)])
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    if words[2] == "HTTP/1.0":
        headers["connection"] = "close"
    path, _, query = words[1].partition("?")
    return Request(words[0], unquote(path), dict(parse_qsl(query)), words[1], headers, body, peer)


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readline()).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():
        pass


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


async def say(
    writer: asyncio.StreamWriter, status: int, body: str | bytes, headers: Mapping[str, str] | None = None
) -> bool:
    """A whole answer; whether the connection goes on."""
    data = f"{body}\n".encode() if isinstance(body, str) else body
    if status == 304:
        writer.write(head(status, headers or {}))
    else:
        writer.write(head(status, {**(headers or {}), "Content-Length": str(len(data))}) + data)
    await writer.drain()
    return status != 400


def retry(site: Site, wait: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, int(wait + 0.999)))} if site.retry_after else {}


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# ---------------------------------------------------------------- lines that come back


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    source, port, *_ = writer.get_extra_info("peername")
    with contextlib.suppress(OSError):
        while line := await reader.readline():
            writer.write(f"{source} {port} ".encode() + line)
            await writer.drain()
        writer.close()


class Echo(asyncio.DatagramProtocol):
    """The same with datagrams."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.transport.sendto(f"{addr[0]} {addr[1]} ".encode() + data, addr)


async def serve(folder: Path) -> None:
    told = json.loads((folder / "settings.json").read_text())
    server = Server(folder, [(Site(**site), addresses) for site, addresses in told["sites"]])
    await server.listen()
    await asyncio.Event().wait()


def main(folder: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(serve(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1])
