"""Deeds in the mounts of a running container: a child process that enters its namespaces, and is no more there than
its root.

What a path leads to is then the container's business, and nothing outside can be reached by it. Sources: setns(2),
user_namespaces(7), mount_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import stat
import time
from collections.abc import Callable

from eyas.core import paths
from eyas.host.mountinfo import Mount, mounts

MACHINES = "/run/systemd/machines"
TIMEOUT = 20.0  # seconds; what a child does takes a thousandth of one, unless a file system inside does not answer

MOVE_MOUNT, OPEN_TREE, MOUNT_SETATTR = 429, 428, 442  # system calls, the same on all architectures
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
OPEN_TREE_CLONE = 1
FROM_EMPTY_PATH, BENEATH = 0x4, 0x200  # of move_mount; beneath: since Linux 6.5
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_PDEATHSIG = 1  # of prctl
_REC, _PRIVATE = 1 << 14, 1 << 18  # of mount

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Any


class Place:
    """A running container from outside: its namespaces and its table of mounts, by its first process."""

    def __init__(self, container: str, base: int) -> None:
        self.container, self.base = container, base

    def __enter__(self) -> Place:
        pid = leader(self.container)
        self.process = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.users = self.mounts = -1
        try:
            # The number may have gone to somebody else; the descriptor stays with the process that it was opened for.
            if f"/{paths.unit_name(self.container)}/" not in self._read("cgroup"):
                raise ProcessLookupError(errno.ESRCH, "it does not run any more")
            self.users = self.open("ns/user")
            self.mounts = self.open("ns/mnt")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (self.process, self.users, self.mounts):
            if fd >= 0:
                os.close(fd)

    def open(self, name: str) -> int:
        """A descriptor of what the kernel tells of its first process."""
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.process)

    def _read(self, name: str) -> str:
        with os.fdopen(self.open(name), "rb") as file:
            return file.read().decode(errors="surrogateescape")

    def table(self) -> list[Mount]:
        return mounts(self._read("mountinfo"))

    def inside(self, deed: Callable[[int], list[str] | None], tree: int = -1, *, lock: bool = False) -> list[str]:
        """Do something as the container's root, in its mounts; the paths that it returned.

        Raises the OSError that it ended with. It must import nothing: it would be the container's. It is given
        ``tree``, a mount that is nowhere yet; with ``lock``, as one that the container cannot make writable.
        """
        read, write = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            _serve(self, deed, write, tree, lock and bool(self.base), parent)
        os.close(write)
        try:
            answer = _answer(child, read)
        finally:
            os.close(read)
        if "error" in answer:
            raise OSError(answer["errno"], answer["error"])
        return [str(path) for path in answer["done"]]


def leader(container: str) -> int:
    """The first process of a container, as systemd-machined wrote it down."""
    try:
        with open(f"{MACHINES}/{container}", encoding="utf-8") as file:
            for line in file:
                if line.startswith("LEADER="):
                    return int(line[7:])
    except FileNotFoundError:
        pass
    raise ProcessLookupError(errno.ESRCH, "it does not run")


def _answer(child: int, read: int) -> dict[str, Any]:
    """What the child said before it ended."""
    data, until = b"", time.monotonic() + TIMEOUT
    while ready := select.select([read], [], [], max(0.0, until - time.monotonic()))[0]:
        if not (piece := os.read(ready[0], 65536)):
            break
        data += piece
    else:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not data:
        raise OSError(errno.ETIMEDOUT, f"no answer from inside in {TIMEOUT:g} s")
    found = json.loads(data)
    assert isinstance(found, dict)
    return found


def _serve(
    place: Place, deed: Callable[[int], list[str] | None], write: int, tree: int, lock: bool, parent: int
) -> None:
    """The child's whole life."""
    try:
        try:
            spot = _attach(place.container, tree) if lock else b""
            if place.base:
                check(libc.setns(place.users, _CLONE_NEWUSER))
            if lock:
                check(libc.unshare(_CLONE_NEWNS))
                tree = call(OPEN_TREE, AT_FDCWD, spot, OPEN_TREE_CLONE | os.O_CLOEXEC)
            check(libc.setns(place.mounts, _CLONE_NEWNS))
            if place.base:
                os.setgroups([])
                os.setresgid(0, 0, 0)
                os.setresuid(0, 0, 0)
            # Nothing may happen here after our parent's death, when somebody takes back what it did.
            check(libc.prctl(_PDEATHSIG, signal.SIGKILL))
            if os.getppid() != parent:
                return
            os.umask(0o022)
            answer: dict[str, Any] = {"done": deed(tree) or []}
        except OSError as error:
            answer = {"errno": error.errno or errno.EIO, "error": error.strerror or "failed"}
            if error.filename:
                answer["error"] = f"{error.filename}: {answer['error']}"
        os.write(write, json.dumps(answer).encode())
    finally:
        os._exit(0)


def _attach(container: str, tree: int) -> bytes:
    """Put a mount somewhere in mounts of our own, so that it is copied with them into those of another user namespace:
    what is copied there keeps its flags for good, however it is cloned later."""
    check(libc.unshare(_CLONE_NEWNS))
    check(libc.mount(None, b"/", None, _REC | _PRIVATE, None))
    spot = paths.RUNTIME if stat.S_ISDIR(os.fstat(tree).st_mode) else paths.print_of(container)
    call(MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(spot), FROM_EMPTY_PATH)
    return os.fsencode(spot)


libc = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> int:
    """The result of a call of the C library; its error as an OSError."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def call(number: int, *arguments: int | bytes) -> int:
    """A system call that the C library has no function for."""
    return check(libc.syscall(ctypes.c_long(number), *arguments))
