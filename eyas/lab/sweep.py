"""Taking a lab away to the last trace, whatever state it was left in: all is found by name."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import run
from eyas.lab import cgroup, loops, wire
from eyas.lab.place import HostPlace, Place


def _mounts(place: Place) -> list[str]:
    """The mount points that carry the lab's name or lie below its directory, innermost first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith("/run/netns/"):
            continue  # namespaces are counted as what they are
        if place.prefix in point or point == str(place.path) or point.startswith(f"{place.path}/"):
            found.append(point)
    return found[::-1]


def _nspawn_files(place: Place) -> list[Path]:
    """What systemd-nspawn keeps about its machines: files by their names, and locks by the inodes of their roots."""
    kept = Path("/run/systemd/nspawn")
    locks = []
    for root in place.path.glob("*/root"):
        info = root.stat()
        locks.append(kept / "locks" / f"inode-{info.st_dev}:{info.st_ino}")
    return [*kept.glob(f"*/{place.prefix}*"), *(path for path in locks if path.exists())]


def traces(place: Place) -> list[str]:
    """All that is left of a lab on this machine, one line each; empty after `sweep` and before the first `up`."""
    found = [f"control group {path}" for path in cgroup.existing(place.cgroup)]
    found += [f"network namespace {name}" for name in wire.namespaces() if name.startswith(place.prefix)]
    if Path("/sys/class/net", place.outer_link).exists():
        found.append(f"interface {place.outer_link}")
    found += [f"mount {point}" for point in _mounts(place)]
    found += [f"file {path}" for path in _nspawn_files(place)]
    found += [f"file {path}" for path in (place.etc, place.path) if path.exists()]
    return found


def power_off(place: Place) -> None:
    """End every process of a lab and take its network away; the disks stay."""
    cgroup.kill(place.cgroup)
    cgroup.remove(place.cgroup)
    for point in _mounts(place):
        run(["umount", "--lazy", point], check=False)
    for host in place.path.iterdir() if place.path.is_dir() else []:
        loops.detach(host / "root")
    wire.close_outer(place)
    for name in [each for each in wire.namespaces() if each.startswith(place.prefix)]:
        wire.remove_namespace(name)
    for path in _nspawn_files(place):
        remove_tree(path)
    if place.etc.exists():
        remove_tree(place.etc)
        with contextlib.suppress(OSError):  # the last lab's, and nobody else's: the directory was ours
            place.etc.parent.rmdir()


def sweep(place: Place) -> None:
    """Take the lab away, its disks too. Failed when something is left."""
    power_off(place)
    if place.path.exists():
        for path in place.path.iterdir():
            if path != place.state:  # what tells that there is a lab goes last: who is killed here can be followed
                remove_tree(path)
        remove_tree(place.path)
    if left := traces(place):
        raise Failed(f"cannot take the lab {place.id} away: left are " + ", ".join(left))


def remove_host(host: HostPlace) -> None:
    """Take one host away, its disk too."""
    cgroup.kill(host.cgroup)
    cgroup.remove(host.cgroup)
    for point in _mounts(host.lab):
        if point.startswith(f"{host.path}/") or f"/{host.machine}" in point:
            run(["umount", "--lazy", point], check=False)
    loops.detach(host.root)
    wire.detach(host)
    remove_tree(host.path)


def remove_tree(path: Path) -> None:
    """Remove a directory and what is below it, but nothing of another file system."""
    if not path.is_dir() or path.is_symlink():
        path.unlink()
        return
    if any(os.path.ismount(each) for each in (path, *path.glob("*"))):
        raise Failed(f"cannot remove {path}: something is mounted there")
    device = path.lstat().st_dev
    for directory, names, _ in os.walk(path):
        for name in names:
            below = Path(directory, name)
            if below.lstat().st_dev != device:
                raise Failed(f"cannot remove {path}: {below} is of another file system")
    shutil.rmtree(path)
