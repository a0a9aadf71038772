"""Asks many requests in one go, in the lab's internet or on a host, by the clients that people use.

    python ask.py <requests.json >answers.json

A request is an object: ``url``, ``address`` (whom to connect to), ``http`` ("1.1", "2" by curl, "3" by aioquic), ``ca``
(file), ``trusted`` (the certificate is checked), and, as far as wanted, ``method``, ``headers`` (of "Name: value"),
``data`` (text), ``source`` (address of the client), ``cert`` and ``key`` (files). An answer has ``status``, ``http``,
``headers`` (of lists) and ``body``, or ``error`` alone.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 20  # seconds for one request, and for all on one connection of HTTP/3 together twice that
VERSIONS = {"1.1": "--http1.1", "2": "--http2"}

Request = dict[str, Any]
Answer = dict[str, Any]


def by_curl(request: Request, folder: Path) -> Answer:
    """One request by curl(1); the answer's head and body go through files, so that bytes stay what they are."""
    head, body = folder / "head", folder / "body"
    argv = ["curl", "-sS", "--max-time", str(PATIENCE), "--path-as-is", VERSIONS[request["http"]], "--globoff"]
    argv += ["-D", str(head), "-o", str(body), "-w", "%{http_version}"]
    address = request["address"]
    argv += ["--connect-to", f"::{f'[{address}]' if ':' in address else address}:"]
    for header in request.get("headers", ()):
        argv += ["-H", header]
    method, data = request.get("method", "GET"), request.get("data")
    argv += ["--head"] if method == "HEAD" else ["-X", method]
    if data is not None:
        argv += ["--data-binary", data]
    if not request["trusted"]:
        argv += ["--insecure"]
    for option, name in (("--cacert", "ca"), ("--interface", "source"), ("--cert", "cert"), ("--key", "key")):
        if request.get(name):
            argv += [option, request[name]]
    done = subprocess.run([*argv, request["url"]], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip()}
    blocks = head.read_text(encoding="latin-1").strip().split("\r\n\r\n")
    rows = blocks[-1].splitlines()  # before it there may be 100 Continue
    pairs = [(name, value.strip()) for name, _, value in (row.partition(":") for row in rows[1:])]
    text = body.read_text(encoding="latin-1") if body.exists() else ""
    return told(int(rows[0].split()[1]), done.stdout, pairs, text)


