"""Restarting units inside a running container so that their clients do not notice: new connections to the ports that
they listen on wait until somebody listens there again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from eyas.core.errors import EyasError
from eyas.core.system import Door, System
from eyas.core.words import Fields, Json
from eyas.kind.common import integer, table
from eyas.kind.container.ailing import noted
from eyas.kind.container.chain import DRAIN, HOLD, addresses, drained
from eyas.kind.container.health import ill
from eyas.kind.container.text import tables, words
from eyas.kind.slots import split

PAUSE = 0.01  # seconds between two looks
OTHERWISE = 1.0  # seconds after which a unit that is up listens where it wants to


def seen(system: System, name: str, restarts: Sequence[str], reloads: Sequence[str]) -> dict[str, Json]:
    """What a change has to know of the units that it will restart, or that cannot reload: which of them run, which have
    failed, and where they listen; and of all that it concerns, which are ill already. Patterns stand for the units that
    match. Nothing is asked where there are none."""
    if not restarts and not reloads:
        return {}
    states = system.units.show([*restarts, *reloads], machine=name).values()
    mine = [state for state in states if not state.can_reload or any(fnmatchcase(state.name, one) for one in restarts)]
    running = [state.name for state in mine if state.running]
    listening = system.traffic.listening(name, running) if running else ()
    return {
        "running": [*running],
        "failed": [state.name for state in mine if state.active == "failed"],
        "listening": [[proto, port] for proto, port in listening],
        "ill": noted(states),
    }


class Held:
    """The ports of units that restart, held while they do. When something fails they stay held, for the way back,
    which is one of these with ``back`` and lets go in any case."""

    def __init__(
        self, system: System, name: str, spec: Fields, known: Mapping[str, Json], *, back: bool = False
    ) -> None:
        self.system, self.name, self.spec, self.back = system, name, spec, back
        self.units = words(known.get("running"))
        self.ports = _ports(known.get("listening"))
        self.seconds = integer(spec.get("hold"), HOLD) if self.ports else 0
        self.door = Door(split(name)[0], tuple(addresses(spec)), self.ports)
        self.until = time.monotonic() + self.seconds

    def __enter__(self) -> Held:
        if self.seconds:
            self.system.traffic.hold(self.door, self.seconds)
            drained(self.system, self.name, integer(self.spec.get("drain"), DRAIN), self.ports)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.seconds and (kind is None or self.back):
            self.system.traffic.release(self.door)

    def answers(self) -> bool:
        """Whether somebody listens wherever anybody is held."""
        return bool(self.seconds) and set(self.ports) <= self._listening()

    def _listening(self) -> set[tuple[str, int]]:
        return set(self.system.traffic.listening(self.name, self.units))

    def wait(self) -> bool:
        """Wait until somebody listens there again, and whether that is so; not for a unit that listens elsewhere now.
        Where nobody listens for a while, the container's probes say when it is well."""
        began = time.monotonic()
        while time.monotonic() < self.until:
            now = self._listening()
            if set(self.ports) <= now:
                return True
            if time.monotonic() > began + OTHERWISE:
                if now or ill(self.system.units.show(self.units, machine=self.name)):
                    return False
                if tables(self.spec.get("probes")):
                    self._probe()
                    return False
            time.sleep(PAUSE)
        return not self.seconds

    def _probe(self) -> None:
        try:
            self.system.containers.probe(self.name)
        except EyasError:  # what they saw is asked for by a step of its own
            return


def _ports(value: Json) -> tuple[tuple[str, int], ...]:
    rows = value if isinstance(value, list) else []
    return tuple((str(row[0]), integer(row[1])) for row in rows if isinstance(row, list) and len(row) == 2)


def revived(known: Json, *, back: bool) -> list[str]:
    """Units that have to run after a change although it restarts only what runs: forwards those that had failed, for
    this may be what mends them; backwards those that ran before."""
    return words(table(known).get("running" if back else "failed"))
