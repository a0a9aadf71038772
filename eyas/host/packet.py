"""First packets of connections: whose they are, and how to make them whole again. No I/O.

Sources: RFC 791, RFC 8200, RFC 9293, RFC 768.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

TCP, UDP = 6, 17
NAMES = {TCP: "tcp", UDP: "udp"}
HEADERS = (0, 43, 60)  # of IPv6, that may stand before: hop-by-hop, routing, destination options
CHECKSUM = {TCP: 16, UDP: 6}  # where it stands in the header
LEAST = {TCP: 20, UDP: 8}


@dataclass(frozen=True)
class Flow:
    """An attempt: who wants what."""

    proto: str  # tcp or udp
    source: str
    source_port: int
    target: str
    port: int


def flow(packet: bytes) -> Flow | None:
    """What a packet is the first of; None for what is neither TCP nor UDP, or is no whole header."""
    place = _transport(packet)
    if place is None:
        return None
    number, at = place
    source, target = _addresses(packet)
    ports = struct.unpack_from("!HH", packet, at)
    return Flow(
        NAMES[number],
        _written(source),
        ports[0],
        _written(target),
        ports[1],
    )


def whole(packet: bytes) -> bytes:
    """The packet with its checksums: one that has not left this machine yet has none, its network card makes them."""
    place = _transport(packet)
    if place is None:
        return packet
    number, at = place
    data = bytearray(packet)
    if data[0] >> 4 == 4:
        data[10:12] = b"\0\0"
        struct.pack_into("!H", data, 10, checksum(bytes(data[: (data[0] & 15) * 4])))
    where = at + CHECKSUM[number]
    data[where : where + 2] = b"\0\0"
    body = bytes(data[at:])
    source, target = _addresses(packet)
    found = checksum(source + target + struct.pack("!II", len(body), number) + body)
    struct.pack_into("!H", data, where, found or 0xFFFF)
    return bytes(data)


def checksum(data: bytes) -> int:
    """The Internet's (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    added: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while added >> 16:
        added = (added & 0xFFFF) + (added >> 16)
    return ~added & 0xFFFF


def _written(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def _addresses(packet: bytes) -> tuple[bytes, bytes]:
    return (packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40])


def _transport(packet: bytes) -> tuple[int, int] | None:
    """The number of the protocol, and where its header begins."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        number, at = packet[9], (packet[0] & 15) * 4
        if struct.unpack_from("!H", packet, 6)[0] & 0x3FFF:  # a part of one
            return None
    elif len(packet) >= 40 and packet[0] >> 4 == 6:
        number, at = packet[6], 40
        while number in HEADERS and at + 8 <= len(packet):
            number, at = packet[at], at + 8 + packet[at + 1] * 8
    else:
        return None
    return (number, at) if number in LEAST and at + LEAST[number] <= len(packet) else None
