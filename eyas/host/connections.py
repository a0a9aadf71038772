"""What the sockets of a running container are doing, seen from the host: by the kernel's word on its network
(`eyas.host.diag`), and by /proc.

Nothing is started inside. Connections to containers within a container are not seen: they are none of its sockets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from eyas.core import paths
from eyas.host import diag, proc
from eyas.host.diag import Socket

GROUP = "/sys/fs/cgroup/machine.slice"
RECENT = 200  # milliseconds
CLOSED_HERE = ("FIN-WAIT-1", "CLOSING", "LAST-ACK")  # states of connections that the program inside has closed
GONE = 4  # times that something was sent again without an answer: with doubled pauses some three seconds
EPHEMERAL = 32768  # ports that the kernel gives to clients begin here (ip_local_port_range, ip(7))


def busy(container: str, ports: Sequence[tuple[str, int]] = ()) -> tuple[str, ...]:
    """See `eyas.core.system.Traffic.busy`."""
    leader = _leader(container)
    if not leader:
        return ()
    try:
        found = diag.connections(leader)
    except OSError:
        return ()  # a container that ends while we look has no connections any more
    return busy_in(found, {port for proto, port in ports if proto == "tcp"} if ports else None)


def busy_in(sockets: Sequence[Socket], ports: set[int] | None) -> tuple[str, ...]:
    """Busy connections among sockets of TCP; of all ports, when none are given."""
    listening = {socket.port for socket in sockets if socket.state == "LISTEN"}
    wanted = listening if ports is None else listening & ports
    return tuple(
        f"{socket.there} to port {socket.port} ({socket.state})"
        for socket in sockets
        if socket.state != "LISTEN" and socket.port in wanted and not _inner(socket) and _is_busy(socket)
    )


def _inner(socket: Socket) -> bool:
    """Whether both ends are within the container."""
    return socket.here == socket.there or _loopback(socket.there)


def _loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")


def _is_busy(socket: Socket) -> bool:
    if socket.state == "SYN-RECV":
        return not socket.tries  # a handshake under way; one that the client does not go on with is none
    if socket.unsent and socket.tries >= GONE:
        return False  # who is there no more is not waited for
    if socket.state in CLOSED_HERE:
        # What was said last counts as one: when only that was not confirmed, the other one has all that was sent.
        return socket.unsent > 1
    if socket.unread or socket.unsent:
        return True
    if socket.state == "ESTAB" and min(socket.last_sent, socket.last_received) < RECENT:
        return True
    # One that was never sent anything counts as sent to when it was made, within the same tick as its request came.
    return bool(socket.received) and (not socket.sent or socket.last_received < socket.last_sent)


def listening(container: str, units: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """See `eyas.core.system.Traffic.listening`."""
    leader = _leader(container)
    if not leader:
        return ()
    try:
        inodes = {socket.inode: (proto, socket.port) for proto, socket in open_ports(diag.listeners(leader))}
    except OSError:
        return ()
    network, kept = proc.network(leader), proc.sockets(leader)
    found: set[str] = set()
    for unit in units if inodes else ():
        for pid in _processes(container, unit):
            if proc.network(pid) == network:
                found |= proc.sockets(pid) - kept
    return tuple(sorted({inodes[inode] for inode in found & inodes.keys()}))


def open_to_others(container: str) -> frozenset[tuple[str, int]]:
    """All (protocol, port) pairs that anybody in a running container listens on, for others."""
    leader = _leader(container)
    try:
        found = open_ports(diag.listeners(leader)) if leader else ()
        return frozenset((proto, socket.port) for proto, socket in found)
    except OSError:  # it ends while we look
        return frozenset()


def open_ports(sockets: Iterable[tuple[str, Socket]]) -> Iterator[tuple[str, Socket]]:
    """Those among what waits for others that do so for the outside. A client's own of UDP has a port of the kernel's
    choice."""
    for proto, socket in sockets:
        if not _loopback(socket.here) and (proto == "tcp" or 0 < socket.port < EPHEMERAL):
            yield proto, socket


def _group(container: str) -> str:
    return f"{GROUP}/{paths.unit_name(container)}/payload"


def _leader(container: str) -> str:
    """The process that is PID 1 inside, '' for a container that does not run (or is just coming up)."""
    return proc.leader(_group(container))


def _processes(container: str, unit: str) -> Iterator[str]:
    for base, folders, _ in os.walk(_group(container)):
        if os.path.basename(base) == unit:
            folders.clear()
            yield from proc.members(base)
