"""Ask a URL many times, each time on a connection of its own; prints a list of the first lines that were answered.

Runs alone on any Python 3.11, in a container. What went wrong stands for an answer by its name ("refused", "reset").
"""

import argparse
import asyncio
import json
import socket
from urllib.parse import urlsplit

FAMILIES = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
WRONG = {ConnectionRefusedError: "refused", ConnectionResetError: "reset", TimeoutError: "nothing"}


async def ask(url, family, turns):
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    async with turns:
        try:
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_connection(
                    parts.hostname, parts.port or 80, family=FAMILIES[family]
                )
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n".encode())
                said = await reader.read()
                writer.close()
        except OSError as error:
            return WRONG.get(type(error), str(error))
    head, _, body = said.decode(errors="replace").partition("\r\n\r\n")
    status = head.split(" ", 2)[1] if " " in head else "nothing"
    return body.strip().partition("\n")[0] if status == "200" else status


async def main():
    words = argparse.ArgumentParser()
    words.add_argument("--count", type=int)
    words.add_argument("--at-once", type=int)
    words.add_argument("--family", type=int)
    words.add_argument("url")
    given = words.parse_args()
    turns = asyncio.Semaphore(given.at_once)
    print(json.dumps(await asyncio.gather(*(ask(given.url, given.family, turns) for _ in range(given.count)))))


asyncio.run(main())
