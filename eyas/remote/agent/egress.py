"""The service of egress (`eyas.kind.egress.units`): one look, then reports as they come, and an end when none do.

systemd starts it by its timer, and by its sockets when a report comes; there is never more than one of it.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time

from eyas.core import paths
from eyas.core.errors import EyasError
from eyas.kind.egress import report as reports
from eyas.kind.egress import service
from eyas.kind.egress.state import Event

FIRST = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
IDLE = 2.0  # seconds without a report, after which it ends
EVERY = 10.0  # seconds between two looks while reports come
MOST = 256  # reports that are taken at once


def serve() -> int:
    """Until there is nothing to do; 1 when the last look failed."""
    from eyas.remote.agent.real import system

    sockets = _sockets()
    good, looked = True, 0.0
    while True:
        if time.monotonic() - looked >= EVERY:
            good, looked = _try(lambda: service.tick(system())), time.monotonic()
        ready = select.select([*sockets], [], [], IDLE)[0] if sockets else []
        if not ready:
            return 0 if good else 1
        found = [report for one in ready for report in _received(one, sockets[one])]
        if found:
            _try(lambda found=found: service.take(system(), found))


def _sockets() -> dict[socket.socket, str]:
    """What systemd listens on for us, each with the container whose it is ('' for the host)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    found = {}
    for number in range(FIRST, FIRST + int(os.environ.get("LISTEN_FDS", "0"))):
        one = socket.socket(fileno=number)
        one.setblocking(False)
        path = str(one.getsockname())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        found[one] = path.removeprefix(f"{paths.EGRESS_RUNTIME}/").rpartition("/")[0]
    return found


def _received(one: socket.socket, container: str) -> list[reports.Report]:
    """All that waits there. At the host's own socket root alone is heard: it speaks for every container."""
    found = []
    for _ in range(MOST):
        try:
            data, more, _, _ = one.recvmsg(8192, socket.CMSG_SPACE(struct.calcsize("3i")))
        except BlockingIOError:
            break
        who = [struct.unpack("3i", body)[1] for _level, kind, body in more if kind == socket.SCM_CREDENTIALS]
        report = reports.parse(data, container)
        if report is not None and (container or who == [0]):
            found.append(report)
    return found


def _try(do: object) -> bool:
    """One look; what happened, and what went wrong, goes to the journal."""
    assert callable(do)
    try:
        events: list[Event] = do()
    except EyasError as error:
        sys.stderr.write(f"<3>{error.message}{f' ({error.hint})' if error.hint else ''}\n")
        return False
    except OSError as error:
        sys.stderr.write(f"<3>cannot look at outgoing connections: {error}\n")
        return False
    for event in events:
        words = [event.rule, event.what, event.address, event.destination, event.why]
        level = 4 if event.what in ("restored", "limits", "slowed") else 5
        sys.stderr.write(f"<{level}>{' '.join(word for word in words if word)}\n")
    return True
