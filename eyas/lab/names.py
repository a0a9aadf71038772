"""The name server of a lab's internet: what the public names of the lab's hosts and sites lead to.

One process per lab (``python -m eyas.lab.names LAB BASE``). It listens in the lab's internet and answers from the hosts
file that clients there have as well (`eyas.lab.wire.set_names`); a name that is not in it does not exist, which is said
at once. Lab hosts ask it as servers ask their provider's. Source: RFC 1035; A, AAAA and PTR are all that it knows.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from eyas.host.command import launch
from eyas.lab import cgroup
from eyas.lab.place import Place
from eyas.lab.state import alive, read_json, start_time, write_json
from eyas.lab.wire import NAMES4, NAMES6

PORT = 53
CLONE_NEWNET = 0x40000000  # setns(2)
A, PTR, AAAA, ANY = 1, 12, 28, 255
NO_SUCH_NAME, NOT_IMPLEMENTED = 3, 4
TTL = 5  # seconds: names of a lab change


def start(place: Place) -> None:
    """Start the name server of a lab unless it runs."""
    known = read_json(place.path / "names.json")
    if known is not None and alive(known.get("pid"), known.get("start")):
        return
    log = os.open(place.path / "names.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        launch([sys.executable, "-m", "eyas.lab.names", place.id, str(place.base)], detach=True, output=log)
    finally:
        os.close(log)


class Table:
    """The hosts file, read again when it is another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[int, int] = (0, 0)
        self._names: dict[str, list[str]] = {}

    def names(self) -> dict[str, list[str]]:
        """Each name with its addresses."""
        stat = self.path.stat()
        if (stat.st_mtime_ns, stat.st_ino) != self._read:
            found: dict[str, list[str]] = {}
            for line in self.path.read_text().splitlines():
                address, *names = line.partition("#")[0].split() or [""]
                for name in names:
                    found.setdefault(name.lower(), []).append(address)
            self._names, self._read = found, (stat.st_mtime_ns, stat.st_ino)
        return self._names

    def find(self, name: str, kind: int) -> list[bytes] | None:
        """The data of all answers; None for a name that there is not."""
        names = self.names()
        if name.endswith((".in-addr.arpa", ".ip6.arpa")):
            wanted = {who for who, has in names.items() for a in has if pointer(a) == name}
            return [encoded(who) for who in sorted(wanted)] if wanted else None
        addresses = names.get(name)
        if addresses is None:
            return None
        versions = [ipaddress.ip_address(address) for address in addresses]
        return [a.packed for a in versions if {4: A, 6: AAAA}[a.version] == kind]


def pointer(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


def encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def answer(query: bytes, find: Callable[[str, int], list[bytes] | None]) -> bytes:
    """The answer to a message; nothing for what is none."""
    if len(query) < 17 or query[2] & 0x80:
        return b""
    number, flags, count = struct.unpack("!HHH", query[:6])
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]])
        at += 1 + query[at]
    question = query[12 : at + 5]
    if count != 1 or len(question) < at - 7:
        return b""
    name = b".".join(labels).decode("ascii", "replace").lower()
    kind = struct.unpack("!H", question[-4:-2])[0]
    found = None if flags >> 11 & 15 else find(name, kind)
    code = NOT_IMPLEMENTED if flags >> 11 & 15 else NO_SUCH_NAME if found is None else 0
    rows = found or []
    head = struct.pack("!HHHHHH", number, 0x8580 | flags & 0x0100 | code, 1, len(rows), 0, 0)
    data = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, TTL, len(row)) + row for row in rows)
    return head + question + data


def listen(namespace: Path) -> list[socket.socket]:
    """Sockets for both transports and families in another network namespace; only the thread that makes them visits."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def visit() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with namespace.open("rb") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                failed.append(OSError(ctypes.get_errno(), "setns"))
                return
        try:
            for family, address in ((socket.AF_INET, NAMES4), (socket.AF_INET6, NAMES6)):
                for transport in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    one = socket.socket(family, transport)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    one.bind((address, PORT))
                    made.append(one)
                    if transport == socket.SOCK_STREAM:
                        one.listen()
        except OSError as error:
            failed.append(error)

    visitor = threading.Thread(target=visit)
    visitor.start()
    visitor.join()
    if failed:
        raise failed[0]
    return made


def serve_stream(connection: socket.socket, table: Table) -> None:
    """Messages with their length in front, until the other side ends."""
    connection.settimeout(10)
    with connection, connection.makefile("rb") as wire:
        while len(head := wire.read(2)) == 2:
            said = answer(wire.read(struct.unpack("!H", head)[0]), table.find)
            connection.sendall(struct.pack("!H", len(said)) + said)


def main(lab: str, base: str) -> None:
    place = Place(lab, Path(base))
    cgroup.join(f"{place.cgroup}/internet")
    sockets = listen(Path("/run/netns") / place.internet)
    table = Table(place.etc / "hosts")
    write_json(place.path / "names.json", {"pid": os.getpid(), "start": start_time(os.getpid())}, sync=False)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        for ready in select.select(sockets, [], [])[0]:
            if ready.type == socket.SOCK_STREAM:
                threading.Thread(target=serve_stream, args=(ready.accept()[0], table), daemon=True).start()
                continue
            query, client = ready.recvfrom(4096)
            if said := answer(query, table.find):
                ready.sendto(said, client)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
