"""Questions to the kernel over netlink, and its answers. Sources: netlink(7), linux/netlink.h."""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Iterator

REQUEST, ACK, DUMP = 1, 4, 0x300
CREATE, REPLACE = 0x400, 0x100
ERROR, DONE = 2, 3
NESTED = 0x8000
TYPE = 0x3FFF  # without the flags of an attribute's type
HEADER = struct.Struct("=IHHII")
THERE_IS_NONE = 2  # ENOENT


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes of a message by their kind; of a kind that comes more than once, the last one."""
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & TYPE] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def message(kind: int, flags: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, flags, 1, 0) + body


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each message in a datagram."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, *_ = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            return
        yield kind, data[at + HEADER.size : at + length]
        at += length + -length % 4


def answers(kernel: socket, kind: int, flags: int, body: bytes, *, strict: bool = False) -> Iterator[bytes]:
    """Ask, and give what comes (without its header) until the kernel says that it was all. What is gone already is no
    error, unless ``strict``; OSError for all else that the kernel refuses."""
    kernel.send(message(kind, REQUEST | flags, body))
    while True:
        for said, data in messages(kernel.recv(1 << 17)):
            if said == DONE:
                return
            if said == ERROR:
                code = -struct.unpack_from("=i", data)[0]
                if code == 0 or (code == THERE_IS_NONE and not strict):  # done, or there is none (any more)
                    return
                raise OSError(code, "the kernel refuses a question over netlink")
            yield data
