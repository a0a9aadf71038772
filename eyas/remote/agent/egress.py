"""The service of egress (`eyas.kind.egress.units`): one look, then reports as they come, and an end when none do.

systemd starts it by its timer, and by its sockets when a report comes; there is never more than one of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from eyas.core.errors import EyasError
from eyas.kind.egress import report as reports
from eyas.kind.egress import service
from eyas.kind.egress.state import Event

IDLE = 2.0  # seconds without a report, after which it ends
EVERY = 10.0  # seconds between two looks while reports come
LOUD = ("restored", "disturbed", "limits", "slowed")
IN_VAIN, LONGEST = 0.1, 2.0
"""Seconds after reports of which nothing came, doubled each time: whoever sends many of them costs the host little."""


def serve() -> int:
    """Until there is nothing to do; 1 when the last look failed."""
    from eyas.host.egress.sockets import Reports
    from eyas.remote.agent.real import system

    sockets, good, next_, pause = Reports(), True, time.monotonic(), 0.0
    while True:
        if time.monotonic() >= next_:
            good, next_ = _try(lambda: service.tick(system())) is not None, time.monotonic() + EVERY
        came = sockets.wait(IDLE)
        if came is None:
            return 0 if good else 1
        found = [report for container, data in came if (report := reports.parse(data, container)) is not None]
        pause = 0.0 if found and _take(found) else min(LONGEST, max(IN_VAIN, 2 * pause))
        time.sleep(pause)


def answer() -> int:
    """At boot, before the containers that leave from a pool: the link is told what the rules of the boot may choose.
    Whatever goes wrong is the next look's to mend, and no reason to hold a container back."""
    from eyas.remote.agent.real import system

    _try(lambda: service.answer_again(system()))
    return 0


def _take(found: list[reports.Report]) -> bool:
    """Whether anything has come of it."""
    from eyas.remote.agent.real import system

    return bool(_try(lambda: service.take(system(), found)))


def _try(do: Callable[[], list[Event]]) -> list[Event] | None:
    """One look; what happened, and what went wrong (None then), goes to the journal."""
    try:
        events = do()
    except EyasError as error:
        sys.stderr.write(f"<3>{error.message}{f' ({error.hint})' if error.hint else ''}\n")
        return None
    except OSError as error:
        sys.stderr.write(f"<3>cannot look at outgoing connections: {error}\n")
        return None
    for event in events:
        words = [event.rule, event.what, event.address, event.destination, event.why]
        level = 4 if event.what in LOUD else 5
        sys.stderr.write(f"<{level}>{' '.join(word for word in words if word)}\n")
    return events
