"""One run at a time on a host. The lock ends with its process, however that ends (flock(2))."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyas.core import paths
from eyas.core.errors import Failed


@contextmanager
def locked(who: str = "", path: str = paths.LOCK) -> Iterator[None]:
    """Hold the host's lock. Failed when another process holds it, with its words about itself."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode(errors="replace").strip()
            raise Failed(
                f"cannot begin a run: another one is under way{f' ({holder})' if holder else ''}",
                "wait for its end; eyas history shows it",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{who or 'somebody'}, process {os.getpid()}".encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)