def by_socket(request: Request) -> Answer:
    """A WebSocket (RFC 6455): the answer's body is what comes back for "hello"."""
    parts = urlsplit(request["url"])
    context = ssl.create_default_context(cafile=request["ca"])
    try:
        with (
            socket.create_connection((request["address"], parts.port or 443), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *request["headers"], "", ""]
            secure.sendall("\r\n".join(lines).encode())
            reader = secure.makefile("rb")
            status = int(reader.readline().split()[1])
            rows = [row.decode().strip() for row in iter(reader.readline, b"\r\n")]
            body = ""
            if status == 101:
                mask, word = b"mask", b"hello"
                hidden = bytes(byte ^ mask[place % 4] for place, byte in enumerate(word))
                secure.sendall(bytes([0x81, 0x80 | len(word)]) + mask + hidden)
                body = reader.read(reader.read(2)[1]).decode()
    except (OSError, IndexError) as error:
        return {"error": f"{type(error).__name__} {error}"}
    pairs = [(name, value.strip()) for name, _, value in (row.partition(":") for row in rows)]
    return told(status, "1.1", pairs, body)


def told(status: int, version: str, pairs: Sequence[tuple[str, str]], body: str) -> Answer:
    headers: dict[str, list[str]] = {}
    for name, value in pairs:
        headers.setdefault(name.lower(), []).append(value)
    return {"status": status, "http": version, "headers": headers, "body": body}


# ---------------------------------------------------------------- HTTP/3


async def by_quic(requests: Sequence[Request]) -> list[Answer]:
    """Requests to one name at one address, one after the other on one connection of HTTP/3 (RFC 9114)."""
    from aioquic.asyncio import connect
    from aioquic.quic.configuration import QuicConfiguration

    first = requests[0]
    name = urlsplit(first["url"]).hostname
    settings = QuicConfiguration(alpn_protocols=["h3"], server_name=name, cafile=first["ca"], idle_timeout=PATIENCE)
    if not first["trusted"]:
        settings.verify_mode = ssl.CERT_NONE
    answers: list[Answer] = []
    try:
        async with asyncio.timeout(2 * PATIENCE):
            port = urlsplit(first["url"]).port or 443
            async with connect(first["address"], port, configuration=settings, create_protocol=protocol()) as client:
                for request in requests:
                    answers.append(await client.ask(request))
    except (OSError, TimeoutError) as error:
        answers += [{"error": f"{type(error).__name__} {error}"}] * (len(requests) - len(answers))
    return answers


def protocol() -> Any:
    """The class of a client, made when needed: aioquic takes long to import."""
    from aioquic.asyncio import QuicConnectionProtocol
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived
    from aioquic.quic.events import ConnectionTerminated

    class Client(QuicConnectionProtocol):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.http = H3Connection(self._quic)
            self.pairs: list[tuple[str, str]] = []
            self.body = b""
            self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def quic_event_received(self, event: Any) -> None:
            if isinstance(event, ConnectionTerminated) and not self.done.done():
                self.done.set_exception(ConnectionError(f"{event.error_code:#x} {event.reason_phrase}"))
            for said in self.http.handle_event(event):
                if isinstance(said, HeadersReceived):
                    self.pairs += [(name.decode(), value.decode()) for name, value in said.headers]
                if isinstance(said, DataReceived):
                    self.body += said.data
                if isinstance(said, (HeadersReceived, DataReceived)) and said.stream_ended and not self.done.done():
                    self.done.set_result(None)

        async def ask(self, request: Request) -> Answer:
            parts = urlsplit(request["url"])
            self.done, self.pairs, self.body = asyncio.get_running_loop().create_future(), [], b""
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            words = {":method": request.get("method", "GET"), ":scheme": "https", ":authority": parts.netloc}
            sent = [*words.items(), (":path", path), ("user-agent", "aioquic")]
            for header in request.get("headers", ()):
                name, _, value = header.partition(":")
                sent = [(key, word) for key, word in sent if not (name.lower() == "host" and key == ":authority")]
                sent.insert(2, (":authority", value.strip())) if name.lower() == "host" else sent.append(
                    (name.lower(), value.strip())
                )
            data = request.get("data")
            if data is not None:
                sent.append(("content-length", str(len(data.encode()))))
            stream = self._quic.get_next_available_stream_id()
            self.http.send_headers(stream, [(n.encode(), v.encode()) for n, v in sent], end_stream=data is None)
            if data is not None:
                self.http.send_data(stream, data.encode(), end_stream=True)
            self.transmit()
            await self.done
            status = next(int(value) for name, value in self.pairs if name == ":status")
            pairs = [pair for pair in self.pairs if not pair[0].startswith(":")]
            return told(status, "3", pairs, self.body.decode("latin-1"))

    return Client


async def all_by_quic(groups: Sequence[list[Request]]) -> list[list[Answer]]:
    """Four connections at a time: more would only wait for the processors."""
    gate = asyncio.Semaphore(4)

    async def one(group: list[Request]) -> list[Answer]:
        async with gate:
            return await by_quic(group)

    return await asyncio.gather(*(one(group) for group in groups))


def ask(requests: Sequence[Request]) -> list[Answer]:
    """The answers, in the order of the requests."""
    answers: dict[int, Answer] = {}
    groups: dict[tuple[str, str], list[int]] = {}
    for number, request in enumerate(requests):
        if request["http"] == "3":
            groups.setdefault((urlsplit(request["url"]).netloc, request["address"]), []).append(number)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(4) as pool:

        def one(number: int) -> tuple[int, Answer]:
            folder = Path(scratch) / str(number)
            folder.mkdir()
            if any(header.lower() == "upgrade: websocket" for header in requests[number]["headers"]):
                return number, by_socket(requests[number])
            return number, by_curl(requests[number], folder)

        answers |= dict(pool.map(one, [n for n, request in enumerate(requests) if request["http"] != "3"]))
    if groups:
        found = asyncio.run(all_by_quic([[requests[number] for number in group] for group in groups.values()]))
        for numbers, said in zip(groups.values(), found, strict=True):
            answers |= dict(zip(numbers, said, strict=True))
    return [answers[number] for number in range(len(requests))]


if __name__ == "__main__":
    json.dump(ask(json.load(sys.stdin)), sys.stdout)
