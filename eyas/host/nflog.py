"""Packets that the packet filter tells of, by a netlink socket.

Sources: netlink(7), linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_log.h (the kernel's). No thread
reads along: what comes waits in the socket's buffer, and when that is full, the kernel forgets what is new.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

NETLINK_NETFILTER = 12
SUBSYSTEM = 4  # NFNL_SUBSYS_ULOG
PACKET, CONFIG = 0, 1
CMD, MODE, FLUSH_AFTER, THRESHOLD = 1, 2, 4, 5  # attributes of a configuration
BIND = 1
COPY_PACKET = 2
PAYLOAD = 9  # attribute of a packet
REQUEST, ACKNOWLEDGE = 1, 4
NLMSG_ERROR = 2

LONGEST = 2048  # bytes of a packet that are told; a SYN has some 60
BUFFER = 16 << 20  # bytes; some ten thousand attempts
BATCH = 20  # packets in a message: a message costs a page of the buffer, however full it is
FLUSH = 1  # hundredths of a second until a message goes that is not full
SETTLE = 0.02  # seconds after which all is in the buffer that was logged until now


class Listener:
    """Receives what is logged to a group. Raises OSError when it cannot, for example because somebody else does."""

    def __init__(self, group: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), BUFFER)
            self._socket.settimeout(1)
            self._ask(group, _attribute(CMD, struct.pack("!B", BIND)))
            settings = _attribute(MODE, struct.pack("!IBx", LONGEST, COPY_PACKET))
            settings += _attribute(FLUSH_AFTER, struct.pack("!I", FLUSH))
            settings += _attribute(THRESHOLD, struct.pack("!I", BATCH))
            self._ask(group, settings)
            self._socket.setblocking(False)  # with a time limit, Python waits for it even if told not to
        except OSError:
            self._socket.close()
            raise

    def _ask(self, group: int, attributes: bytes) -> None:
        self._socket.send(message(SUBSYSTEM << 8 | CONFIG, REQUEST | ACKNOWLEDGE, group, attributes))
        while True:  # packets may come before the answer, and are lost: the first ones of a hold
            answer = self._socket.recv(1 << 16)
            length, kind = struct.unpack_from("=IH", answer)
            if kind == NLMSG_ERROR and length >= 20:
                code = struct.unpack_from("=i", answer, 16)[0]
                if code:
                    raise OSError(-code, "nflog refuses")
                return

    def packets(self) -> Iterator[bytes]:
        """All that has come until now: IP packets, the oldest first. Those that are longer than what is told are
        left out."""
        while True:
            try:
                data = self._socket.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return
                continue  # some were lost; what is in the buffer still comes
            yield from payloads(data)

    def close(self) -> None:
        self._socket.close()


def message(kind: int, flags: int, group: int, attributes: bytes) -> bytes:
    body = struct.pack("!BBH", 0, 0, group) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def payloads(data: bytes) -> Iterator[bytes]:
    """The whole packets in a datagram of netlink messages."""
    for kind, body in _parts(data):
        if kind == SUBSYSTEM << 8 | PACKET:
            for attribute, value in _attributes(body[4:]):
                if attribute == PAYLOAD and len(value) == total(value):
                    yield value


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16:
            return
        yield kind, data[at + 16 : at + length]
        at += length + -length % 4


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += length + -length % 4


def total(packet: bytes) -> int:
    """How long an IP packet says that it is; 0 when it is none."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        return int(struct.unpack_from("!H", packet, 2)[0])
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return 40 + int(struct.unpack_from("!H", packet, 4)[0])
    return 0
