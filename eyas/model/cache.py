"""The evaluation cache: what a load of the definitions read, and whether that is still what is there.

Standard library only, and little of it: this is the way by which a command that has nothing to do gets done without
evaluating anything. A cache file is one line of JSON (key, dependencies, checksum), then what was kept.

What is noticed: every file that the definitions open, every directory that they list, also below other places than
the fleet directory; environment variables that start with ``EYAS_``; the version of Python; eyas itself. What is not:
other environment variables, the clock, the existence of files that are never opened. Definitions must not depend on
these.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  (pathlib is slow to load)
STDLIB = os.path.dirname(os.__file__)  # noqa: PTH120
IGNORED = ("/dev/", "/proc/", "/sys/")
UNLISTED = frozenset({".eyas", ".git", "__pycache__"})
"""Names that do not count in the listing of a directory: eyas and Python write there themselves."""

RACY = 20_000_000
"""Nanoseconds: a file changed this shortly before it was recorded could change again without its time telling."""

Dependency = tuple[str, str, int, int, int, str]
"""path, kind (file, directory), mtime_ns, size, inode, SHA-256 ('' for what was not there)."""


class Recorder:
    """Notes what is read while it is active (``with Recorder() as seen``); ask ``dependencies()`` afterwards.

    Python tells through audit events (``sys.addaudithook``), which cannot be taken back: the hook is installed once and
    stays, idle when no recorder is active.
    """

    def __init__(self, root: str = "") -> None:
        self.root = root  # below this, everything counts, wherever Python keeps its own
        self.seen: dict[tuple[str, str], tuple[int, int, int]] = {}

    def __enter__(self) -> Recorder:
        global _active
        _install()
        self._before, _active = _active, self
        if self.root:
            self.note(self.root, "directory")  # a file that appears can change what a definition means
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        global _active
        _active = self._before

    def note(self, path: str, kind: str) -> None:
        path = os.path.abspath(path)  # noqa: PTH100
        if (path, kind) not in self.seen and self._counts(path):
            self.seen[path, kind] = _stat(path)

    def _counts(self, path: str) -> bool:
        if path.endswith(".pyc") or path.startswith(IGNORED):
            return False
        if self.root and (path == self.root or path.startswith(self.root + os.sep)):
            return f"{os.sep}.eyas{os.sep}" not in path
        return not (
            path.startswith((PACKAGE + os.sep, STDLIB + os.sep, sys.prefix + os.sep, sys.base_prefix + "/lib/python"))
            or path in (PACKAGE, STDLIB, sys.prefix)
            or "/site-packages" in path
            or "/dist-packages" in path
            or ".egg-info/" in path
            or path in sys.path  # listed by the import of anything
        )

    def dependencies(self) -> list[Dependency]:
        """Everything noted, with its digest. What changed since it was read never counts as fresh."""
        now = time.time_ns()
        found: list[Dependency] = []
        for (path, kind), before in sorted(self.seen.items()):
            digest = _digest(path, kind)
            after = _stat(path)
            if after != before:
                digest = "changed while it was read"
            if after != before or now - after[0] < RACY:
                after = (-1, 0, 0)
            found.append((path, kind, *after, digest))
        return found


_active: Recorder | None = None
_installed = False


def _install() -> None:
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _active is None:
        return
    if event == "open":
        path, mode, flags = args
        writes = any(c in mode for c in "wax+") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))
        if not writes and isinstance(path, str | bytes | os.PathLike):
            _active.note(os.fsdecode(path), "file")
    elif event in ("os.listdir", "os.scandir") and not isinstance(args[0], int):
        _active.note(os.fsdecode(args[0] or "."), "directory")


def _stat(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _digest(path: str, kind: str) -> str:
    from hashlib import sha256  # only when a time differs

    before, recorder = _pause()
    try:
        if kind == "directory":
            return sha256("\0".join(sorted(set(os.listdir(path)) - UNLISTED)).encode()).hexdigest()  # noqa: PTH208
        with open(path, "rb") as file:  # noqa: PTH123
            return sha256(file.read()).hexdigest()
    except OSError:
        return ""
    finally:
        before(recorder)


def _pause() -> tuple[Any, Recorder | None]:
    global _active
    recorder, _active = _active, None

    def resume(again: Recorder | None) -> None:
        global _active
        _active = again

    return resume, recorder


def fresh(dependencies: list[Dependency]) -> bool:
    """Whether all of these are as they were: by their times, or by their content where the times differ."""
    return _look(dependencies) is not None


def _look(dependencies: list[Dependency]) -> list[Dependency] | None:
    """The same with the times of today, None when the content of one differs."""
    now = 0
    today: list[Dependency] = []
    for dependency in dependencies:
        path, kind, mtime, size, inode, digest = dependency
        found = _stat(path)
        if found != (mtime, size, inode):
            if _digest(path, kind) != digest:
                return None
            now = now or time.time_ns()
            if now - found[0] > RACY:
                dependency = (path, kind, *found, digest)
        today.append(dependency)
    return today


def program_key() -> str:
    """What evaluation depends on besides the definitions: Python, eyas itself, EYAS_* of the environment."""
    check = 0
    for line in _program():
        check = zlib.crc32(line.encode(), check)
    environment = "\0".join(f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("EYAS_"))
    return f"{sys.version_info[:3]} {check:08x} {zlib.crc32(environment.encode()):08x}"


def _program() -> list[str]:
    """Name, time and size of every file of the package."""
    lines: list[str] = []
    folders = [PACKAGE]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name == "__pycache__":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found = entry.stat()
                    lines.append(f"{entry.path} {found.st_mtime_ns} {found.st_size}")
    return sorted(lines)


def load_cached(path: str | os.PathLike[str], key: str) -> bytes | None:
    """What was kept in this file under this key, if all that it was made from is as it was; else None.

    Where only times have changed (a checkout, an editor that saved without a change), the new ones are kept, so that
    contents need not be read again.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = json.loads(file.readline())
            before = [tuple(dependency) for dependency in head["dependencies"]]
            today = _look(before) if head["key"] == key else None
            if today is None:
                return None
            kept = file.read()
        if zlib.crc32(kept) != head["crc"]:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if today != before:
        store(path, key, today, kept)
    return kept


def store(path: str | os.PathLike[str], key: str, dependencies: list[Dependency], kept: bytes) -> None:
    """Keep the outcome of an evaluation; for the owner alone, since definitions can hold secrets.

    A cache that cannot be written is no error: the next command evaluates again.
    """
    name = os.fspath(path)
    head = json.dumps({"key": key, "dependencies": dependencies, "crc": zlib.crc32(kept)}).encode()
    from eyas.host.disk import write_whole

    try:
        os.makedirs(os.path.dirname(name), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        write_whole(name, head + b"\n" + kept, 0o600, sync=False, shared=True)
    except OSError:
        return
