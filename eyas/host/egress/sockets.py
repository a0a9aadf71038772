"""Sockets for reports, as systemd hands them over (sd_listen_fds(3)): datagrams, each with the container it is from."""

from __future__ import annotations

import os
import select
import socket
import struct

from eyas.core import paths

FIRST = 3  # SD_LISTEN_FDS_START
MOST = 256  # datagrams that are taken from one socket at once
LONGEST = 8192  # bytes of a datagram
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7)


class Reports:
    """All sockets of this process; none where systemd has handed over none."""

    def __init__(self) -> None:
        self.sockets: dict[socket.socket, str] = {}
        if os.environ.get("LISTEN_PID") != str(os.getpid()):
            return
        for number in range(FIRST, FIRST + int(os.environ.get("LISTEN_FDS", "0"))):
            one = socket.socket(fileno=number)
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            place = str(one.getsockname()).removeprefix(f"{paths.EGRESS_RUNTIME}/")
            self.sockets[one] = place.rpartition("/")[0]  # '' for the host's own

    def wait(self, seconds: float) -> list[tuple[str, bytes]] | None:
        """What has come, as (container, datagram), container '' for the host; None when nothing did in time. At the
        host's own socket root alone is heard, because it speaks for every container."""
        if not self.sockets:
            return None
        ready = select.select([*self.sockets], [], [], seconds)[0]
        return [each for one in ready for each in self._received(one)] if ready else None

    def _received(self, one: socket.socket) -> list[tuple[str, bytes]]:
        found = []
        for _ in range(MOST):
            try:
                data, more, _, _ = one.recvmsg(LONGEST, socket.CMSG_SPACE(CREDENTIALS.size))
            except BlockingIOError:
                break
            who = [CREDENTIALS.unpack(body)[1] for _, kind, body in more if kind == socket.SCM_CREDENTIALS]
            if self.sockets[one] or who == [0]:
                found.append((self.sockets[one], data))
        return found
