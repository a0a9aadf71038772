"""Addresses of names, by the name server that containers ask: its cache has what they are told. Source: RFC 1035."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Collection

A, AAAA = 1, 28
KINDS = (A, AAAA)
PATIENCE = 2.0  # seconds for all names together
PORT = 53


def resolve(server: str, names: Collection[str]) -> dict[str, dict[str, float]]:
    """Ask for all names at once, over UDP. Who has no address has an empty table; who was not answered for has none."""
    found: dict[str, dict[str, float]] = {}
    asked = {}
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as wire:
        wire.setblocking(False)
        for name in names:
            for kind in KINDS:
                number = int.from_bytes(os.urandom(2), "big")
                asked[number] = (name, kind)
                try:
                    wire.sendto(query(number, name, kind), (server, PORT))
                except OSError:
                    return {}
        until = time.monotonic() + PATIENCE
        while asked and (left := until - time.monotonic()) > 0:
            if not select.select([wire], [], [], left)[0]:
                break
            try:
                said, who = wire.recvfrom(4096)
            except OSError:
                break
            if who[0] != server or len(said) < 12 or (number := int.from_bytes(said[:2], "big")) not in asked:
                continue
            rows = answers(said)
            if rows is not None:
                name, _kind = asked.pop(number)
                found.setdefault(name, {}).update(rows)
    for name, _kind in asked.values():
        found.pop(name, None)  # half an answer would take addresses away that are good
    return found


def query(number: int, name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label for label in name.encode("idna").split(b".") if label)
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def answers(message: bytes) -> dict[str, float] | None:
    """Addresses of an answer, wherever aliases lead, with their times; None for a failure of the server."""
    _number, flags, questions, count, _, _ = struct.unpack("!HHHHHH", message[:12])
    if flags & 0xF not in (0, 3):  # no such name is an answer
        return None
    found: dict[str, float] = {}
    try:
        at = 12
        for _ in range(questions):
            at = _skip(message, at) + 4
        for _ in range(count):
            at = _skip(message, at)
            kind, _class, ttl, length = struct.unpack_from("!HHIH", message, at)
            data = message[at + 10 : at + 10 + length]
            at += 10 + length
            if kind == A and length == 4:
                found[socket.inet_ntop(socket.AF_INET, data)] = float(ttl)
            elif kind == AAAA and length == 16:
                found[socket.inet_ntop(socket.AF_INET6, data)] = float(ttl)
    except (struct.error, IndexError, ValueError):
        return None
    return found


def _skip(message: bytes, at: int) -> int:
    """The place after a name."""
    while message[at]:
        if message[at] & 0xC0 == 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1
