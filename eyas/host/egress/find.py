"""How the rest of the world reaches addresses of a prefix: routed to this host, or each asked for on the link.

An echo request leaves from an address that nobody has, and what comes back tells: whoever is to answer it asks for its
neighbour first (RFC 4861, 7.2) where the prefix is on the link, and sends the answer to us without a question where it
is routed to us. Nothing is added to any link for that; packets are seen before the host's own stack looks at them.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Sequence

ETH_IPV6 = 0x86DD
SOL_PACKET, ADD_MEMBERSHIP, ALL_MULTICAST = 263, 1, 2  # packet(7)
FREEBIND = 78  # IPV6_FREEBIND
ECHO_REQUEST, ECHO_REPLY, SOLICIT = 128, 129, 135
PATIENCE = 1.0  # seconds for each target


def find(uplink: str, address: str, targets: Sequence[str]) -> tuple[str, str]:
    """ "routed", "on-link" or "unknown", and why. Each target is asked twice at most."""
    try:
        with _ear(uplink) as ear, _mouth(address) as mouth:
            for target in [*targets, *targets]:
                try:
                    mouth.sendto(_echo(), _place(target, uplink))
                except OSError:
                    continue
                seen = _heard(ear, socket.inet_pton(socket.AF_INET6, address))
                if seen == SOLICIT:
                    return "on-link", f"{target} was asked from {address}, and a neighbour solicitation for that came"
                if seen == ECHO_REPLY:
                    return "routed", f"{target} answered {address} without a neighbour solicitation"
    except OSError as error:
        return "unknown", f"cannot look: {error.strerror or error}"
    return "unknown", f"none of {', '.join(targets) or 'no targets'} answered {address}"


def _ear(uplink: str) -> socket.socket:
    """All IPv6 packets that come in by a link, also those for groups that we are not in."""
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_IPV6))
    ear.bind((uplink, ETH_IPV6))
    index = socket.if_nametoindex(uplink)
    ear.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("=iHH8s", index, ALL_MULTICAST, 0, b""))
    return ear


def _mouth(address: str) -> socket.socket:
    mouth = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    mouth.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
    mouth.bind((address, 0))
    return mouth


def _echo() -> bytes:
    """An echo request; the kernel fills in the checksum (RFC 3542, 3.1)."""
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, os.getpid() & 0xFFFF, 1) + b"eyas"


def _place(target: str, uplink: str) -> tuple[str, int, int, int]:
    scope = socket.if_nametoindex(uplink) if target.lower().startswith("fe80:") else 0
    return (target, 0, 0, scope)


def _heard(ear: socket.socket, address: bytes) -> int:
    """The type of the first packet that tells something of an address; 0 when none came in time."""
    until = time.monotonic() + PATIENCE
    while (left := until - time.monotonic()) > 0:
        if not select.select([ear], [], [], left)[0]:
            break
        frame, where = ear.recvfrom(2048)
        if where[2] == socket.PACKET_OUTGOING:
            continue
        packet = frame[14:]
        if len(packet) < 44 or packet[6] != socket.IPPROTO_ICMPV6:
            continue
        if packet[40] == SOLICIT and packet[48:64] == address:
            return SOLICIT
        if packet[40] == ECHO_REPLY and packet[24:40] == address:
            return ECHO_REPLY
    return 0
