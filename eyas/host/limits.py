"""What the kernel holds running containers to: read back from where limits take effect.

Control groups of version 2 (cgroups(7), Documentation/admin-guide/cgroup-v2): the files of the container's unit below
machine.slice. Its root and RAM disks: what statfs(2) says of them. Nothing is judged here; see `eyas.status.limits`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from eyas.core import paths
from eyas.core.ramdisks import SUFFIX, UNITS, ram_disk
from eyas.core.words import Json
from eyas.host.memory import CGROUPS, SLICE, unit
from eyas.host.proc import leader, read

FILES = ("memory.max", "memory.high", "cpu.max", "cpu.weight", "io.weight", "io.bfq.weight", "pids.max")
SHOWN = ("memory.max", "memory.high", "cpu.max", "pids.max")
"""Those that a container sees of itself: set once more at the top of its own groups, below the unit's (as root-up)."""
EVENTS = (
    ("memory.events", "oom_kill"),
    ("memory.events", "high"),
    ("pids.events", "max"),
    ("cpu.stat", "nr_throttled"),
)
STALLS = ("cpu", "io", "memory")
BLOCKS = "/sys/block"


def effect(machine: str, spec: Mapping[str, Json], cgroups: str = CGROUPS, blocks: str = BLOCKS) -> dict[str, Json]:
    """Of one container that runs: ``controllers`` of its group, ``files`` of limits with what they hold, ``weighed``
    (whether some disk of the host shares its time by weights), ``events`` counted since it started, ``stalls`` (per
    cent of the last ten seconds in which somebody in it waited, where the kernel has pressure stall information),
    ``root`` and ``disks`` by path as {declared, size, used, inodes}."""
    group = f"{cgroups}/{SLICE}/{unit(machine)}"
    files = {name: text for name in FILES if (text := read(f"{group}/{name}"))}
    events = {f"{name} {key}": _count(group, name, key) for name, key in EVENTS}
    stalls = {name: found for name in STALLS if (found := _stall(read(f"{group}/{name}.pressure"))) is not None}
    return {
        "controllers": [*read(f"{group}/cgroup.controllers").split()],
        "files": {**files},
        "weighed": _weighed(cgroups, blocks),
        "events": {key: count for key, count in events.items() if count is not None},
        "stalls": {**stalls},
        "root": _root(machine, spec),
        "disks": {**_disks(spec, leader(f"{group}/payload"))},
    }


def show(name: str, cgroups: str = CGROUPS) -> None:
    """Let a container that runs see the limits of its unit ``name``."""
    group = f"{cgroups}/{SLICE}/{name}"
    for limit in SHOWN:
        # Not every kernel has all, and it may be down by now.
        with suppress(OSError), open(f"{group}/payload/{limit}", "r+") as file:
            file.write(read(f"{group}/{limit}"))


def _weighed(cgroups: str, blocks: str) -> bool:
    """By the scheduler bfq, or by io.cost (Documentation/admin-guide/cgroup-v2, "IO"); without both, weights are kept
    and not heeded."""
    if "enable=1" in read(f"{cgroups}/io.cost.qos"):
        return True
    try:
        disks = os.listdir(blocks)
    except OSError:
        return False
    return any("[bfq]" in read(f"{blocks}/{disk}/queue/scheduler") for disk in disks)


def _root(machine: str, spec: Mapping[str, Json]) -> dict[str, Json]:
    """The writable layer: a tmpfs, or a file system in an image file, whose size is that of the file."""
    found = _space(f"{paths.WRITABLE}/{machine}")
    if found and spec.get("root_backing") == "disk":
        try:
            found["size"] = os.stat(paths.scratch(machine)).st_size
        except OSError:
            found["size"] = None
    return {"declared": spec.get("root_size"), **found}


def _disks(spec: Mapping[str, Json], pid: str) -> dict[str, Json]:
    """RAM disks that its layer declares."""
    files, found = spec.get("files"), dict[str, Json]()
    for path in files if isinstance(files, dict) else ():
        if not path.startswith(UNITS) or not path.endswith(SUFFIX):
            continue
        disk = ram_disk(read(f"{paths.layer(str(spec.get('layer')))}/root{path}"))
        if disk is not None:
            found[disk.path] = {"declared": disk.size, **(_space(f"/proc/{pid}/root{disk.path}") if pid else {})}
    return found


def _space(path: str) -> dict[str, Json]:
    """Bytes of the file system that is mounted at a path, and the part of its inodes that is used; nothing where none
    is mounted. Those of what is reserved for root count as used."""
    try:
        if os.stat(path).st_dev == os.stat(os.path.dirname(path)).st_dev:
            return {}
        known = os.statvfs(path)
    except OSError:
        return {}
    size = known.f_blocks * known.f_frsize
    full = known.f_blocks and 1 - known.f_bavail / known.f_blocks
    inodes = 1 - known.f_favail / known.f_files if known.f_files else 0.0
    return {"size": size, "used": round(size * full), "full": round(full, 4), "inodes": round(inodes, 4)}


def _count(group: str, name: str, key: str) -> int | None:
    """What is counted of a group includes what is below it, but for throttling."""
    found = [_row(read(f"{where}/{name}"), key) for where in (group, f"{group}/payload")]
    return max((count for count in found if count is not None), default=None)


def _row(text: str, key: str) -> int | None:
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key and value.isdigit():
            return int(value)
    return None


def _stall(text: str) -> float | None:
    """``avg10`` of "some" (Documentation/accounting/psi)."""
    words = text.partition("\n")[0].split()
    values = dict(word.split("=", 1) for word in words if "=" in word)
    try:
        return float(values["avg10"])
    except (KeyError, ValueError):
        return None
