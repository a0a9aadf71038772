"""Processes and control groups as the kernel shows them (proc(5), cgroups(7)). What has ended by now reads as empty."""

from __future__ import annotations

import os
from collections.abc import Iterator

PROC = "/proc"


def read(path: str) -> str:
    """A file of the kernel's without the white space around it, '' where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def link(path: str) -> str:
    """What a link of the kernel's names, '' where there is none."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def leader(payload: str) -> str:
    """The process that is PID 1 of the container with this group for what it runs, '' for one that does not run (or
    is just coming up)."""
    return next(iter(read(f"{payload}/init.scope/cgroup.procs").split()), "")


def members(group: str) -> Iterator[str]:
    """The processes in a group and below it."""
    for base, _folders, files in os.walk(group):
        if "cgroup.procs" in files:
            yield from read(f"{base}/cgroup.procs").split()


def network(pid: str) -> str:
    """What tells a process's network namespace from another, '' for one that has ended."""
    return link(f"{PROC}/{pid}/ns/net")


def sockets(pid: str) -> set[str]:
    """The numbers (inodes, as in /proc/net/tcp) of the sockets that a process has open."""
    try:
        targets = [link(f"{PROC}/{pid}/fd/{name}") for name in os.listdir(f"{PROC}/{pid}/fd")]
    except OSError:  # it has ended
        return set()
    return {target[8:-1] for target in targets if target.startswith("socket:[")}
