"""Files that are there in full or not at all, and locks that end with their holder."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NEW = ".new"
"""Where names of files end that are being written."""


def sync(path: Path) -> None:
    """What is in a file or directory is on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def put(path: Path, text: str) -> None:
    """A file with this text, by rename."""
    new = path.with_name(f".{path.name}.{os.getpid()}{NEW}")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync(path.parent)


def put_json(path: Path, value: Any) -> None:
    put(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def get_json(path: Path) -> dict[str, Any] | None:
    """What a file says; None when it is not there (any more)."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def copy(source: Path, to: Path) -> None:
    """A copy of a file, by rename. The data is shared where the file system can."""
    new = to.with_name(f".{to.name}.{os.getpid()}{NEW}")
    shutil.copyfile(source, new)
    sync(new)
    new.rename(to)


def point(link: Path, target: str) -> None:
    """A symbolic link that leads there from now on, by rename."""
    if link.is_symlink() and str(link.readlink()) == target:
        return
    new = link.with_name(f".{link.name}.{os.getpid()}{NEW}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(link)
    sync(link.parent)


def drop(path: Path) -> None:
    """Remove a file or a tree; not there is well."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Remove what a killed writer left. Only where no other writer is at work."""
    for path in directory.glob(f".*{NEW}"):
        drop(path)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock; it ends with the process. False: somebody else holds it (never, with ``wait``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)
