"""What the kernel tells of the sockets of one network (NETLINK_SOCK_DIAG), asked over a socket that is in it.

/proc/net/tcp tells less, and the kernel walks its whole table of connections for it, as it has to for those that are
established; those that listen are in a small one. Sources: sock_diag(7), linux/inet_diag.h, linux/tcp.h (the
kernel's).
"""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_INET6, AF_NETLINK, IPPROTO_TCP, IPPROTO_UDP, SOCK_RAW, inet_ntop
from dataclasses import dataclass

from eyas.host.netlink import DUMP, answers, attributes
from eyas.host.within import in_network

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
BY_FAMILY = 20
INFO = 2  # INET_DIAG_INFO: of the extensions and of the attributes
LISTEN, CLOSED = 10, 7
STATES = {
    1: "ESTAB", 2: "SYN-SENT", 3: "SYN-RECV", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT", 7: "UNCONN",
    8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING",
}  # fmt: skip
OVER = ("TIME-WAIT", "UNCONN", "FIN-WAIT-2")
"""States of connections in which the container has nothing to do any more."""

MAPPED = bytes(10) + b"\xff\xff"  # of an address of IPv4 within IPv6
QUESTION = struct.Struct("=BBBxI48x")
ANSWER = struct.Struct("=BBBB 2s2s 16s16s 4x8x IIIII")
_LAST_SENT, _LAST_RECEIVED, _RECEIVED, _SENT = (44, "I"), (52, "I"), (128, "Q"), (200, "Q")  # places in tcp_info


@dataclass(frozen=True)
class Socket:
    """One socket of TCP or UDP. Times are milliseconds ago."""

    state: str
    here: str
    port: int
    there: str = ""
    unread: int = 0  # bytes that came and nobody has read; of one that listens, connections that nobody has taken
    unsent: int = 0  # bytes that were not acknowledged yet
    tries: int = 0  # how often what is not acknowledged was sent again
    sent: int = 0
    received: int = 0
    last_sent: int = 0
    last_received: int = 0
    inode: str = ""


def question(family: int, protocol: int, states: Iterable[int]) -> bytes:
    """For all sockets of a family and protocol that are in these states."""
    mask = sum(1 << state for state in states)
    return QUESTION.pack(family, protocol, 1 << (INFO - 1) if protocol == IPPROTO_TCP else 0, mask)


def sockets(pid: str, protocol: int, states: Iterable[int]) -> list[Socket]:
    """The sockets of the network that a process is in. OSError when it cannot be asked."""
    asked = in_network(pid, AF_NETLINK, SOCK_RAW, SOCK_DIAG)
    try:
        asked.settimeout(10)
        return [
            read(row)
            for family in (AF_INET, AF_INET6)
            for row in answers(asked, BY_FAMILY, DUMP, question(family, protocol, states), strict=True)
        ]
    finally:
        asked.close()


def connections(pid: str) -> list[Socket]:
    """All of TCP that is not over, and what listens."""
    return sockets(pid, IPPROTO_TCP, [state for state, name in STATES.items() if name not in OVER])


def listeners(pid: str) -> Iterator[tuple[str, Socket]]:
    """What waits for others: ("tcp" or "udp", socket)."""
    for socket in sockets(pid, IPPROTO_TCP, [LISTEN]):
        yield "tcp", socket
    for socket in sockets(pid, IPPROTO_UDP, [CLOSED]):  # one without a peer
        yield "udp", socket


def read(data: bytes) -> Socket:
    """A socket as the kernel tells it."""
    row = ANSWER.unpack_from(data)
    family, state, _timer, tries, port, _to, here, there, _expires, unread, unsent, _uid, inode = row
    info = attributes(data[ANSWER.size :]).get(INFO, b"")
    return Socket(
        state=STATES.get(state, str(state)),
        here=_address(family, here),
        port=int.from_bytes(port, "big"),
        there=_address(family, there),
        unread=unread,
        unsent=unsent,
        tries=tries,
        sent=_number(info, *_SENT),
        received=_number(info, *_RECEIVED),
        last_sent=_number(info, *_LAST_SENT),
        last_received=_number(info, *_LAST_RECEIVED),
        inode=str(inode),
    )


def _number(info: bytes, place: int, kind: str) -> int:
    """A number of tcp_info; 0 where a kernel has none."""
    return int(struct.unpack_from("=" + kind, info, place)[0]) if len(info) >= place + struct.calcsize(kind) else 0


def _address(family: int, data: bytes) -> str:
    """As people write it; of one that speaks IPv4 over a socket of IPv6, the IPv4 address."""
    if family == AF_INET:
        return inet_ntop(AF_INET, data[:4])
    return inet_ntop(AF_INET, data[12:]) if data.startswith(MAPPED) else inet_ntop(AF_INET6, data)
