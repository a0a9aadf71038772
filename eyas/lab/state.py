"""Small files that say what is, written so that a crash leaves the old or the new one, and a lock for each lab."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eyas.core.errors import Failed
from eyas.host.disk import write_whole
from eyas.lab.place import Place


def write_json(path: Path, value: object, *, sync: bool = True) -> None:
    """Write a file whole or not at all. Without ``sync`` it is for this boot only."""
    write_whole(path, json.dumps(value, indent=1, sort_keys=True) + "\n", sync=sync, shared=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None when there is none (or a half one, from before a power cut)."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


@contextlib.contextmanager
def locked(place: Place) -> Iterator[None]:
    """Only one `up`, `down`, `boot` or `cut` of a lab at a time. Failed at once when another one is at work."""
    descriptor = _lock(place.lock, wait=False)
    if descriptor is None:
        raise Failed(f"cannot work on the lab {place.id}: another eyas is at work on it", "wait until it has ended")
    try:
        yield
    finally:
        if not place.path.exists():
            place.lock.unlink(missing_ok=True)
        os.close(descriptor)


@contextlib.contextmanager
def all_locked(base: Path) -> Iterator[None]:
    """For the short moments in which one lab looks at all others; waits."""
    descriptor = _lock(base / ".all.lock", wait=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(path: Path, *, wait: bool) -> int | None:
    """A descriptor that holds the lock, None when another process has it and we do not want to wait.

    The lock's file may go away with the lab, so after taking it we look whether it is still the one by that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_same(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def boot_id() -> str:
    """Which boot of this machine this is: what was noted in another one is no longer true."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22): with the pid it names one process
    for ever. None when there is no such process, or only its zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def alive(pid: object, started: object) -> bool:
    """Whether that very process lives."""
    return isinstance(pid, int) and isinstance(started, int) and start_time(pid) == started
