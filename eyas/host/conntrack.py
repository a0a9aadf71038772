"""Connections that the kernel knows of, and that it is to forget: conntrack over netlink (NETLINK_NETFILTER,
linux/netfilter/nfnetlink_conntrack.h).

A packet of a forgotten connection is looked at anew: it is led to who is there now, who answers, if only that he knows
of no such connection. Without that, UDP would go to somebody who is gone for as long as anything is sent.
"""

from __future__ import annotations

import socket
import struct

from eyas.core.egress import Translated
from eyas.host.netlink import ACK, DUMP, NESTED, answers, attribute, attributes

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.host.packet import Flow

NETFILTER = 12  # NETLINK_NETFILTER, which Python names since 3.12 only
SUBSYSTEM = 1  # NFNL_SUBSYS_CTNETLINK
GET, DELETE = SUBSYSTEM << 8 | 1, SUBSYSTEM << 8 | 2
ORIGINAL, REPLY = 1, 2  # CTA_TUPLE_ORIG, CTA_TUPLE_REPLY
IP = 1  # CTA_TUPLE_IP
PROTOCOL = 2  # CTA_TUPLE_PROTO; in it 1 is the protocol's number, 2 and 3 are the ports, the asker's first
SOURCES = (1, 3)  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
TARGETS = (2, 4)
V6_SOURCE, V6_DESTINATION = 3, 4
PROTOCOL_INFO, TIMEOUT = 4, 7  # CTA_PROTOINFO, CTA_TIMEOUT
TCP_TIMES = {1: 120, 2: 60, 3: 432000, 4: 120, 5: 60, 6: 30, 7: 120, 8: 10}
"""How long the kernel remembers a connection in a state of TCP, in seconds (nf_conntrack_proto_tcp.c)."""
FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}


class Known:
    """Asks for single connections, many a second. OSError when the kernel cannot be asked at all."""

    def __init__(self) -> None:
        self._kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETFILTER)
        self._kernel.settimeout(1)

    def has(self, flow: Flow, seconds: float) -> bool:
        """Whether the kernel knows a connection that began with such a packet and was used in so many seconds; False
        where it does not say."""
        family = socket.AF_INET6 if ":" in flow.source else socket.AF_INET
        try:
            found = [*answers(self._kernel, GET, ACK, struct.pack("!BBH", family, 0, 0) + tuple_of(flow))]
        except OSError:
            return False
        return any(_idle(attributes(body[4:])) <= seconds for body in found)

    def close(self) -> None:
        self._kernel.close()


def tuple_of(flow: Flow) -> bytes:
    """How the kernel is told which connection is meant (CTA_TUPLE_ORIG)."""
    six = ":" in flow.source
    ends = zip((SOURCES[six], TARGETS[six]), (flow.source, flow.target), strict=True)
    family = socket.AF_INET6 if six else socket.AF_INET
    place = b"".join(attribute(kind, socket.inet_pton(family, address)) for kind, address in ends)
    number = socket.IPPROTO_TCP if flow.proto == "tcp" else socket.IPPROTO_UDP
    ports = attribute(2, struct.pack("!H", flow.source_port)) + attribute(3, struct.pack("!H", flow.port))
    what = attribute(1, bytes([number])) + ports
    return attribute(ORIGINAL | NESTED, attribute(IP | NESTED, place) + attribute(PROTOCOL | NESTED, what))


def forget(addresses: tuple[str, ...]) -> int:
    """Let the kernel forget what was led to these addresses; how many connections that were. OSError when it cannot be
    asked."""
    wanted = {socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a) for a in addresses}
    count = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as kernel:
        for family in {FAMILIES[len(address)] for address in wanted}:
            for body in [*answers(kernel, GET, DUMP, struct.pack("!BBH", family, 0, 0))]:
                row = attributes(body[4:])
                if _answers_from(row.get(REPLY, b"")) in wanted:
                    which = attribute(ORIGINAL | NESTED, row[ORIGINAL])
                    count += 1
                    for _ in answers(kernel, DELETE, ACK, struct.pack("!BBH", family, 0, 0) + which):
                        pass
    return count


def asked_by(addresses: tuple[str, ...]) -> list[tuple[int, str, int]]:
    """(own port, address, port) of everybody whom these addresses have asked over TCP lately, as they meant it: before
    any translation. OSError when the kernel cannot be asked."""
    wanted = {socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a) for a in addresses}
    found = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as kernel:
        for family in {FAMILIES[len(address)] for address in wanted}:
            for body in answers(kernel, GET, DUMP, struct.pack("!BBH", family, 0, 0)):
                original = attributes(attributes(body[4:]).get(ORIGINAL, b""))
                who, what = attributes(original.get(IP, b"")), attributes(original.get(PROTOCOL, b""))
                if what.get(1) == bytes([socket.IPPROTO_TCP]) and any(who.get(source) in wanted for source in SOURCES):
                    asked = next(who[target] for target in TARGETS if target in who)
                    own, port = (int.from_bytes(what[number], "big") for number in (2, 3))
                    found.add((own, socket.inet_ntop(family, asked), port))
    return sorted(found)


def leaving_from(addresses: frozenset[str]) -> dict[str, int]:
    """How many connections get their answers at each of these IPv6 addresses. OSError when the kernel cannot be
    asked."""
    wanted = {socket.inet_pton(socket.AF_INET6, a): a for a in addresses}
    found: dict[str, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as kernel:
        for body in answers(kernel, GET, DUMP, struct.pack("!BBH", socket.AF_INET6, 0, 0)):
            where = attributes(attributes(attributes(body[4:]).get(REPLY, b"")).get(IP, b"")).get(V6_DESTINATION)
            if where in wanted:
                found[wanted[where]] = found.get(wanted[where], 0) + 1
    return found


def translations(sources: frozenset[str]) -> list[Translated]:
    """Connections over TCP that these IPv6 addresses made and whose answers come to another one. OSError when the
    kernel cannot be asked."""
    wanted = {socket.inet_pton(socket.AF_INET6, a): a for a in sources if ":" in a}
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as kernel:
        for body in answers(kernel, GET, DUMP, struct.pack("!BBH", socket.AF_INET6, 0, 0)):
            row = attributes(body[4:])
            original = attributes(row.get(ORIGINAL, b""))
            who, what = attributes(original.get(IP, b"")), attributes(original.get(PROTOCOL, b""))
            source = who.get(V6_SOURCE, b"")
            if source not in wanted or what.get(1) != bytes([socket.IPPROTO_TCP]):
                continue
            answered = attributes(attributes(row.get(REPLY, b"")).get(IP, b"")).get(V6_DESTINATION, source)
            if answered == source:
                continue
            own, port = (int.from_bytes(what[number], "big") for number in (2, 3))
            target = socket.inet_ntop(socket.AF_INET6, who[V6_DESTINATION])
            address = socket.inet_ntop(socket.AF_INET6, answered)
            found.append(Translated(wanted[source], own, target, port, address, _idle(row)))
    return found


def _idle(row: dict[int, bytes]) -> float:
    """Seconds since a connection over TCP was used last; 0 for others."""
    left = int.from_bytes(row.get(TIMEOUT, b""), "big")
    tcp = attributes(attributes(row.get(PROTOCOL_INFO, b"")).get(1, b""))
    return max(0.0, TCP_TIMES.get(tcp.get(1, b"\0")[0], 0) - left)


def _answers_from(reply: bytes) -> bytes:
    """Who answers, by the tuple of the way back."""
    addresses = attributes(attributes(reply).get(IP, b""))
    return next((addresses[source] for source in SOURCES if source in addresses), b"")
