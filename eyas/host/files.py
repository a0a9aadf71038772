"""Plain files of the host. Everything is put in place by rename and synced, so that a power cut leaves old or new."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from eyas.core.errors import Failed
from eyas.core.system import Entry, FileStat
from eyas.host.disk import NEW, drop, explained, remove_tree, sync_folder, sync_tree, write_whole


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
            with explained("read", path):
                raise error
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
        with explained("measure", path):
            room = os.statvfs(self._at(path))
        return room.f_bavail * room.f_frsize

    def list(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._at(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def write(self, path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        where = self._at(path)
        with explained("write", path):
            self._parents(where)
            write_whole(where, data, mode, owner=(uid, gid))
            sync_folder(os.path.dirname(where))

    def symlink(self, target: str, path: str) -> None:
        where = self._at(path)
        with explained("link", path):
            self._parents(where)
            new = where + NEW
            drop(new)
            os.symlink(target, new)
            os.rename(new, where)
            sync_folder(os.path.dirname(where))

    def link(self, source: str, path: str) -> None:
        where = self._at(path)
        with explained("link", path):
            self._parents(where)
            new = where + NEW
            drop(new)
            os.link(self._at(source), new)
            os.rename(new, where)
            drop(new)  # two names of one file: the rename does nothing then (rename(2))
            sync_folder(os.path.dirname(where))

    def mkdir(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        where = self._at(path)
        with explained("make directory", path):
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
        with explained(f"move {old} to", new):
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
        with explained("remove", path):
            # What a write of it left that was cut off: whoever takes the write back removes what was to be there.
            half = where + NEW
            if os.path.lexists(half):
                drop(half)
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
        with explained("remove", path):
            if not os.path.lexists(where):
                return
            device = os.lstat(where).st_dev
            if any(os.lstat(folder).st_dev != device for folder, _, _ in os.walk(where)):
                raise Failed(f"cannot remove {path}: something is mounted below it", f"look at: findmnt -R {path}")
            remove_tree(where)
            sync_folder(os.path.dirname(where))

    def make_tree(self, path: str, entries: Sequence[Entry]) -> None:
        where = self._at(path)
        with explained("make", path):
            new = where + NEW
            if os.path.lexists(new):
                remove_tree(new)
            self._parents(where)
            os.mkdir(new, 0o755)
            # Links last, and each folder before what is in it: an entry is never written through a link.
            for entry in sorted(entries, key=lambda e: (e.type == "link", e.path)):
                _make(new, entry)
            sync_tree(new)
            if os.path.lexists(where):
                remove_tree(where)
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


def _move_across(source: str, target: str) -> None:
    """Move between file systems: a full copy first, then the old one goes."""
    import shutil

    new = target + NEW
    drop(new)
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
        remove_tree(source)
    else:
        os.unlink(source)


def _type(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"
