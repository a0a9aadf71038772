"""Places where a test may break a run: the real process is killed, or a step fails, at a step of choice.

EYAS_FAULT (or the ``fault`` of an apply request) is one of
    fail:N             step N fails instead of being done
    kill:N             SIGKILL when step N is written down as begun, before its deed
    kill-after-do:N    SIGKILL after the deed of step N, before it is written down as done
    kill-undo:N        SIGKILL after step N was undone, before that is written down
    kill:kept          SIGKILL when all steps are done, before the run is written down as kept
    kill:sweep         SIGKILL when the run is kept, before anything is swept
    kill:confirm       SIGKILL when a fresh connection is to be asked for (`eyas.apply.guard`)
    unconfirmed        the operator's end finds no fresh connection
Steps count from 0 in the order of the plan.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from eyas.core.errors import Failed


@dataclass(frozen=True)
class Fault:
    point: str = ""

    def at(self, point: str) -> None:
        """Break here, if this is the point that was chosen."""
        if self.point and self.point == point:
            if point.startswith("fail"):
                raise Failed(f"cannot do step {point.partition(':')[2]}: a test asked it to fail")
            os.kill(os.getpid(), signal.SIGKILL)


def from_environment() -> Fault:
    return Fault(os.environ.get("EYAS_FAULT", ""))
