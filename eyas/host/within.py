"""Sockets that belong into a running container: made in its network, or connected as its root.

Each is made by a thread, or a child process, that enters the container and ends; what is handed out is the socket.
Sources: setns(2), pid_namespaces(7), unix(7) (SO_PEERCRED).
"""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM
from _socket import socket as plain_socket
from contextlib import suppress

from eyas.host.namespaces import Place, check, libc

PRIVATE = "/run/systemd/private"  # systemd's own socket, as in eyas.host.bus
TIMEOUT = 10.0  # seconds: it takes a thousandth of one, unless a file system inside does not answer
_NEWNS, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000  # of setns

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Callable


def to_systemd(container: str) -> plain_socket:
    """A connection to systemd in a running container. It believes only its root, in a process that it can see: so a
    child process of ours becomes that for a moment. OSError when there is no way."""
    socket = plain_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    socket.settimeout(0)  # where too many are in line already, nobody waits
    try:
        with Place(container, 0) as place:
            pids, own = place.open("ns/pid"), os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
            try:
                mapped = not os.path.sameopenfile(place.users, own)
                _apart(lambda: _by_child(pids, lambda: _connect(socket, place, mapped)))
            finally:
                os.close(pids)
                os.close(own)
    except BaseException:
        socket.close()
        raise
    return socket


def in_network(pid: str, family: int, kind: int, protocol: int) -> plain_socket:
    """A socket in the network that a process is in."""
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    made: list[plain_socket] = []

    def make() -> None:
        check(libc.setns(network, _NEWNET))
        made.append(plain_socket(family, kind | SOCK_CLOEXEC, protocol))

    try:
        _apart(make)
    finally:
        os.close(network)
    return made[0]


def _connect(socket: plain_socket, place: Place, mapped: bool) -> None:
    """The child's whole life. ``mapped``: the container has users of its own."""
    if mapped:
        check(libc.setns(place.users, _NEWUSER))
    check(libc.setns(place.mounts, _NEWNS))
    if mapped:
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    socket.connect(PRIVATE)


def _apart(work: Callable[[], None]) -> None:
    """Do something in a thread of its own: what that has entered, it does not have to leave."""
    failed: list[BaseException] = []

    def body() -> None:
        try:
            work()
        except BaseException as problem:
            failed.append(problem)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def _by_child(pids: int, deed: Callable[[], None]) -> None:
    """Do something in a child process that has a number in these, too; OSError as it ended with."""
    check(libc.setns(pids, _NEWPID))
    child = os.fork()
    if child == 0:
        code = errno.EIO
        try:
            deed()
            code = 0
        except OSError as problem:
            code = problem.errno or errno.EIO
        finally:
            os._exit(min(code, 255))
    ended = os.pidfd_open(child)
    try:
        if not select.select([ended], [], [], TIMEOUT)[0]:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(ended)
    if code:
        number = code if code > 0 else errno.ETIMEDOUT
        raise OSError(number, os.strerror(number))
