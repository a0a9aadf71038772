"""Restarting units inside a running container so that their clients do not notice: new connections to the ports that
they listen on wait until somebody listens there again."""

from __future__ import annotations

import time
from collections.abc import Sequence

from eyas.core.errors import EyasError
from eyas.core.system import Door, System
from eyas.core.words import Fields
from eyas.kind.common import integer
from eyas.kind.container.chain import DRAIN, HOLD, Ports, addresses, drained
from eyas.kind.container.health import ill
from eyas.kind.container.text import tables

PAUSE = 0.02  # seconds between two looks
OTHERWISE = 1.0  # seconds after which a unit that is up listens where it wants to


def restart_held(system: System, name: str, spec: Fields, units: Sequence[str]) -> None:
    """Restart those of the units that run. Patterns stand for the units that match."""
    if not units:
        return
    names = _names(system, name, units)
    hold = integer(spec.get("hold"), HOLD)
    ports = system.traffic.listening(name, names) if names and hold else ()
    if not ports:
        system.units.try_restart(units, machine=name)
        return
    door = Door(name, tuple(addresses(spec)), ports)
    until = time.monotonic() + hold
    system.traffic.hold(door, hold)
    try:
        drained(system, name, integer(spec.get("drain"), DRAIN), ports)
        system.units.try_restart(units, machine=name)
        _wait(system, name, spec, names, ports, until)
    finally:
        system.traffic.release(door)


def _names(system: System, name: str, units: Sequence[str]) -> list[str]:
    plain = [unit for unit in units if "*" not in unit]
    if len(plain) == len(units):
        return plain
    return sorted({*plain, *system.units.show(units, machine=name)})


def _wait(system: System, name: str, spec: Fields, units: Sequence[str], ports: Ports, until: float) -> None:
    """Wait until somebody listens on these ports again. Not for a unit that failed, nor for one that now listens
    elsewhere; where nobody listens for a while, the probes of the container say when it is well."""
    began = time.monotonic()
    asked = False
    while time.monotonic() < until:
        now = set(system.traffic.listening(name, units))
        if set(ports) <= now:
            return
        late = time.monotonic() > began + OTHERWISE
        if late and (now or ill(system.units.show(units, machine=name))):
            return
        if late and not asked and tables(spec.get("probes")):
            asked = True
            try:
                system.containers.probe(name)
            except EyasError:
                continue
            return
        time.sleep(PAUSE)
