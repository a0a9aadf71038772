"""One connection that stays: each line from stdin is asked on it, and what came back is a line on stdout.

    python client.py h3|ws ADDRESS NAME CA

``h3``: the line is a path, asked by HTTP/3 (RFC 9114); the answer is the status and the first line of the body.
``ws``: the line is a text message of a WebSocket (RFC 6455); the answer is the echo.
A connection that has ended answers ``closed`` and why; the program ends then.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

PATIENCE = 10.0
"""Seconds for one exchange."""

Ask = Callable[[str], Awaitable[str]]


class H3(QuicConnectionProtocol):
    """Requests one after the other on one HTTP/3 connection."""

    name = ""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.http = H3Connection(self._quic)
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.status, self.body = "", b""

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated) and not self.answer.done():
            self.answer.set_exception(ConnectionError(f"{event.error_code:#x} {event.reason_phrase}"))
        for said in self.http.handle_event(event):
            self.heard(said)

    def heard(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            self.status = dict(event.headers)[b":status"].decode()
        if isinstance(event, DataReceived):
            self.body += event.data
        if isinstance(event, (HeadersReceived, DataReceived)) and event.stream_ended and not self.answer.done():
            self.answer.set_result(f"{self.status} {self.body.decode().partition(chr(10))[0]}")

    async def ask(self, path: str) -> str:
        if self.answer.done():
            self.answer.result()  # it may have ended in between
            self.answer = asyncio.get_running_loop().create_future()
        self.status, self.body = "", b""
        words = {":method": "GET", ":scheme": "https", ":authority": self.name, ":path": path}
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, [(key.encode(), word.encode()) for key, word in words.items()], end_stream=True)
        self.transmit()
        return await self.answer


@asynccontextmanager
async def h3(address: str, name: str, ca: str) -> AsyncIterator[Ask]:
    settings = QuicConfiguration(alpn_protocols=["h3"], server_name=name, cafile=ca, idle_timeout=60)
    async with connect(address, 443, configuration=settings, create_protocol=H3) as client:
        assert isinstance(client, H3)
        client.name = name
        yield client.ask


@asynccontextmanager
async def ws(address: str, name: str, ca: str) -> AsyncIterator[Ask]:
    context = ssl.create_default_context(cafile=ca)
    reader, writer = await asyncio.open_connection(address, 443, ssl=context, server_hostname=name)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /socket HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise ConnectionError(head.decode())

    async def ask(text: str) -> str:
        mask, plain = os.urandom(4), text.encode()
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(plain))
        writer.write(bytes([0x81, 0x80 | len(plain)]) + mask + masked)
        return (await reader.readexactly((await reader.readexactly(2))[1])).decode()

    yield ask
    writer.close()


async def main(kind: str, address: str, name: str, ca: str) -> None:
    loop = asyncio.get_running_loop()
    async with {"h3": h3, "ws": ws}[kind](address, name, ca) as ask:
        print("open", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                print(await asyncio.wait_for(ask(line.strip()), PATIENCE), flush=True)
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError) as error:
                print(f"closed {type(error).__name__} {error}", flush=True)
                os._exit(0)  # a connection that is gone takes long to say goodbye


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
