"""Connections towards containers (`eyas.core.system.Traffic`): nft(8) lets new ones wait.

Two processes may not hold at the same time; the host's lock sees to that. Threads of one process may.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock
from collections.abc import Sequence

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Door
from eyas.host import connections, held
from eyas.host.command import run


class RealTraffic:
    """`eyas.core.system.Traffic`."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._held: dict[Door, held.Hold] = {}
        self._ends: dict[held.Element, float] = {}  # by the monotonic clock

    def hold(self, door: Door, seconds: float) -> None:
        with self._lock:
            hold = held.hold(door, _ruleset())
            now = time.monotonic()
            ends = {element: max(now + seconds, self._ends.get(element, 0.0)) for element in hold.elements}
            _mark()
            _nft(held.put({element: end - now for element, end in ends.items()}), f"hold {door.container}")
            self._held[door] = hold
            self._ends.update(ends)

    def release(self, door: Door) -> None:
        with self._lock:
            hold = self._held.pop(door, None)
            elements = {*held.hold(door, _ruleset()).elements, *(hold.elements if hold else ())}
            kept = {element for other in self._held.values() for element in other.elements}
            for element in elements - kept:
                self._ends.pop(element, None)
            if hold is not None or os.path.exists(paths.HELD):
                _nft(held.drop(elements - kept), f"release {door.container}", missing=True)

    def release_all(self) -> None:
        with self._lock:
            self._held.clear()
            self._ends.clear()
            if os.path.exists(paths.HELD):
                _nft(held.flush(), "release what is held", missing=True)
                os.unlink(paths.HELD)

    def busy(self, container: str, ports: Sequence[tuple[str, int]] = ()) -> int:
        return connections.busy(container, ports)

    def listening(self, container: str, units: Sequence[str]) -> tuple[tuple[str, int], ...]:
        return connections.listening(container, units)


def _ruleset() -> str:
    try:
        with open(paths.FIREWALL, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _mark() -> None:
    os.makedirs(os.path.dirname(paths.HELD), exist_ok=True)
    with open(paths.HELD, "w", encoding="utf-8"):
        pass


def _nft(text: str, what: str, *, missing: bool = False) -> None:
    """One transaction. ``missing``: no error when there is no table, or none of our sets in it."""
    result = run(["nft", "-f", "-"], input=text, check=False)
    if result.code and not (missing and "No such file" in result.error):
        why = " ".join(result.error.split("\n")[:1])
        raise Failed(f"cannot {what}: {why}", "eyas plan says whether the firewall is as it should be")
