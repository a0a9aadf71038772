"""Whether a container is well, and if not, what it said last.

Well means: its unit is active, its probes pass, and no unit that its definition declares has failed or is started
again and again. What it said is from its journal, which stands on the host also when the container is gone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from eyas.core import paths
from eyas.core.errors import EyasError, Failed, Unhealthy
from eyas.core.system import System, UnitState
from eyas.core.words import Fields, Json, Step
from eyas.kind.common import Deed, integer, table
from eyas.kind.container.compare import unit_of, wanted_unit
from eyas.kind.container.disk import name_of
from eyas.kind.container.text import words

PAUSE = 0.25  # seconds between two looks
CALM = 10.0  # seconds that a unit may take, after its container is up, to find what it needs and stay up
LINES = 10  # of a journal, in a report


def state_of(system: System, name: str) -> UnitState:
    unit = paths.unit_name(name)
    return system.units.show([unit]).get(unit) or UnitState(unit)


def declared(spec: Fields) -> list[str]:
    """Units inside that a definition names: their files, drop-ins and enabling links, and hooks of other files. A
    template stands for its instances (``name@*.service``)."""
    found: set[str] = set()
    for path, row in table(spec.get("files")).items():
        entry = table(row)
        named = wanted_unit(path) or (unit_of(path) if entry.get("type") == "file" else "")
        found |= {named, *words(entry.get("reload")), *words(entry.get("restart"))}
    # A template alone is no unit, and says so as an error of the whole question.
    return sorted(name for name in found if name and "@." not in name)


def ill(states: Mapping[str, UnitState]) -> list[UnitState]:
    """Those that have failed, or are about to be started again after a failure."""
    return [state for state in states.values() if state.active == "failed" or state.sub.startswith("auto-restart")]


def unhealthy(
    system: System, name: str, said: str, hint: str = "", *, units: Sequence[str] = (), folder: str = ""
) -> Unhealthy:
    """The error that a container is not well, with the last lines of the units inside, or of its own unit."""
    about = [*units] or [paths.unit_name(name)]
    try:
        lines = system.units.log(about, folder=folder if units else "", lines=LINES)
    except EyasError:  # what it said is a help, and not the point
        lines = []
    where = f"-M {name} -u {units[0]}" if units else f"-u {about[0]}"
    whose = f"{', '.join(units)} in {name}" if len(units) == 1 else name
    return Unhealthy(said, hint or f"look at: journalctl {where} -n 40", log=lines, whose=whose)


def calm(system: System, step: Step, limit: float) -> None:
    """Wait until no declared unit of a container that is up is ill. Failed ones stay so; one that is started again
    has a while to find what it needs."""
    name, units = name_of(step), words(step.args.get("units"))
    for state in _ill_still(system, name, units, limit):
        raise _of_unit(system, name, state, "bring up", folder_of(step))


def not_calm(system: System, name: str, units: Sequence[str], limit: float, folder: str) -> str | None:
    """The same for a container that is new, to be told: there is nothing better to go back to."""
    try:
        found = _ill_still(system, name, units, limit)
    except Unhealthy:  # it has gone down
        raise
    except Failed:  # what is not known is not told
        return None
    return "\n".join(told(system, name, state.name, trouble(state), folder) for state in found) or None


def _ill_still(system: System, name: str, units: Sequence[str], limit: float) -> list[UnitState]:
    """The units that have failed, or do not stay up after a while either; those that have failed come first."""
    until = time.monotonic() + min(CALM, limit)
    while units and (found := ill(_inside(system, name, units))):
        broken = [state for state in found if state.active == "failed"]
        if broken or time.monotonic() >= until:
            return broken or found
        time.sleep(PAUSE)
    return []


def told(system: System, name: str, unit: str, what: str, folder: str) -> str:
    """A line on a unit that is ill, and below it the last ones of its journal."""
    error = unhealthy(system, name, f"{unit} in {name} {what}", units=[unit], folder=folder)
    return "\n".join([f"{error.message} ({error.hint})", *(f"  | {line}" for line in error.log)])


def _inside(system: System, name: str, units: Sequence[str]) -> dict[str, UnitState]:
    """States of units of a container that is up. Where they cannot be asked, it has gone down meanwhile."""
    try:
        return system.units.show(units, machine=name)
    except Failed:
        time.sleep(PAUSE)
        state = state_of(system, name)
        if state.active != "active":
            said = f"cannot bring up {name}: it is {state.active} ({state.result}), a moment after it came up"
            raise unhealthy(system, name, said) from None
        return system.units.show(units, machine=name)


def folder_of(step: Step) -> str:
    """The journal of a step's container."""
    return paths.journal(str(step.args.get("machine_id") or ""))


