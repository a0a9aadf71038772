"""A look at the writable layer of a container: what is in it that the layers below do not have.

The container's own root may rearrange the folders while we look, so they are entered by descriptors, one name at a
time, and no link of its making is followed. Source: the kernel's documentation of overlayfs (whiteouts are devices 0:0,
a folder with ``trusted.overlay.opaque`` hides what is below it).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from eyas.core.written import EMPTY, ENDPOINTS, HOMES, Listing, Noise, Written

MANY = 10  # files of one folder that are listed one by one; more of them are one line
MOST = 400  # lines of a listing: who wrote more than that needs no list to know it
COMPARE = 8 << 20  # bytes; larger files of one size are compared by their times alone
FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class Sum:
    """What is in a folder: files, bytes, the newest time."""

    count: int = 0
    size: int = 0
    at: float = 0.0

    def add(self, seen: os.stat_result) -> None:
        self.count += 1
        self.size += seen.st_size if stat.S_ISREG(seen.st_mode) else 0
        self.at = max(self.at, seen.st_mtime)


@dataclass
class Walk:
    """One look. ``lowers`` are the layers below, the topmost first; ``skip`` are paths that the host made for the
    container (mount points). With ``everything``, noise is listed too."""

    upper: str
    lowers: Sequence[str]
    noise: Noise
    skip: frozenset[str] = frozenset()
    everything: bool = False
    found: list[Written] = field(default_factory=list)
    sums: dict[str, Sum] = field(default_factory=dict)

    def listing(self) -> Listing:
        root = os.open(self.upper, FLAGS)
        try:
            self._merged(root, "", self.lowers)
        finally:
            os.close(root)
        items = sorted(self.found, key=lambda item: -item.size)[:MOST]
        noise = {rule: (sum_.count, sum_.size) for rule, sum_ in sorted(self.sums.items())}
        return Listing(sorted(items, key=lambda item: item.path), noise, len(self.found) - len(items))

    # Folders that a layer has too

    def _merged(self, fd: int, path: str, lowers: Sequence[str]) -> None:
        """A folder of the layers, or one that is only a shelf for things of their own."""
        here: list[Written] = []
        for name, seen in _entries(fd):
            full = f"{path}/{name}"
            if full in self.skip:
                continue
            below = _lower(lowers, full)
            if stat.S_ISDIR(seen.st_mode):
                self._folder(fd, name, full, seen, lowers, below)
                continue
            item = self._file(fd, name, full, seen, below)
            if item is not None and not self._noise(item, seen):
                here.append(item)
        self.found += folded(path, here)

    def _folder(
        self, fd: int, name: str, full: str, seen: os.stat_result, lowers: Sequence[str],
        below: tuple[str, os.stat_result] | None,
    ) -> None:  # fmt: skip
        with _opened(name, fd) as inner:
            if inner is None:
                return
            rule = self.noise.tree(full)
            if rule:
                self._tree(inner, full, rule)
            elif below is None:
                if full in HOMES or any(path.startswith(f"{full}/") for path in self.skip):
                    self._merged(inner, full, ())
                else:
                    self._whole(inner, full, "new", seen)
            elif not stat.S_ISDIR(below[1].st_mode) or _opaque(inner):
                self._whole(inner, full, "replaced", seen)
            else:
                if _manners(seen) != _manners(below[1]):
                    self.found.append(_item(full, "changed", seen, Sum(0, 0, seen.st_ctime)))
                self._merged(inner, full, [low for low in lowers if os.path.isdir(low + full)])

    def _file(
        self, fd: int, name: str, full: str, seen: os.stat_result, below: tuple[str, os.stat_result] | None
    ) -> Written | None:
        """What is to be said of a file, link or whiteout; None when nothing is."""
        if stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0:
            return Written(full, "deleted", _type(below[1]), 0, 1, seen.st_ctime) if below else None
        if below is not None and self._same(fd, name, seen, *below):
            return None
        one = Sum()
        one.add(seen)
        return _item(full, "new" if below is None else "changed", seen, one)

    @staticmethod
    def _same(fd: int, name: str, seen: os.stat_result, path: str, below: os.stat_result) -> bool:
        """Whether a file is as in the layer below: copied up, or written there by an apply."""
        if stat.S_IFMT(seen.st_mode) != stat.S_IFMT(below.st_mode):
            return False
        try:
            if stat.S_ISLNK(seen.st_mode):
                return os.readlink(name, dir_fd=fd) == os.readlink(path)
            if _manners(seen) != _manners(below) or seen.st_size != below.st_size:
                return False
            if seen.st_mtime_ns == below.st_mtime_ns or seen.st_size > COMPARE:
                return seen.st_mtime_ns == below.st_mtime_ns
            mine = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
            with os.fdopen(mine, "rb") as one, open(path, "rb") as two:
                return one.read() == two.read()
        except OSError:  # it has gone, or changed its type, since we saw it
            return False

    # Folders that are the container's alone

    def _whole(self, fd: int, path: str, what: str, seen: os.stat_result) -> None:
        """A folder that no layer has: one line, whatever is in it, but for the noise in it."""
        sum_ = Sum()
        noisy = self._add(fd, path, sum_)
        if sum_.count:
            self.found.append(_item(path, what, seen, sum_))
        elif not noisy:
            self._count(EMPTY, _item(path, what, seen, Sum(0, 0, seen.st_mtime)), Sum())

    def _add(self, fd: int, path: str, sum_: Sum) -> bool:
        """Add up what is in a folder; whether there was noise in it."""
        noisy = False
        for name, seen in _entries(fd):
            full = f"{path}/{name}"
            if stat.S_ISDIR(seen.st_mode):
                with _opened(name, fd) as inner:
                    rule = self.noise.tree(full) if inner is not None else ""
                    if inner is not None and rule:
                        self._tree(inner, full, rule)
                        noisy = True
                    elif inner is not None:
                        noisy |= self._add(inner, full, sum_)
                continue
            rule = self._rule(full, seen)
            if rule:
                noisy = True
                one = Sum()
                one.add(seen)
                self._count(rule, _item(full, "new", seen, one), one)
            else:
                sum_.add(seen)
        return noisy

    # Noise

    def _rule(self, path: str, seen: os.stat_result) -> str:
        if stat.S_ISSOCK(seen.st_mode) or stat.S_ISFIFO(seen.st_mode):
            return ENDPOINTS
        return self.noise.rule(path)

    def _noise(self, item: Written, seen: os.stat_result) -> bool:
        rule = self._rule(item.path, seen)
        if rule:
            self._count(rule, item, Sum(item.count, item.size, item.at))
        return bool(rule)

    def _tree(self, fd: int, path: str, rule: str) -> None:
        """A folder that is noise with all below it."""
        sum_ = Sum()
        _sum(fd, sum_)
        if sum_.count:
            self._count(rule, _item(path, "new", os.fstat(fd), sum_), sum_)

    def _count(self, rule: str, item: Written, more: Sum) -> None:
        sum_ = self.sums.setdefault(rule, Sum())
        sum_.count += more.count
        sum_.size += more.size
        if self.everything:
            self.found.append(replace(item, rule=rule))


def folded(folder: str, items: list[Written], many: int = MANY) -> list[Written]:
    """The files of one folder: one by one, or those of a kind as one line when they are many."""
    lines: list[Written] = []
    for what in ("new", "changed", "deleted"):
        some = [item for item in items if item.what == what]
        if len(some) <= many:
            lines += some
            continue
        owners = {(item.uid, item.gid) for item in some}
        uid, gid = owners.pop() if len(owners) == 1 else (-1, -1)
        lines.append(
            Written(
                f"{folder}/*", what, "file", sum(i.size for i in some), len(some), max(i.at for i in some), uid, gid
            )
        )
    return lines


def weigh(root: int, path: str) -> int | None:
    """Bytes below a folder, given by a descriptor of its root and its path; None when there is no such folder. A link
    on the way is none either: it could lead anywhere."""
    fd = os.dup(root)
    try:
        for name in path.split("/"):
            if name:
                inner = os.open(name, FLAGS, dir_fd=fd)
                os.close(fd)
                fd = inner
        sum_ = Sum()
        _sum(fd, sum_, blocks=True)
    except OSError:
        return None
    finally:
        os.close(fd)
    return sum_.size


def _sum(fd: int, sum_: Sum, *, blocks: bool = False) -> None:
    for name, seen in _entries(fd):
        if stat.S_ISDIR(seen.st_mode):
            sum_.size += 4096 if blocks else 0
            with _opened(name, fd) as inner:
                if inner is not None:
                    _sum(inner, sum_, blocks=blocks)
            continue
        sum_.add(seen)
        if blocks and stat.S_ISREG(seen.st_mode):
            sum_.size += -seen.st_size % 4096


def _entries(fd: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(fd) as listing:
        for entry in listing:
            try:
                yield entry.name, entry.stat(follow_symlinks=False)
            except OSError:  # gone since it was listed
                continue


@contextmanager
def _opened(name: str, folder: int) -> Iterator[int | None]:
    """A folder's descriptor; None when it is none any more."""
    try:
        fd = os.open(name, FLAGS, dir_fd=folder)
    except OSError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _lower(lowers: Sequence[str], path: str) -> tuple[str, os.stat_result] | None:
    """What the layers have at a path, the topmost that has anything."""
    for lower in lowers:
        try:
            return lower + path, os.lstat(lower + path)
        except OSError:
            continue
    return None


def _opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


def _manners(seen: os.stat_result) -> tuple[int, int, int]:
    return stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid


def _type(seen: os.stat_result) -> str:
    mode = seen.st_mode
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "dir"), (stat.S_ISLNK, "link"))
    return next((word for test, word in kinds if test(mode)), "other")


def _item(path: str, what: str, seen: os.stat_result, sum_: Sum) -> Written:
    mode = stat.S_IMODE(seen.st_mode)
    return Written(path, what, _type(seen), sum_.size, sum_.count, sum_.at, seen.st_uid, seen.st_gid, mode)
