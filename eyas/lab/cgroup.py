"""Control groups of a lab: a subtree of its own in the unified hierarchy, and in older ones where we are not at
their root, so that nothing of a lab counts as part of what started it.

cgroup.kill (cgroups(7), Linux 5.14) ends a whole machine at once, which is what a power cut is.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from eyas.core.errors import Failed

MOUNT = Path("/sys/fs/cgroup")


def unified() -> Path:
    """Where the unified hierarchy is mounted: at the top, or beside the older ones."""
    for candidate in (MOUNT, MOUNT / "unified"):
        if (candidate / "cgroup.controllers").exists():
            return candidate
    raise Failed(
        "cannot run a lab: this machine has no unified control group hierarchy",
        "mount it: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
    )


def _older() -> list[Path]:
    """The older hierarchies in which this process is somewhere below the root."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        where = MOUNT / names.removeprefix("name=")
        if number != "0" and path != "/" and names != "cpuset" and where.is_dir():
            found.append(where)
    return found


def make(name: str) -> None:
    """Make a group, and offer it (and those it will hold) all controllers there are."""
    path = unified()
    for part in name.split("/"):
        controllers = (path / "cgroup.controllers").read_text().split()
        for controller in controllers:
            with contextlib.suppress(OSError):  # busy or not for us: the lab then works without it
                (path / "cgroup.subtree_control").write_text(f"+{controller}")
        path = path / part
        path.mkdir(exist_ok=True)


def join(name: str) -> None:
    """Move this process into a group of the unified hierarchy, and into the lab's group of older ones.

    The unified one comes first: a process in it is found and ended by `kill`, so that it makes no group in an older
    hierarchy after `remove` went by there.
    """
    older = _older()
    (unified() / name / "cgroup.procs").write_text(str(os.getpid()))
    for hierarchy in older:
        group = hierarchy / name.split("/")[0]
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(str(os.getpid()))


def move(name: str, pid: int) -> None:
    """Move a process into a group of the unified hierarchy."""
    (unified() / name / "cgroup.procs").write_text(str(pid))


def populated(name: str) -> bool:
    """Whether any process lives in a group or below it."""
    try:
        return "populated 1" in (unified() / name / "cgroup.events").read_text()
    except OSError:
        return False


def kill(name: str, timeout: float = 30.0) -> None:
    """End every process in a group and below, and wait (``timeout`` seconds) until none is left.

    Who was started to join the group may do so after it was told to end, so it is told again until none is left.
    Failed names those that live on.
    """
    until = time.monotonic() + timeout
    while True:
        with contextlib.suppress(OSError):
            (unified() / name / "cgroup.kill").write_text("1")
        if not populated(name):
            return
        if time.monotonic() > until:
            raise Failed(
                f"cannot end the processes of the control group {name}: after {timeout:g} s there still are "
                + ", ".join(processes(name))
            )
        time.sleep(0.005)


def processes(name: str) -> list[str]:
    """Those in a group and below, as "PID (name, state)" with the state of proc_pid_stat(5): D waits for a disk."""
    found = []
    for directory, _, _ in os.walk(unified() / name):
        with contextlib.suppress(OSError):  # the group goes in this moment
            for pid in Path(directory, "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):  # or the process
                    called, _, rest = Path("/proc", pid, "stat").read_text().partition("(")[2].rpartition(")")
                    found.append(f"{pid} ({called}, {rest.split()[0]})")
    return found


def remove(name: str) -> None:
    """Remove a group, and what is below it, from all hierarchies. Nothing may run in it."""
    mounted = [unified(), *(each for each in MOUNT.iterdir() if each.is_dir())]
    for top in [hierarchy / name for hierarchy in mounted]:
        until = time.monotonic() + 2.0  # a process just ended may hold its group for a moment
        while top.is_dir():
            for below, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(below).rmdir()
            with contextlib.suppress(OSError):  # someone who was just about to join it
                (top / "cgroup.kill").write_text("1")
            if top.is_dir() and time.monotonic() > until:
                raise Failed(f"cannot remove the control group {top}: something lives in it")


def existing(name: str) -> list[str]:
    """The paths at which a group exists, in all hierarchies."""
    mounted = {unified(), *(each for each in MOUNT.iterdir() if each.is_dir())}
    return sorted(str(each / name) for each in mounted if (each / name).is_dir())
