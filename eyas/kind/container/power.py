"""Starting, stopping and restarting containers, and being sure that they answer.

Starts are asked for and not awaited, one wave after the other; systemd holds those back that are ordered after
others. ``ready`` then waits for each. So ten containers come up side by side, and a failure names its container.
Restarts are a chain of steps each (`eyas.kind.container.chain`), and one container comes after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System, UnitState
from eyas.core.words import Json, Step
from eyas.kind.common import Deed, ManyDeed, integer, table
from eyas.kind.container.chain import Back, forget, in_force, spec_on_disk, tied
from eyas.kind.container.disk import name_of
from eyas.kind.container.health import (
    calm,
    declared,
    folder_of,
    not_calm,
    probes_pass,
    state_of,
    unhealthy,
)
from eyas.kind.container.observe import in_effect, started_from

Steps = Sequence[tuple[Step, Json]]


def _look(system: System, step: Step, _folder: str) -> Json:
    state = state_of(system, name_of(step))
    return {"running": state.running, "invocation": state.invocation if state.running else ""}


def _units(steps: Steps) -> list[str]:
    return [paths.unit_name(name_of(step)) for step, _ in steps]


def _start(system: System, steps: Steps) -> None:
    system.units.reset_failed(_units(steps))
    system.units.start(_units(steps), wait=False)


def _unstart(system: System, step: Step, saved: Json, boot: bool) -> None:
    if boot or table(saved)["running"]:
        return
    unit = paths.unit_name(name_of(step))
    # Alone: another container may have got an edge to it in this run, which is taken back only after this.
    system.units.stop([unit], alone=True)
    system.units.reset_failed([unit])


def _restart(system: System, steps: Steps) -> None:
    """Only those that still run as they did before: a repetition restarts nothing twice."""
    units = []
    for step, saved in steps:
        state = state_of(system, name_of(step))
        if not state.running or state.invocation == table(saved)["invocation"]:
            units.append(state.name)
    if units:
        system.units.restart(units, wait=False)


def _stop(system: System, steps: Steps) -> None:
    longest = max(integer(step.args.get("stop_timeout"), 10) for step, _ in steps)
    # Beyond the unit's own limit systemd kills; ours is only there so that we never wait for ever.
    system.units.stop(_units(steps), timeout=longest + 60)
    system.units.reset_failed(_units(steps))
    for step, _ in steps:
        if step.args.get("addresses"):  # nobody comes back there
            forget(system, step)


def _settle(system: System, step: Step, saved: Json, boot: bool) -> None:
    """The last step back of a container's change: all its files are the old ones again, so run as before, and let go
    of what was held. One that runs from the old files already (it went down and up with another) is left alone."""
    seen, name = table(saved), name_of(step)
    if boot or not seen["running"]:
        return
    state = state_of(system, name)
    if state.running and (state.invocation == seen["invocation"] or _from_old_files(system, name, state)):
        with Back(system, [name], wait=False):
            if state.job or state.active != "active":
                system.units.start([state.name])
        return
    partners = tied(system, name)
    with Back(system, [name, *partners]):
        if state.running:
            system.units.restart([state.name])
        else:
            system.units.reset_failed([state.name])
            system.units.start([state.name])
        # They went down along with it, and come up by jobs of their own.
        system.units.start([paths.unit_name(partner) for partner in partners])


def _from_old_files(system: System, name: str, state: UnitState) -> bool:
    unit, spec = in_force(system, name)
    same = system.files.read(started_from(name)) == system.files.read(unit)
    return same and in_effect(system, name, state) == spec


def _ready(system: System, step: Step, _saved: Json) -> str | None:
    """Wait until a container is up and its probes pass, and with ``units`` until those are well. Unhealthy, with what
    was seen, when they are not. Of a container that was not there before, its probes alone decide; units that are not
    well are told."""
    name = name_of(step)
    times = [integer(step.args.get(key)) for key in ("stop_timeout", "start_timeout", "probe_time")]
    if step.args.get("again"):
        system.containers.probe(name)
    else:
        state = state_of(system, name)
        if state.job or state.active != "active":
            # It is under way, or it has failed already: this joins the job that runs, or tells the reason.
            try:
                system.units.start([state.name], timeout=sum(times) + 30)
            except Failed as error:
                raise unhealthy(system, name, error.message, error.hint) from None
        state = state_of(system, name)
        if state.active != "active":
            raise unhealthy(system, name, f"cannot bring up {name}: it is {state.active} ({state.result})")
        calm(system, step, times[1])
    if integer(step.args.get("probes")):
        probes_pass(system, step)
    if step.args.get("again") or step.args.get("units"):
        return None
    return not_calm(system, name, declared(spec_on_disk(system, name)), times[1], folder_of(step))


settle = Deed(look=_look, back=_settle)
guard = Deed(look=_look, back=_unstart)
start = ManyDeed(look=_look, back=_unstart, many=_start)
restart = ManyDeed(look=_look, many=_restart)
stop = ManyDeed(look=_look, many=_stop)
ready = Deed(_ready)
