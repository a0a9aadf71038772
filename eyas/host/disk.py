"""The one way to write a file so that a crash leaves the old or the new one, and to tell what a disk refuses.

Everything else is built on it: files of a host, journals, caches, records of builds. Standard library, and little of
that: some of who needs it is on the way of every command.
"""

from __future__ import annotations

import errno
import os
from types import TracebackType

NEW = ".eyas-new"  # the end of a name that is not finished yet; a leftover of a crash is overwritten by the next try

Place = str | os.PathLike[str]

_HINTS = {
    errno.ENOSPC: "make room on the disk and try again",
    errno.EDQUOT: "make room on the disk and try again",
    errno.EROFS: "the file system is mounted read-only: dmesg may say why",
    errno.EIO: "dmesg may say why",
    errno.EACCES: "run it as root",
    errno.EPERM: "run it as root",
}


def write_whole(
    path: Place,
    content: str | bytes,
    mode: int = 0o644,
    *,
    owner: tuple[int, int] | None = None,
    sync: bool = True,
    shared: bool = False,
) -> None:
    """Write a file whole or not at all: under another name, synced, renamed. That it is the new one also after a power
    cut, `sync_folder` makes sure; without ``sync`` it may then be empty, which does for what is for this boot or can be
    made again. Its folder is made, when there is none. ``owner``: user and group, else those of the process.
    ``shared``: other processes may write it at the same time. OSError when it cannot be written; nothing of the try is
    left then.
    """
    where = os.fspath(path)
    new = f"{where}.{os.getpid()}{NEW}" if shared else where + NEW
    handle = _fresh(new)
    try:
        with open(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if owner is not None:
                os.fchown(handle, *owner)
            os.fchmod(handle, mode)
            if sync:
                os.fsync(handle)
        os.rename(new, where)
    except BaseException:
        drop(new)
        raise


def _fresh(path: str) -> int:
    """A new file to write to; what stood there, and no folder for it, are no obstacles."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        drop(path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, flags, 0o600)


def sync_folder(folder: Place) -> None:
    """Make names in a folder last (rename and unlink are of the folder, not of the file: fsync(2))."""
    _sync(os.fspath(folder) or "/", os.O_DIRECTORY)


def sync_tree(root: Place) -> None:
    """Sync all files and folders of a tree. After the first one the journal of the file system has the names of all,
    so this costs little more than the data."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                _sync(path)
        sync_folder(folder)


def _sync(path: str, flags: int = 0) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def drop(path: Place) -> None:
    """Remove what stands there, whatever it is; nothing may."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        remove_tree(path)


def remove_tree(path: Place) -> None:
    """Remove a folder and all in it."""
    import shutil  # with all its archive formats: an observation does without

    shutil.rmtree(path)


class explained:  # noqa: N801 (it is used as a statement)
    """What the disk refuses within the block, as a Failed that says so: "cannot VERB WHAT: why", with a hint."""

    def __init__(self, verb: str, what: str) -> None:
        self._verb = verb
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            from eyas.core.errors import Failed

            why = error.strerror or str(error)
            raise Failed(f"cannot {self._verb} {self._what}: {why}", _HINTS.get(error.errno or 0, "")) from None
