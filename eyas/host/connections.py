"""What the sockets of a running container are doing, seen from the host: by ss(8) in its network, and by /proc.

Nothing is started inside. Connections to containers within a container are not seen: they are none of its sockets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from eyas.core import paths
from eyas.host.command import run

GROUP = "/sys/fs/cgroup/machine.slice"
PROC = "/proc"
RECENT = 200  # milliseconds
EPHEMERAL = 32768  # ports that the kernel gives to clients begin here (ip_local_port_range, ip(7))
STATES = ("time-wait", "closed", "fin-wait-2")


def busy(container: str, ports: Sequence[tuple[str, int]] = ()) -> tuple[str, ...]:
    """See `eyas.core.system.Traffic.busy`."""
    leader = _leader(container)
    if not leader:
        return ()
    left_out = [word for state in STATES for word in ("exclude", state)]
    argv = ["nsenter", f"--net={PROC}/{leader}/ns/net", "ss", "-atinoHO", *left_out]
    result = run(argv, check=False)
    # A container that ends while we look has no connections any more.
    return busy_in(result.text, {port for proto, port in ports if proto == "tcp"} if ports else None)


def busy_in(lines: str, ports: set[int] | None) -> tuple[str, ...]:
    """Busy connections in what ss said; of all ports, when none are given."""
    rows = [line.split() for line in lines.splitlines()]
    rows = [row for row in rows if len(row) >= 5]
    listening = {_port(row[3]) for row in rows if row[0] == "LISTEN"}
    wanted = listening if ports is None else listening & ports
    return tuple(
        f"{_host(row[4])} to port {_port(row[3])} ({row[0]})"
        for row in rows
        if row[0] != "LISTEN" and _port(row[3]) in wanted and not _inner(row) and _is_busy(row)
    )


def _port(address: str) -> int:
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else 0


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]").partition("%")[0].removeprefix("::ffff:")


def _inner(row: Sequence[str]) -> bool:
    """Whether both ends are within the container."""
    here, there = _host(row[3]), _host(row[4])
    return here == there or there == "::1" or there.startswith("127.")


def _is_busy(row: Sequence[str]) -> bool:
    state, received, sent = row[0], row[1], row[2]
    facts = {key: value for key, _, value in (word.partition(":") for word in row[5:]) if value}
    if state == "SYN-RECV":
        # A handshake under way; one that the client does not go on with is none.
        return facts.get("timer", "").endswith(",0)") or "timer" not in facts
    if received != "0" or sent != "0":
        return True
    last_sent, last_received = _milliseconds(facts, "lastsnd"), _milliseconds(facts, "lastrcv")
    if state == "ESTAB" and min(last_sent, last_received) < RECENT:
        return True
    # One that was never sent anything counts as sent to when it was made, within the same tick as its request came.
    return "bytes_received" in facts and ("bytes_sent" not in facts or last_received < last_sent)


def _milliseconds(facts: dict[str, str], key: str) -> int:
    value = facts.get(key, "0")  # ss says nothing of a nought
    return int(value) if value.isdigit() else 0


def listening(container: str, units: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """See `eyas.core.system.Traffic.listening`."""
    leader = _leader(container)
    if not leader:
        return ()
    network, kept = _network(leader), _sockets(leader)
    found: dict[str, str] = {}  # a socket's number: a process that has it
    for unit in units:
        for pid in _processes(container, unit):
            if _network(pid) == network:
                found.update(dict.fromkeys(_sockets(pid) - kept, pid))
    ports = set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for number, port in open_ports(_read(f"{PROC}/{leader}/net/{kind}"), kind):
            if number in found:
                ports.add((kind[:3], port))
    return tuple(sorted(ports))


def open_ports(table: str, kind: str) -> Iterator[tuple[str, int]]:
    """(socket's number, port) of those that listen to the outside, from a table of proc(5) (/proc/net/tcp)."""
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 10:
            continue
        address, _, port = words[1].partition(":")
        number = int(port, 16)
        if kind.startswith("tcp"):
            waits = words[3] == "0A"
        else:  # one without a peer; a client's own has a port of the kernel's choice
            waits = words[2].rpartition(":")[2] == "0000" and 0 < number < EPHEMERAL
        if waits and not _loopback(address):
            yield words[9], number


def _loopback(address: str) -> bool:
    """Whether an address, as the kernel prints its words (little end first), is of the loopback."""
    if len(address) == 8:
        return address.endswith("7F")
    mapped = address.startswith("0000000000000000FFFF0000")
    return address == "00000000000000000000000001000000" or (mapped and address.endswith("7F"))


def _group(container: str) -> str:
    return f"{GROUP}/{paths.unit_name(container)}/payload"


def _leader(container: str) -> str:
    """The process that is PID 1 inside, '' for a container that does not run (or is just coming up)."""
    return next(iter(_read(f"{_group(container)}/init.scope/cgroup.procs").split()), "")


def _processes(container: str, unit: str) -> Iterator[str]:
    for base, folders, _ in os.walk(_group(container)):
        if os.path.basename(base) == unit:
            folders.clear()
            for inner, _, _ in os.walk(base):
                yield from _read(f"{inner}/cgroup.procs").split()


def _sockets(pid: str) -> set[str]:
    found = set()
    try:
        for name in os.listdir(f"{PROC}/{pid}/fd"):
            try:
                target = os.readlink(f"{PROC}/{pid}/fd/{name}")
            except OSError:  # closed since
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:  # it has ended
        pass
    return found


def _network(pid: str) -> str:
    try:
        return os.readlink(f"{PROC}/{pid}/ns/net")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
