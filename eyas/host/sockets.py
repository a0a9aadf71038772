"""Who listens, in the networks of containers and of the host itself: by /proc, from outside; nothing is started.

Of Docker inside a container what its proxy listens on is seen; what it only translates is no socket.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Iterator

from eyas.core import paths
from eyas.host import proc
from eyas.host.proc import PROC, read

GROUPS = "/sys/fs/cgroup"
KINDS = ("tcp", "tcp6", "udp", "udp6")

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.core.words import Json


def of_container(machine: str) -> list[dict[str, Json]] | None:
    """Listening sockets of a running container, None for one that does not run."""
    group = f"{GROUPS}/machine.slice/{paths.unit_name(machine)}"
    leader = proc.leader(f"{group}/payload")
    return _listeners(leader, proc.members(group)) if leader else None


def of_host() -> list[dict[str, Json]]:
    """Listening sockets of the host's own network."""
    own = proc.network("self")
    pids = (pid for pid in os.listdir(PROC) if pid.isdigit() and proc.network(pid) == own)
    return _listeners("self", pids)


def _listeners(pid: str, pids: Iterable[str]) -> list[dict[str, Json]]:
    found = [row for kind in KINDS for row in listening(read(f"{PROC}/{pid}/net/{kind}"), kind)]
    owners = _owners({number for number, _ in found}, pids)
    listed: dict[tuple[Json, ...], dict[str, Json]] = {}
    for number, row in found:
        process, unit = owners.get(number, ("", ""))
        row |= {"process": process, "unit": unit}
        listed.setdefault(tuple(row.values()), row)  # workers of one server have a socket each
    return sorted(listed.values(), key=lambda row: (int(str(row["port"])), str(row["proto"]), str(row["address"])))


def listening(table: str, kind: str) -> Iterator[tuple[str, dict[str, Json]]]:
    """(socket's number, row) of those that wait for others, from a table of proc(5) (/proc/net/tcp): TCP in the state
    LISTEN, UDP without a peer."""
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 10:
            continue
        address, _, port = words[1].partition(":")
        waits = words[3] == "0A" if kind.startswith("tcp") else words[2].rpartition(":")[2] == "0000"
        if waits and int(port, 16):
            yield words[9], {"proto": kind[:3], "address": plain(address), "port": int(port, 16)}


def plain(address: str) -> str:
    """An address as people write it, from the kernel's words, each a number of this machine."""
    turn = -1 if sys.byteorder == "little" else 1
    words = [bytes.fromhex(address[place : place + 8])[::turn] for place in range(0, len(address), 8)]
    data = b"".join(words)
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


def _owners(numbers: set[str], pids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Name of a process, and unit, for each of the sockets; the process that was there first."""
    found: dict[str, tuple[str, str]] = {}
    for pid in sorted(pids, key=int):
        for number in proc.sockets(pid) & numbers - found.keys():
            found[number] = read(f"{PROC}/{pid}/comm"), _unit(pid)
    return found


def _unit(pid: str) -> str:
    """The unit that a process belongs to, the innermost one."""
    names = read(f"{PROC}/{pid}/cgroup").rpartition(":")[2].split("/")
    return next((name for name in reversed(names) if name.endswith((".service", ".scope", ".socket"))), "")
