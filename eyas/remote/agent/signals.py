"""Who may end a run early, and who may not.

SIGINT and SIGTERM, or the operator's ``interrupt``: the steps under way are finished, then the run goes back. SIGHUP
and a closed stream: the operator is lost, and the run goes on to its end, because half a change is worse than either.
"""

from __future__ import annotations

import select
import signal
from types import FrameType, TracebackType
from typing import IO

from eyas.core.errors import EyasError
from eyas.remote.protocol import receive

ASKS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """While entered, signals do not end the process; called, it says whether somebody asked to stop."""

    def __init__(self, requests: IO[bytes]) -> None:
        self.asked = False
        self._requests = requests
        self._gone = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Stop:
        for number in ASKS:
            self._before[number] = signal.signal(number, self._ask)
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave back, it takes

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def __call__(self) -> bool:
        while not self.asked and not self._gone and select.select([self._requests], [], [], 0)[0]:
            self._read()
        return self.asked

    def _read(self) -> None:
        """The operator speaks while the run is under way: only to interrupt it, or to go."""
        try:
            message = receive(self._requests)
        except EyasError:
            message = None
        if message is None:
            self._gone = True
        elif message.get("do") == "interrupt":
            self.asked = True
