"""Packets that the packet filter tells of, by a netlink socket.

Sources: netlink(7), linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_log.h (the kernel's). No thread
reads along: what comes waits in the socket's buffer, and when that is full, the kernel forgets what is new.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

from eyas.host.netlink import ACK, answers, attribute, attributes, messages

NETLINK_NETFILTER = 12
SUBSYSTEM = 4  # NFNL_SUBSYS_ULOG
PACKET, CONFIG = 0, 1
CMD, MODE, FLUSH_AFTER, THRESHOLD = 1, 2, 4, 5  # attributes of a configuration
BIND = 1
COPY_PACKET = 2
PAYLOAD = 9  # attribute of a packet

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
            self._ask(group, attribute(CMD, struct.pack("!B", BIND)))
            settings = attribute(MODE, struct.pack("!IBx", LONGEST, COPY_PACKET))
            settings += attribute(FLUSH_AFTER, struct.pack("!I", FLUSH))
            settings += attribute(THRESHOLD, struct.pack("!I", BATCH))
            self._ask(group, settings)
            self._socket.setblocking(False)  # with a time limit, Python waits for it even if told not to
        except OSError:
            self._socket.close()
            raise

    def _ask(self, group: int, settings: bytes) -> None:
        question = struct.pack("!BBH", 0, 0, group) + settings
        for _ in answers(self._socket, SUBSYSTEM << 8 | CONFIG, ACK, question, strict=True):
            pass  # packets may come before the answer, and are lost: the first ones of a hold

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


def payloads(data: bytes) -> Iterator[bytes]:
    """The whole packets in a datagram of netlink messages."""
    for kind, body in messages(data):
        if kind == SUBSYSTEM << 8 | PACKET:
            packet = attributes(body[4:]).get(PAYLOAD, b"")
            if packet and len(packet) == total(packet):
                yield packet


def total(packet: bytes) -> int:
    """How long an IP packet says that it is; 0 when it is none."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        return int(struct.unpack_from("!H", packet, 2)[0])
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return 40 + int(struct.unpack_from("!H", packet, 4)[0])
    return 0
