"""A steady load on a service: requests at a fixed rate, each on a connection of its own, begun on time whether the
ones before have ended or not (an open loop), so that a service that stands still for a second shows it.

Runs alone on any Python 3.11, so that it can be started in the lab's internet or on a lab host:

    python load.py --rate 200 --seconds 20 http://203.0.113.112/ [--host NAME] [--ca FILE] [--match TEXT]
    python load.py --rate 200 --seconds 20 postgres://USER@203.0.113.112:5432/DATABASE [--query 'select 1']
    python load.py --rate 200 --seconds 20 tcp://203.0.113.112:7       (sends a line, wants one back)

``--seconds`` is the most; SIGTERM ends the load before, in order: what is under way is waited for and told. It prints
one JSON object: sent, failed, errors (words to count), answers (first line of the answer to count), seconds
of the longest request and of some percentiles, and when the longest began (seconds after the load). Exit status 0,
whatever failed: failures are what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import signal
import ssl
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Request = Callable[[], Awaitable[str]]


@dataclass
class Seen:
    """What a load saw. Seconds throughout."""

    began: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    failed_at: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        ordered = sorted(self.took)

        def share(part: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 4) if ordered else 0.0

        longest = max(self.took, default=0.0)
        return {
            "sent": len(self.began),
            "failed": sum(self.errors.values()),
            "errors": dict(self.errors),
            "failed_at": [round(at, 3) for at in self.failed_at[:50]],
            "answers": dict(self.answers.most_common(20)),
            "longest": round(longest, 4),
            "longest_began": round(self.began[self.took.index(longest)], 3) if self.took else 0.0,
            "p50": share(0.5),
            "p99": share(0.99),
        }


def http(url: str, host: str, ca: str, match: str) -> Request:
    """GET by HTTP/1.1 on a connection of its own; anything but a 2xx or 3xx answer is a failure."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    name = host or parts.hostname or ""
    context = ssl.create_default_context(cafile=ca or None) if secure else None
    port = parts.port or (443 if secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    text = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: eyas-load\r\nConnection: close\r\n\r\n".encode()

    async def request() -> str:
        reader, writer = await asyncio.open_connection(
            parts.hostname, port, ssl=context, server_hostname=name if secure else None
        )
        try:
            writer.write(text)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
        words = head.split("\r\n", 1)[0].split()
        if len(words) < 2 or words[1][0] not in "23":
            raise ConnectionError(f"answer {words[1]}" if len(words) > 1 else "an empty answer")
        if match and match not in body:
            raise ConnectionError("another answer")
        return (body.strip().splitlines() or [""])[0][:80]

    return request


def tcp(url: str) -> Request:
    """Send a line, and want a line back."""
    parts = urlsplit(url)

    async def request() -> str:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(b"eyas\n")
            await writer.drain()
            line = await reader.readline()
        finally:
            writer.close()
        if not line:
            raise ConnectionError("no line came back")
        return line.decode(errors="replace").strip()[:80]

    return request


def postgres(url: str, query: str) -> Request:
    """Connect, query, disconnect, as a user who is trusted (PostgreSQL, "Frontend/Backend Protocol", version 3.0)."""
    parts = urlsplit(url)
    user, database = parts.username or "postgres", parts.path.lstrip("/") or "postgres"
    words = f"user\0{user}\0database\0{database}\0\0".encode()
    startup = struct.pack("!II", 8 + len(words), 196608) + words
    text = query.encode() + b"\0"
    ask = b"Q" + struct.pack("!I", 4 + len(text)) + text

    async def ready(reader: asyncio.StreamReader) -> str:
        row = ""
        while True:
            kind, length = struct.unpack("!cI", await reader.readexactly(5))
            body = await reader.readexactly(length - 4)
            if kind == b"E":
                raise ConnectionError(body.split(b"\0M", 1)[-1].split(b"\0", 1)[0].decode(errors="replace"))
            if kind == b"R" and body[:4] != b"\0\0\0\0":
                raise ConnectionError("it wants a password")
            if kind == b"D":
                row = body[6:].decode(errors="replace")[:80]
            if kind == b"Z":
                return row

    async def request() -> str:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 5432)
        try:
            writer.write(startup)
            await ready(reader)
            writer.write(ask)
            row = await ready(reader)
            writer.write(b"X\0\0\0\4")
            await writer.drain()
        finally:
            writer.close()
        return row

    return request


async def load(request: Request, rate: float, seconds: float, timeout: float) -> Seen:
    """``rate`` requests a second for ``seconds``; each may take ``timeout`` seconds."""
    seen = Seen()
    zero = time.monotonic()

    async def one() -> None:
        begun = time.monotonic()
        try:
            seen.answers[await asyncio.wait_for(request(), timeout)] += 1
        except TimeoutError:
            seen.errors[f"no answer within {timeout:g} s"] += 1
            seen.failed_at.append(begun - zero)
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError) as error:
            seen.errors[getattr(error, "strerror", None) or str(error) or type(error).__name__] += 1
            seen.failed_at.append(begun - zero)
        seen.began.append(begun - zero)
        seen.took.append(time.monotonic() - begun)

    enough = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, enough.set)
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, zero + number / rate - time.monotonic()))
        if enough.is_set():
            break
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    return seen


def many_files() -> None:
    """Requests that wait have a connection each: let there be as many as this process may have at all."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="a steady load on a service; prints JSON")
    parser.add_argument("url", help="http, https, tcp or postgres")
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20, help="how long")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one request")
    parser.add_argument("--host", default="", help="name of the site, where the address of the URL is another")
    parser.add_argument("--ca", default="", help="file with the authority to trust")
    parser.add_argument("--match", default="", help="text that the body has to hold")
    parser.add_argument("--query", default="select 1", help="what a database is asked")
    args = parser.parse_args(argv)
    scheme = urlsplit(args.url).scheme
    if scheme in ("http", "https"):
        request = http(args.url, args.host, args.ca, args.match)
    else:
        request = tcp(args.url) if scheme == "tcp" else postgres(args.url, args.query)
    many_files()
    seen = asyncio.run(load(request, args.rate, args.seconds, args.timeout))
    sys.stdout.write(json.dumps(seen.to_json()) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
