"""Mounts in a running container, made and taken away from outside.

machinectl(1) "bind" can neither take a bind away again nor work in a user namespace. So: the path of the host is
cloned into a mount that is nowhere yet, gets the container's range of ids and hears of what the host mounts below it
later (a slave, as systemd-nspawn's own; what the container mounts never gets out), and a child process that has
entered the container moves it into place. What is read-only is so for good, as what the container was started with.
Sources: open_tree(2), mount_setattr(2), move_mount(2), umount2(2),
mount_namespaces(7).

A bind that a container in a user namespace was *started* with is locked to what it is mounted on: even we cannot
unmount it. Two ways round this, both the kernel's own: a mount point that is replaced in another mount namespace loses
its mounts in all of them (mount_namespaces(7), since Linux 3.18), which works for a file and for an empty directory;
and what is below can be mounted over it.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.host.inside import Inside
from eyas.host.mountinfo import Mount, mounts
from eyas.host.namespaces import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    BENEATH,
    FROM_EMPTY_PATH,
    MOUNT_SETATTR,
    MOVE_MOUNT,
    OPEN_TREE,
    OPEN_TREE_CLONE,
    Place,
    call,
    check,
    libc,
)

_RDONLY, _IDMAP = 0x1, 0x100000  # attributes of a mount
_PRIVATE, _SLAVE = 1 << 18, 1 << 19
_DETACH, _NOFOLLOW = 2, 8  # of umount2


def bind(container: str, base: int, source: str, target: str, readonly: bool, instead: str = "") -> None:
    """`eyas.core.system.Containers.bind`."""
    what = f"cannot bind {source} to {target} in the running container {container}"
    with _told(what), Place(container, base) as place:
        wanted = replace(_source(source, base), readonly=readonly)
        known = {wanted.place}
        if instead:
            with suppress(FileNotFoundError):
                known.add(_source(instead, base).place)
        shown = os.open(wanted.point, os.O_PATH | os.O_CLOEXEC)
        try:
            tree = _clone(shown, place, readonly=readonly)
        finally:
            os.close(shown)
        try:
            folder = stat.S_ISDIR(os.fstat(tree).st_mode)
            made = place.inside(lambda tree: _put(place, tree, target, folder, wanted, known), tree, lock=readonly)
        finally:
            os.close(tree)
        if made:
            _note(container, {**_noted(container), target: made})


def unbind(container: str, base: int, source: str, target: str) -> None:
    """`eyas.core.system.Containers.unbind`."""
    what = f"cannot take the bind {target} out of the running container {container}"
    with _told(what), Place(container, base) as place:
        noted = _noted(container)
        known = set()
        with suppress(FileNotFoundError):
            known.add(_source(source, base).place)
        for where in place.inside(lambda _: _take(place, target, known, noted.get(target, []))):
            _overcome(place, where)
        if target in noted:
            _note(container, {path: made for path, made in noted.items() if path != target})


def _overcome(place: Place, where: str) -> None:
    """What is mounted at a path is locked: put something new in the place of its mount point, or cover it.

    What a container is started with stands on its root, which can be seen from here without mounts.
    """
    with Inside(paths.root(place.container), place.base) as inside:
        if inside.renew(where):
            return
        below = inside.open(where)
    try:
        cover = _clone(below, place, private=True)
    finally:
        os.close(below)
    try:
        place.inside(lambda tree: _move(tree, where), cover)
    finally:
        os.close(cover)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(
            f"{what}: {error.strerror or error}", "restart the container, and it comes up as declared"
        ) from None


# ---- outside


def _source(path: str, base: int) -> Mount:
    """The mount that a path of the host would be."""
    real = os.path.realpath(path)
    fd = os.open(real, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            number = next(int(line.split()[1]) for line in file if line.startswith("mnt_id:"))
    finally:
        os.close(fd)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        table = mounts(file.read())
    below = next((mount.point for mount in table if mount.point.startswith(real.rstrip("/") + "/")), "")
    if below and base:  # systemd-nspawn fails then, with less to go by; and it would at the next start
        raise OSError(errno.EBUSY, f"{below} is mounted below it; bind that by itself")
    mount = next(mount for mount in table if mount.id == number)
    rest = real if mount.point == "/" else real[len(mount.point) :]
    return replace(mount, root=(mount.root.rstrip("/") + rest).rstrip("/") or "/", point=real)


def _clone(path: int, place: Place, *, readonly: bool = False, private: bool = False) -> int:
    """A mount, that is nowhere yet, of what a descriptor stands for. ``private``: as it is, without any relation."""
    mapped = place.base and not private
    recursive = 0 if mapped or private else AT_RECURSIVE
    fd = call(OPEN_TREE, path, b"", AT_EMPTY_PATH | OPEN_TREE_CLONE | os.O_CLOEXEC | recursive)
    attributes = (_RDONLY if readonly else 0) | (_IDMAP if mapped else 0)
    wanted = struct.pack("=QQQQ", attributes, 0, _PRIVATE if private else _SLAVE, place.users if mapped else 0)
    try:
        call(MOUNT_SETATTR, fd, b"", AT_EMPTY_PATH | recursive, wanted, len(wanted))
    except OSError:
        os.close(fd)
        raise
    return fd


def _noted(container: str) -> dict[str, list[str]]:
    """Target of a bind to what was made in the container for it, the deepest last."""
    with suppress(FileNotFoundError, ValueError), open(paths.made(container), encoding="utf-8") as file:
        found = json.load(file)
        assert isinstance(found, dict)
        return found
    return {}


def _note(container: str, made: Mapping[str, Sequence[str]]) -> None:
    from eyas.host.files import RealFiles

    RealFiles().write(paths.made(container), json.dumps(made).encode())


# ---- inside: in the child, with the container's paths. Nothing may be imported here: it would be the container's.


def _put(place: Place, tree: int, target: str, folder: bool, wanted: Mount, known: set[tuple[str, str]]) -> list[str]:
    """Let a mount be what is seen at a path, instead of the one of the ``known`` ones that is there; what had to be
    made for it."""
    where = os.path.realpath(target)
    made = _make(where, folder)
    # What a death in the middle left stacked; of two, the upper one goes.
    while len(ours := [m for m in _stack(place, where) if m.place in known]) > 1:
        if not _unmount(where):
            break
    if ours and (ours[0].place, ours[0].readonly) == (wanted.place, wanted.readonly):
        return made
    if not ours or ours[0] != _stack(place, where)[0]:  # nothing yet, or what the container mounted over it
        _move(tree, where)
        return made
    try:
        _move(tree, where, BENEATH)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # An old kernel; or the mount is locked: then it stays, and the new one hides it.
        _unmount(where)
        _move(tree, where)
    else:
        _unmount(where)
    return made


def _take(place: Place, target: str, known: set[tuple[str, str]], made: Sequence[str]) -> list[str]:
    """Take away what was bound at a path from outside, with all that is mounted on it. Returned is where something
    could not be."""
    where = os.path.realpath(target)
    while any(mount.slave or mount.place in known for mount in _stack(place, where)):
        if not _unmount(where):
            return [where]
    for path in reversed(made):
        with suppress(OSError):
            if stat.S_ISDIR(os.lstat(path).st_mode):
                os.rmdir(path)
            elif not os.lstat(path).st_size:
                os.unlink(path)
    return []


def _stack(place: Place, where: str) -> list[Mount]:
    """What is mounted at a path, the topmost first, down to where we have covered what is below."""
    table = place.table()
    root = next(mount for mount in table if mount.point == "/")
    here = {mount.id: mount for mount in table if mount.point == where}
    found: list[Mount] = []
    covered = {mount.parent for mount in here.values()}
    top = next((mount for mount in here.values() if mount.id not in covered), None)
    while top is not None and top.place != (root.device, where):
        found.append(top)
        top = here.get(top.parent)
    return found


def _make(where: str, folder: bool) -> list[str]:
    """Make what a bind is mounted on, with all folders above it; what was not there."""
    made: list[str] = []
    path = where
    while not os.path.lexists(path):
        made.insert(0, path)
        path = os.path.dirname(path)
    for path in made:
        if path == where and not folder:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        else:
            os.mkdir(path, 0o755)
    return made


def _move(tree: int, where: str, flags: int = 0) -> None:
    call(MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(where), FROM_EMPTY_PATH | flags)


def _unmount(where: str) -> bool:
    """Detach the topmost mount; open files keep it until they are closed. False when it is locked."""
    try:
        check(libc.umount2(os.fsencode(where), _DETACH | _NOFOLLOW))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True
