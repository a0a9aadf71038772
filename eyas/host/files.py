"""Plain files of the host. Everything is put in place by rename and synced, so that a power cut leaves old or new."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from eyas.core.errors import Failed
from eyas.core.system import Entry, FileStat

NEW = ".eyas-new"  # the end of a name that is not finished yet; a leftover of a crash is overwritten by the next try


class RealFiles:
    """`eyas.core.system.Files` below a folder (tests give one; on a host it is the root directory)."""

    def __init__(self, root: str = "") -> None:
        self._root = root.rstrip("/")

    def _at(self, path: str) -> str:
        return self._root + path

    def read(self, path: str) -> bytes | None:
        try:
            fd = os.open(self._at(path), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _cannot("read", path, error) from None
        with os.fdopen(fd, "rb") as file:
            try:
                return file.read()
            except IsADirectoryError:
                return None

    def stat(self, path: str) -> FileStat | None:
        try:
            found = os.lstat(self._at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileStat(_type(found.st_mode), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_size)

    def readlink(self, path: str) -> str | None:
        try:
            return os.readlink(self._at(path))
        except OSError:
            return None

    def free(self, path: str) -> int:
        with _explained("measure", path):
            room = os.statvfs(self._at(path))
        return room.f_bavail * room.f_frsize

    def list(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._at(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def write(self, path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        where = self._at(path)
        with _explained("write", path):
            self._parents(where)
            new = where + NEW
            _drop(new)
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchown(fd, uid, gid)
                os.fchmod(fd, mode)
                os.fsync(fd)
            os.rename(new, where)
            sync_folder(os.path.dirname(where))

    def symlink(self, target: str, path: str) -> None:
        where = self._at(path)
        with _explained("link", path):
            self._parents(where)
            new = where + NEW
            _drop(new)
            os.symlink(target, new)
            os.rename(new, where)
            sync_folder(os.path.dirname(where))

    def mkdir(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        where = self._at(path)
        with _explained("make directory", path):
            self._parents(where)
            made = not os.path.isdir(where)
            if made:
                os.mkdir(where, 0o700)
            found = os.stat(where)
            if (found.st_uid, found.st_gid) != (uid, gid):
                os.chown(where, uid, gid)
            if stat.S_IMODE(found.st_mode) != mode:
                os.chmod(where, mode)
            if made:
                sync_folder(os.path.dirname(where))

    def rename(self, old: str, new: str) -> None:
        source, target = self._at(old), self._at(new)
        with _explained(f"move {old} to", new):
            self._parents(target)
            try:
                os.rename(source, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _move_across(source, target)
            sync_folder(os.path.dirname(source))
            sync_folder(os.path.dirname(target))

    def remove(self, path: str) -> None:
        where = self._at(path)
        with _explained("remove", path):
            try:
                if stat.S_ISDIR(os.lstat(where).st_mode):
                    os.rmdir(where)
                else:
                    os.unlink(where)
            except (FileNotFoundError, NotADirectoryError):
                return
            sync_folder(os.path.dirname(where))

    def remove_tree(self, path: str) -> None:
        where = self._at(path)
        with _explained("remove", path):
            if not os.path.lexists(where):
                return
            device = os.lstat(where).st_dev
            if any(os.lstat(folder).st_dev != device for folder, _, _ in os.walk(where)):
                raise Failed(f"cannot remove {path}: something is mounted below it", f"look at: findmnt -R {path}")
            _remove_tree(where)
            sync_folder(os.path.dirname(where))

    def make_tree(self, path: str, entries: Sequence[Entry]) -> None:
        where = self._at(path)
        with _explained("make", path):
            new = where + NEW
            if os.path.lexists(new):
                _remove_tree(new)
            self._parents(where)
            os.mkdir(new, 0o755)
            # Links last, and each folder before what is in it: an entry is never written through a link.
            for entry in sorted(entries, key=lambda e: (e.type == "link", e.path)):
                _make(new, entry)
            sync_tree(new)
            if os.path.lexists(where):
                _remove_tree(where)
            os.rename(new, where)
            sync_folder(os.path.dirname(where))

    def _parents(self, where: str) -> None:
        folder = os.path.dirname(where)
        if not os.path.isdir(folder):
            missing = []
            while not os.path.isdir(folder):
                missing.append(folder)
                folder = os.path.dirname(folder)
            for one in reversed(missing):
                os.mkdir(one, 0o755)
                sync_folder(os.path.dirname(one))


def _make(root: str, entry: Entry) -> None:
    where = root + entry.path
    os.makedirs(os.path.dirname(where), mode=0o755, exist_ok=True)
    if entry.type == "link":
        os.symlink(entry.target, where)
        os.lchown(where, entry.uid, entry.gid)
        return
    if entry.type == "dir":
        if not os.path.isdir(where):
            os.mkdir(where)
    else:
        with open(where, "xb") as file:
            file.write(entry.data)
    os.chown(where, entry.uid, entry.gid)
    os.chmod(where, entry.mode)


def sync_folder(folder: str) -> None:
    """Make names in a folder last (rename and unlink are of the folder, not of the file)."""
    fd = os.open(folder or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_tree(root: str) -> None:
    """Sync all files and folders of a tree. After the first one the journal of the file system has the names of all,
    so this costs little more than the data."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                continue
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        sync_folder(folder)


def _move_across(source: str, target: str) -> None:
    """Move between file systems: a full copy first, then the old one goes."""
    import shutil

    new = target + NEW
    _drop(new)
    if os.path.isdir(source) and not os.path.islink(source):
        shutil.copytree(source, new, symlinks=True)
        for folder, folders, names in os.walk(source):
            for name in (".", *folders, *names):
                old = os.path.join(folder, name)
                copy = new + old[len(source) :]
                found = os.lstat(old)
                os.chown(copy, found.st_uid, found.st_gid, follow_symlinks=False)
        sync_tree(new)
    else:
        shutil.copy2(source, new, follow_symlinks=False)
        found = os.lstat(source)
        os.chown(new, found.st_uid, found.st_gid, follow_symlinks=False)
        if not os.path.islink(new):
            os.chmod(new, stat.S_IMODE(found.st_mode))
            fd = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
            os.fsync(fd)
            os.close(fd)
    os.rename(new, target)
    sync_folder(os.path.dirname(target))
    if os.path.isdir(source) and not os.path.islink(source):
        _remove_tree(source)
    else:
        os.unlink(source)


def _remove_tree(path: str) -> None:
    import shutil  # with all its archive formats: an observation does without

    shutil.rmtree(path)


def _drop(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        _remove_tree(path)


def _type(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"


@contextmanager
def _explained(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _cannot(verb, path, error) from None


def _cannot(verb: str, path: str, error: OSError) -> Failed:
    hints = {
        errno.ENOSPC: "make room on the disk and try again",
        errno.EROFS: "the file system is mounted read-only: dmesg may say why",
        errno.EACCES: "run it as root",
        errno.EPERM: "run it as root",
    }
    return Failed(f"cannot {verb} {path}: {error.strerror or error}", hints.get(error.errno or 0, ""))
