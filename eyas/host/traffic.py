"""Connections towards containers (`eyas.core.system.Traffic`): nft(8) lets new ones wait, and they are handed over.

Two processes may not hold at the same time; the host's lock sees to that. Threads of one process may.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Sequence

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Door
from eyas.host import connections, held
from eyas.host.command import Running, start
from eyas.host.handover import Handover

LATER = 0.05  # seconds after a time to hold, when the kernel certainly lets nobody wait any more


class RealTraffic:
    """`eyas.core.system.Traffic`."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._held: dict[Door, held.Hold] = {}
        self._handover = Handover()
        self._ends: dict[held.Element, float] = {}  # by the monotonic clock
        self._began: dict[Door, float] = {}  # by the same
        self._open: dict[str, frozenset[tuple[str, int]]] = {}  # where containers that are held listened before
        self._left = False  # whether a process that is gone may have left something held
        self._ahead: Running | None = None  # an nft(8) that waits for its text, so that a release is quick

    def hold(self, door: Door, seconds: float) -> None:
        with self._lock:
            hold = held.hold(door, _ruleset())
            now = time.monotonic()
            ends = {element: max(now + seconds, self._ends.get(element, 0.0)) for element in hold.elements}
            self._left = self._left or (os.path.exists(paths.HELD) and not self._held)
            _mark()
            self._handover.open()
            _nft(held.put({element: end - now for element, end in ends.items()}), f"hold {door.container}")
            self._held[door] = hold
            self._began.setdefault(door, now)
            self._ends.update(ends)
            if not door.ports:
                self._open.setdefault(door.container, connections.open_to_others(door.machine or door.container))
            self._ahead = self._ahead or _begun()
        start_new_thread(self._tell, (door, seconds + LATER))

    def _tell(self, door: Door, seconds: float) -> None:
        """Hand over who still waits when the time to hold is over, so that they learn what is so at once, and not by
        their own next attempt, half a minute later. Nothing, where it was let go of or is held for longer."""
        time.sleep(seconds)
        with self._lock:
            now = time.monotonic()
            over = {d: h for d, h in self._held.items() if all(self._ends.get(e, 0.0) <= now for e in h.elements)}
            if door in over:
                others = [hold for d, hold in self._held.items() if d not in over]
                self._handover.give(self._handover.take(lambda flow: over[door].takes(flow, others)), seconds)

    def release(self, door: Door) -> None:
        with self._lock:
            # Without ports it is all of a container: also what was held when it had other addresses.
            mine = [d for d in self._held if d == door or (d.container == door.container and not door.ports)]
            known = [self._held.pop(d) for d in mine]
            waited = self._waited(mine)
            if not door.ports:
                self._open.pop(door.container, None)
            if not known and not os.path.exists(paths.HELD):
                return
            let_go = [held.hold(door, _ruleset()), *known]
            elements = {element for hold in let_go for element in hold.elements}
            for other in self._held.values():
                elements -= other.elements
            begun, self._ahead = self._ahead or _begun(), None
            moved = None if door.ports else _forgotten(door.addresses)
            _nft(held.drop(elements), f"release {door.container}", missing=True, begun=begun)
            for element in elements:
                self._ends.pop(element, None)
            if moved:
                moved.wait(check=False)
        if known:
            self._hand_over(let_go, waited)

    def _waited(self, doors: Sequence[Door]) -> float:
        """Seconds since the first of these was held."""
        now = time.monotonic()
        return max((now - self._began.pop(door, now) for door in doors), default=0.0)

    def _hand_over(self, let_go: Sequence[held.Hold], waited: float) -> None:
        self._give(let_go, waited)  # who has waited longest does not wait for the last ones to be told
        self._handover.settle()
        self._give(let_go, 0.0)
        with self._lock:
            self._end()

    def _give(self, let_go: Sequence[held.Hold], waited: float) -> None:
        with self._lock:
            others = list(self._held.values())
            packets = self._handover.take(lambda flow: any(hold.takes(flow, others) for hold in let_go))
            self._handover.give(packets, waited)

    def release_all(self) -> None:
        with self._lock:
            known = list(self._held.values())
            waited = self._waited([*self._held])
            self._held.clear()
            self._ends.clear()
            self._open.clear()
            self._left = False
            if os.path.exists(paths.HELD):
                _nft(held.flush(), "release what is held", missing=True)
        self._hand_over(known, waited)

    def _end(self) -> None:
        """When nothing is held, nothing is left of it."""
        if not self._held:
            self._handover.close()
            if self._ahead:
                self._ahead.wait(check=False)  # without a text it has nothing to do
                self._ahead = None
            if os.path.exists(paths.HELD) and not self._left:
                os.unlink(paths.HELD)

    def busy(self, container: str, ports: Sequence[tuple[str, int]] = ()) -> tuple[str, ...]:
        return connections.busy(container, ports)

    def listening(self, container: str, units: Sequence[str]) -> tuple[tuple[str, int], ...]:
        return connections.listening(container, units)

    def back(self, door: Door) -> bool:
        return self._open.get(door.container, frozenset()) <= connections.open_to_others(door.machine or door.container)

    def forget(self, addresses: Sequence[str]) -> None:
        from eyas.host import conntrack

        try:
            conntrack.forget(tuple(addresses))
        except OSError as error:
            raise Failed(f"cannot let the kernel forget connections: {error.strerror}") from None


def _ruleset() -> str:
    try:
        with open(paths.FIREWALL, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _forgotten(addresses: Sequence[str]) -> Running | None:
    """Let the host find out anew who has which address, where a container has moved from one to another: the old one
    may be somebody else's by now."""
    if len({":" in address for address in addresses}) < len(addresses):
        lines = "".join(f"neigh flush to {address}\n" for address in addresses)
        return start(["ip", "-batch", "-"], input=lines)
    return None


def _mark() -> None:
    os.makedirs(os.path.dirname(paths.HELD), exist_ok=True)
    with open(paths.HELD, "w", encoding="utf-8"):
        pass


def _begun() -> Running:
    return start(["nft", "-f", "-"], input="")


def _nft(text: str, what: str, *, missing: bool = False, begun: Running | None = None) -> None:
    """One transaction. ``missing``: no error when there is no table, or none of our sets in it."""
    result = (begun or _begun()).wait(input=text, check=False)
    if result.code and not (missing and "No such file" in result.error):
        why = " ".join(result.error.split("\n")[:1])
        raise Failed(f"cannot {what}: {why}", "eyas plan says whether the firewall is as it should be")
