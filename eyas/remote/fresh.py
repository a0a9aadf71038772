"""Confirming to a host that it can still be reached: by a new session, because the old one may outlive its way.

A transport that shares one connection between sessions (ssh with ControlMaster) must not do so for this.
"""

from __future__ import annotations

import os
import threading
import time

from eyas.apply.guard import CONFIRM
from eyas.core.errors import EyasError, Failed
from eyas.core.events import Event, Listener
from eyas.remote.transport import Connection, Transport

AGAIN = 0.3  # seconds before the next try


class Confirming:
    """A listener that answers a run's question for a fresh connection, beside the talk that goes on, and passes all
    events on."""

    def __init__(self, transport: Transport, listener: Listener) -> None:
        self._transport = transport
        self._listener = listener

    def __call__(self, event: Event) -> None:
        self._listener(event)
        if event.topic == CONFIRM:
            # Nobody waits for it: where the way is cut, the run on the host ends without us.
            threading.Thread(target=self._confirm, args=(event.name, float(event.done)), daemon=True).start()

    def _confirm(self, run: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        problem = ""
        while time.monotonic() < end:
            try:
                reach(self._transport, run)
            except EyasError as error:
                problem = error.message
                time.sleep(AGAIN)
            else:
                return
        self._listener(Event(CONFIRM, run, f"no fresh connection within {seconds:g} s: {problem}", level="warning"))


def reach(transport: Transport, run: str) -> None:
    """Tell a host, by a new session, that it can be reached. Failed when it cannot, or it is too late."""
    if os.environ.get("EYAS_FAULT", "") == "unconfirmed":
        raise Failed(f"cannot reach {transport.name}: a test asked for that")
    with Connection(transport) as fresh:
        fresh.request("confirm", run=run)