def trouble(state: UnitState) -> str:
    """What is wrong with a unit that is ill, in words that follow its name."""
    if state.active == "failed":
        return f"failed ({state.result})"
    # One that is up again for a moment has no bad result any more.
    how = "" if state.result in ("", "success") else f" ({state.result})"
    return f"does not stay up, and is started again and again{how}"


def _of_unit(system: System, name: str, state: UnitState, verb: str, folder: str) -> Unhealthy:
    said = f"cannot {verb} {name}: {state.name} {trouble(state)}"
    return unhealthy(system, name, said, units=[state.name], folder=folder)


def probes_pass(system: System, step: Step, verb: str = "bring up") -> None:
    """Raise what a probe saw, if the last ones did not all pass."""
    name, units = name_of(step), words(step.args.get("units"))
    if system.files.read(paths.probes(name)) is None:
        system.containers.probe(name)
    failed = [row for row in probe_results(system, name) if row[0] != "ok"]
    if not failed:
        return
    _, probe, seen = failed[0]
    raise unhealthy(
        system,
        name,
        f"cannot {verb} {name}: the probe {probe} failed ({seen})",
        f"look at: journalctl -M {name} -n 40; systemctl --machine={name} --failed",
        units=_suspects(system, name, probe, units),
        folder=folder_of(step),
    )


def _suspects(system: System, name: str, probe: str, units: Sequence[str]) -> list[str]:
    """Units that a failed probe may be about: those that are ill, or the one that it names, or all declared ones."""
    if probe.startswith("unit "):
        return [probe.removeprefix("unit ")]
    try:
        bad = ill(system.units.show(units, machine=name)) if units else []
    except EyasError:  # it is gone meanwhile
        return []
    return [state.name for state in bad] or [*units]


def probe_results(system: System, name: str) -> list[tuple[str, str, str]]:
    """What the last probes saw: (ok or failed, probe, words)."""
    data = (system.files.read(paths.probes(name)) or b"").decode(errors="replace")
    rows = [line.split("\t", 2) for line in data.splitlines() if line]
    return [(row[0], row[1] if len(row) > 1 else "", row[2] if len(row) > 2 else "") for row in rows]


# ---- watch


def _look(system: System, step: Step, _folder: str) -> Json:
    name, units = name_of(step), words(step.args.get("units"))
    states = system.units.show(units, machine=name) if units else {}
    return {
        "invocation": state_of(system, name).invocation,
        "restarts": {state.name: state.restarts for state in states.values()},
    }


def _watch(system: System, step: Step, saved: Json) -> None:
    """See that a container stays well for a while: the same start of it, no declared unit that fails or is started
    again, and in the end the probes once more."""
    name, units = name_of(step), words(step.args.get("units"))
    before = table(table(saved).get("restarts"))
    until = time.monotonic() + integer(step.args.get("seconds"))
    while True:
        state = state_of(system, name)
        if not state.running or state.invocation != table(saved)["invocation"]:
            said = f"cannot keep up {name}: it is {state.active} ({state.result}), a moment after it came up"
            raise unhealthy(system, name, said)
        _look_inside(system, step, units, before)
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(PAUSE, left))
    if integer(step.args.get("probes")):
        system.containers.probe(name)
        probes_pass(system, step, "keep up")


def _look_inside(system: System, step: Step, units: Sequence[str], before: Mapping[str, Json]) -> None:
    name = name_of(step)
    try:
        states = system.units.show(units, machine=name) if units else {}
    except Failed:  # it goes down: its own state tells, at the next look
        time.sleep(PAUSE)
        if not state_of(system, name).running:
            return
        raise
    for state in states.values():
        again = state.restarts > integer(before.get(state.name))
        if again or state in ill(states):
            raise _of_unit(system, name, state, "keep up", folder_of(step))


watch = Deed(_watch, _look)
