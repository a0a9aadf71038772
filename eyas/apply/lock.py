"""One run at a time on a host. The lock ends with its process, however that ends (flock(2))."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyas.core import paths
from eyas.core.errors import Failed

TRIES = 5
PAUSE = 0.02  # seconds; `holder` has the lock for less than that


@contextmanager
def locked(who: str = "", path: str = paths.LOCK) -> Iterator[None]:
    """Hold the host's lock. Failed when another process holds it, with its words about itself."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not any(_taken(handle, pause) for pause in (0.0, *[PAUSE] * TRIES)):
            words = _words(handle)
            raise Failed(
                f"cannot begin a run: another one is under way{f' ({words})' if words else ''}",
                "wait for its end; eyas history shows it",
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{who or 'somebody'}, process {os.getpid()}".encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder(path: str = paths.LOCK) -> str | None:
    """Who holds the lock, in its own words; None when nobody does."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _taken(handle, 0.0) else _words(handle) or "somebody"
    finally:
        os.close(handle)


def _taken(handle: int, pause: float) -> bool:
    """Whether we have the lock now, tried after ``pause`` seconds."""
    time.sleep(pause)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _words(handle: int) -> str:
    return os.pread(handle, 200, 0).decode(errors="replace").strip()
