"""What the processes of a container hold in memory, where the kernel does not account for control groups.

With the memory controller, memory.current of the unit's group is the answer (cgroups(7)) and systemd shows it. Without
it, the proportional shares of the group's processes are added up (smaps_rollup, proc(5)): pages that containers share
count by halves, thirds and so on, files in a RAM-backed root do not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

CGROUPS = "/sys/fs/cgroup"
SLICE = "machine.slice"


def shares(names: list[str], cgroups: str = CGROUPS, proc: str = "/proc") -> dict[str, int]:
    """Bytes by container, for those that have processes."""
    found = {}
    for name in names:
        sizes = [_share(f"{proc}/{pid}/smaps_rollup") for pid in _processes(f"{cgroups}/{SLICE}/{unit(name)}")]
        if any(sizes):
            found[name] = sum(sizes)
    return found


def unit(name: str) -> str:
    return f"systemd-nspawn@{name}.service"


def _processes(group: str) -> Iterator[str]:
    for base, _folders, files in os.walk(group):
        if "cgroup.procs" in files:
            try:
                with open(f"{base}/cgroup.procs") as listing:
                    yield from listing.read().split()
            except OSError:  # the group has gone since we saw it
                continue


def _share(path: str) -> int:
    try:
        with open(path) as rollup:
            for line in rollup:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:  # the process has ended, or is a kernel's own
        pass
    return 0
