"""What a restart does around itself so that nobody is refused.

    hold -> drain -> restart -> ready -> release -> watch

New connections wait (`hold`), those in the middle of something may go on for a while (`drain`), the container goes
down and comes up again, and only when it is well they are let in (`release`) and it is looked at for a while more
(`watch`). Each is a step of its own, so that the journal knows how far a restart has come.

Undoing one of them does nothing: what is held stays held until the container is back as it was, and that is the way
back of ``container.settle``, which lets go in the end whatever happens (`eyas.kind.container.power`). And if nobody
comes back at all, the kernel lets go by itself after the declared time.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from eyas.core import paths
from eyas.core.errors import EyasError, Failed
from eyas.core.system import Door, System
from eyas.core.words import Fields, Json, Step
from eyas.kind.common import Deed, integer, table
from eyas.kind.container.disk import name_of
from eyas.kind.container.text import tables, words
from eyas.kind.slots import split

HOLD, DRAIN, SETTLE = 30, 10, 2
"""Seconds where a spec does not say: one that an older version of eyas wrote."""
PAUSE = 0.01  # seconds between two looks at connections
LISTENS = 3.0  # seconds that a container without probes may take, once it is up, to listen where it did before
MOST_SHOWN = 3

Ports = Sequence[tuple[str, int]]


def addresses(*specs: Fields) -> list[str]:
    """Where connections to a container arrive, by all of its specs that are in play."""
    found = [str(spec[key]).partition("/")[0] for spec in specs for key in ("address4", "address6") if spec.get(key)]
    return sorted(set(found))


def door_of(step: Step) -> Door:
    name = name_of(step)
    return Door(split(name)[0], tuple(words(step.args.get("addresses"))), machine=name)


def _table_in(system: System, path: str) -> dict[str, Json]:
    try:
        return table(json.loads(system.files.read(path) or b"{}"))
    except ValueError:
        return {}


def spec_on_disk(system: System, name: str) -> dict[str, Json]:
    return _table_in(system, paths.spec(name))


def in_force(system: System, name: str) -> tuple[str, dict[str, Json]]:
    """The unit file that systemd goes by, and the spec that it was made from: those on disk, or where these are for
    the next boot, the copies that count until then (`eyas.kind.container.boot`)."""
    if system.files.stat(paths.now_spec(name)) is None:
        return paths.unit(name), spec_on_disk(system, name)
    return paths.now_unit(name), _table_in(system, paths.now_spec(name))


def spec_that_runs(system: System, name: str) -> dict[str, Json]:
    """By the last print, whatever start that is of."""
    return table(_table_in(system, paths.print_of(name)).get("spec"))


def tied(system: System, name: str) -> list[str]:
    """Running containers that systemd restarts along with this one, by the specs that it goes by."""
    ties: dict[str, list[str]] = {}
    for file in system.files.list(paths.SPECS):
        if file.endswith(".json"):
            other = file.removesuffix(".json")
            ties[other] = words(in_force(system, other)[1].get("restart_with"))
    group = [name]
    for member in group:  # grows while it is walked
        group += [other for other, leaders in sorted(ties.items()) if member in leaders and other not in group]
    units = [paths.unit_name(other) for other in group[1:]]
    states = system.units.show(units) if units else {}
    return [other for other in group[1:] if (state := states.get(paths.unit_name(other))) and state.running]


def drained(system: System, name: str, seconds: float, ports: Ports = ()) -> tuple[str, ...]:
    """Wait until no connection is in the middle of something; those that still are after so many seconds."""
    until = time.monotonic() + seconds
    while busy := _busy(system, name, ports):
        if time.monotonic() >= until:
            return busy
        time.sleep(PAUSE)
    return ()


def _busy(system: System, name: str, ports: Ports) -> tuple[str, ...]:
    try:
        return system.traffic.busy(name, ports)
    except EyasError:
        return ()  # it is going down by itself, or it is not to be seen: then there is nothing to wait for


class Back:
    """Containers on their way back to what they were: held as long as that takes, and let go in any case. Without
    ``wait`` there is nothing to wait for any more, only to let go."""

    def __init__(self, system: System, names: Sequence[str], *, wait: bool = True) -> None:
        self.system = system
        self.wait = wait
        self.specs: Mapping[str, dict[str, Json]] = {name: spec_on_disk(system, name) for name in names}
        self.doors = {
            name: Door(split(name)[0], tuple(addresses(spec, spec_that_runs(system, name))))
            for name, spec in self.specs.items()
        }

    def __enter__(self) -> Back:
        if not self.wait:
            return self
        for name, spec in self.specs.items():
            seconds = integer(spec.get("hold"), HOLD)
            if seconds:
                self._try_hold(self.doors[name], seconds)
        for name, spec in self.specs.items():
            drained(self.system, name, integer(spec.get("drain"), DRAIN))
        return self

    def __exit__(self, *_: object) -> None:
        for door in self.doors.values():
            self.system.traffic.release(door)

    def _try_hold(self, door: Door, seconds: float) -> None:
        """Better back and refused for a moment than not back."""
        try:
            self.system.traffic.hold(door, seconds)
        except EyasError:
            return


def _hold(system: System, step: Step, _saved: Json) -> None:
    seconds = integer(step.args.get("seconds"), HOLD)
    if seconds:
        system.traffic.hold(door_of(step), seconds)


def _drain(system: System, step: Step, _saved: Json) -> str | None:
    name, seconds = name_of(step), integer(step.args.get("seconds"), DRAIN)
    return cut_off(name, seconds, drained(system, name, seconds))


def cut_off(name: str, seconds: int, busy: Sequence[str]) -> str | None:
    """What to tell of connections that will end in the middle of something."""
    if not busy or not seconds:  # asked to wait for nobody
        return None
    shown = [f"{count} x {one}" if count > 1 else one for one, count in Counter(busy).most_common(MOST_SHOWN)]
    more = f" and {len({*busy}) - MOST_SHOWN} more" if len({*busy}) > MOST_SHOWN else ""
    return f"{name}: after {seconds} s, connections are cut in the middle of something: {', '.join(shown)}{more}"


def _release(system: System, step: Step, _saved: Json) -> None:
    if not integer(step.args.get("seconds"), HOLD):
        return
    door = door_of(step)
    if not tables(spec_on_disk(system, door.machine).get("probes")):  # nothing has told more than that systemd is up
        until = time.monotonic() + LISTENS
        while not system.traffic.back(door) and time.monotonic() < until:
            time.sleep(PAUSE)
    system.traffic.release(door)


def forget(system: System, step: Step) -> None:
    """What was still led to the addresses of a generation that is gone (``addresses``) is led anew: UDP goes on, and
    who has a TCP connection is told that it has ended."""
    with suppress(Failed):  # it would have ended by itself, later
        system.traffic.forget(words(step.args.get("addresses")))


hold = Deed(_hold)
drain = Deed(_drain)
release = Deed(_release)


def steps_around(step: Step, want: Fields, have: Fields) -> tuple[list[Step], list[Step]]:
    """What stands before and after a restart and its ``ready``: [hold, drain], [release].

    All of them also where a time is 0, so that the steps of containers that restart together meet in their places.
    """
    patience: dict[str, Json] = {
        "addresses": [*addresses(have, want)],
        "seconds": integer(want.get("hold"), HOLD),
    }
    draining: dict[str, Json] = {"seconds": integer(want.get("drain"), DRAIN)}
    before = [
        Step("container", "hold", step.id, step.phase, patience),
        Step("container", "drain", step.id, step.phase, draining),
    ]
    return before, [Step("container", "release", step.id, step.phase, patience)]
