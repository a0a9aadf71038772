#!/usr/bin/python3
"""Connections that stay, at both ends. Runs alone on any Python 3.11.

held.py listen PORT                          answers each line with the same line
held.py connect PORT COUNT ADDRESS...        opens so many, by turns to each address, and says how many are open

Each line that the second one reads is then asked on every connection, with the connection's number. It says, as JSON,
how many were answered with just that, how many are lost (ended, or silent for 30 s), and seconds of the longest answer.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

SILENCE = 30.0
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def listen(port: int) -> None:
    server = await asyncio.start_server(answer, None, port, backlog=4096)
    await server.serve_forever()


async def ask(ends: Ends, text: str) -> float:
    """Seconds until the answer was there; -1 when there was none, or another one."""
    reader, writer = ends
    began = time.monotonic()
    try:
        writer.write(f"{text}\n".encode())
        line = await asyncio.wait_for(reader.readline(), SILENCE)
    except (OSError, TimeoutError):
        return -1.0
    return time.monotonic() - began if line.decode() == f"{text}\n" else -1.0


async def connect(port: int, count: int, addresses: list[str]) -> None:
    held: list[Ends] = []
    for at in range(0, count, 100):  # not all at once: it is not a flood that is looked at
        some = (addresses[number % len(addresses)] for number in range(at, min(at + 100, count)))
        held += await asyncio.gather(*(asyncio.open_connection(address, port) for address in some))
    print(json.dumps({"open": len(held)}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        took = await asyncio.gather(*(ask(ends, f"{line.strip()} {number}") for number, ends in enumerate(held)))
        lost = sum(seconds < 0 for seconds in took)
        print(json.dumps({"answered": len(took) - lost, "lost": lost, "longest": round(max(took), 3)}), flush=True)


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "listen":
        asyncio.run(listen(int(sys.argv[2])))
    else:
        asyncio.run(connect(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))


if __name__ == "__main__":
    main()
