"""Files below the root of a running container, which its own root may rearrange while we write.

Every path is walked one name at a time from a descriptor of the root, and links are followed by us, within it: a
link that the container points at the host's /etc leads to the container's /etc. Nothing here trusts a path twice.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from eyas.core.system import Entry

MOST_LINKS = 40  # as the kernel (path_resolution(7))
NEW = ".eyas-new"


class Inside:
    """A root and what is below it. ``base`` is added to every owner that is written (user_namespaces(7))."""

    def __init__(self, root: str, base: int = 0) -> None:
        self._fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._base = base

    def __enter__(self) -> Inside:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def get(self, path: str) -> Entry | None:
        """What stands at a path (a last link is not followed), None when nothing, or nothing that can be copied."""
        try:
            with self._folder(path, make=False) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                uid, gid, mode = found.st_uid - self._base, found.st_gid - self._base, stat.S_IMODE(found.st_mode)
                if stat.S_ISLNK(found.st_mode):
                    return Entry(path, "link", mode, uid, gid, target=os.readlink(name, dir_fd=folder))
                if stat.S_ISDIR(found.st_mode):
                    return Entry(path, "dir", mode, uid, gid)
                if not stat.S_ISREG(found.st_mode):
                    return None
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                with os.fdopen(fd, "rb") as file:
                    return Entry(path, "file", mode, uid, gid, data=file.read())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, entry: Entry) -> None:
        """Make a file, link or directory. A file is replaced by rename, so a reader sees the old or the new one."""
        with self._folder(entry.path, make=True) as (folder, name):
            if entry.type == "dir":
                self._directory(folder, name, entry)
                return
            new = name[:200] + NEW
            _unlink(new, folder)
            if entry.type == "link":
                os.symlink(entry.target, new, dir_fd=folder)
                self._own(new, folder, entry.uid, entry.gid)
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                fd = os.open(new, flags, 0o600, dir_fd=folder)
                with os.fdopen(fd, "wb") as file:
                    file.write(entry.data)
                    file.flush()
                    os.fchown(fd, self._base + entry.uid, self._base + entry.gid)
                    os.fchmod(fd, entry.mode)
            os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)

    def drop(self, path: str) -> None:
        """Remove a file, a link, or a directory that is empty; a directory that is not stays."""
        try:
            with self._folder(path, make=False) as (folder, name):
                if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    os.rmdir(name, dir_fd=folder)
                else:
                    os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
                raise

    def renew(self, path: str) -> bool:
        """Put a new file or directory, as the old one, in its place; False for a directory that is not empty."""
        with self._folder(path, make=False) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                new = name[:200] + NEW
                owner = found.st_uid - self._base, found.st_gid - self._base
                self._directory(folder, new, Entry(path, "dir", stat.S_IMODE(found.st_mode), *owner))
                try:
                    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
                except OSError as error:
                    os.rmdir(new, dir_fd=folder)
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
                    return False
                return True
        entry = self.get(path)
        if entry is None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        self.put(entry)
        return True

    def open(self, path: str) -> int:
        """A descriptor of what stands at a path, not opened for anything (O_PATH); a last link is not followed."""
        with self._folder(path, make=False) as (folder, name):
            return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)

    def _directory(self, folder: int, name: str, entry: Entry) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise
        self._own(name, folder, entry.uid, entry.gid)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fchmod(fd, entry.mode)
        finally:
            os.close(fd)

    def _own(self, name: str, folder: int, uid: int, gid: int) -> None:
        os.chown(name, self._base + uid, self._base + gid, dir_fd=folder, follow_symlinks=False)

    @contextmanager
    def _folder(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """Descriptor of the directory that holds a path, and the path's last name."""
        todo = [part for part in path.split("/") if part not in ("", ".")]
        if not todo or todo[-1] == "..":
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        last = todo.pop()
        opened: list[int] = []  # the way down; ".." goes back along it, and never above the root
        links = 0
        try:
            while todo:
                part = todo.pop(0)
                here = opened[-1] if opened else self._fd
                if part == "..":
                    if opened:
                        os.close(opened.pop())
                    continue
                target = self._link(part, here)
                if target is not None:
                    links += 1
                    if links > MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                    if target.startswith("/"):
                        while opened:
                            os.close(opened.pop())
                    todo[:0] = [word for word in target.split("/") if word not in ("", ".")]
                    continue
                opened.append(self._enter(part, here, make))
            yield (opened[-1] if opened else self._fd), last
        finally:
            for fd in opened:
                os.close(fd)

    def _enter(self, name: str, folder: int, make: bool) -> int:
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
        os.mkdir(name, 0o755, dir_fd=folder)
        self._own(name, folder, 0, 0)
        return os.open(name, flags, dir_fd=folder)

    @staticmethod
    def _link(name: str, folder: int) -> str | None:
        try:
            return os.readlink(name, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return None
            raise


def _unlink(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
