"""Runs alone on any Python, in a container or in the lab's internet; prints JSON.

hold URL COUNT            so many downloads at once, each a little at a time, until standard input ends; then the rest
fetch URL COUNT REPORTS   one fetch after the other, each again until it succeeds; refusals are told to the socket
                          REPORTS ('' tells nobody), and a fetch that fails 200 times in a row is the last
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import sys
import time
from urllib.parse import urlsplit


async def head(host: str, port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
    """Ask for something; the streams, and how many bytes are to come."""
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 14)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    top = (await reader.readuntil(b"\r\n\r\n")).decode()
    if top.split()[1] != "200":
        raise ConnectionError(top.splitlines()[0])
    sizes = [line.split(":")[1] for line in top.splitlines() if line.lower().startswith("content-length:")]
    return reader, writer, int(sizes[0])


async def one(url: str, begun: asyncio.Queue[int], enough: asyncio.Event) -> tuple[str, int, int]:
    """One download: digest of what came, bytes that came, bytes that came before the end was asked for."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    reader, writer, size = await head(parts.hostname or "", parts.port or 80, path)
    await begun.put(1)
    found, got, slow = hashlib.sha256(), 0, 0
    while data := await reader.read(1 << 14):
        found.update(data)
        got += len(data)
        if not enough.is_set():
            slow = got
            if got + (1 << 16) < size:
                await asyncio.wait([asyncio.ensure_future(enough.wait())], timeout=1)
            else:
                await enough.wait()
    writer.close()
    return found.hexdigest(), got, slow


async def hold(url: str, count: int) -> None:
    begun: asyncio.Queue[int] = asyncio.Queue()
    enough = asyncio.Event()
    tasks = [asyncio.create_task(one(url, begun, enough)) for _ in range(count)]
    for _ in range(count):
        waited = asyncio.create_task(begun.get())
        await asyncio.wait([waited, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if not waited.done():
            break  # one has failed
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    enough.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    good = [end for end in ends if not isinstance(end, BaseException)]
    told = {
        "digests": sorted({end[0] for end in good}),
        "whole": len(good),
        "bytes": sorted({end[1] for end in good}),
        "slow": min((end[2] for end in good), default=0),
        "failed": [repr(end) for end in ends if isinstance(end, BaseException)],
    }
    print(json.dumps(told))


def ask(url: str) -> tuple[int, str, str]:
    """Status of an answer (0: none), the connection's own end and its other one."""
    parts = urlsplit(url)
    own = far = ""
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), 20) as wire:
            own, far = (f"{end[0]}:{end[1]}" for end in (wire.getsockname(), wire.getpeername()))
            wire.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            said = b""
            while data := wire.recv(1 << 16):
                said += data
    except OSError:
        return 0, own, far
    return (int(said.split()[1]) if said else 0), own, far


def fetch(url: str, count: int, reports: str) -> None:
    began, tries, refused, done = time.monotonic(), 0, 0, 0
    host = urlsplit(url).hostname or ""
    while done < count:
        for attempt in range(200):
            tries += 1
            status, own, far = ask(url)
            if status == 200:
                done += 1
                break
            refused += 1
            if reports and status:
                told = {"destination": host, "status": status, "source": own, "remote": far}
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
                    wire.sendto(json.dumps(told).encode(), reports)
            if reports:
                time.sleep(min(1.0, 0.1 * (attempt + 1)))
        else:
            break
    told = {"done": done, "tries": tries, "refused": refused, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        asyncio.run(hold(sys.argv[2], int(sys.argv[3])))
    else:
        fetch(sys.argv[2], int(sys.argv[3]), sys.argv[4])
