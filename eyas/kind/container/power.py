"""Starting, stopping and restarting containers, and being sure that they answer.

Starts are asked for and not awaited, one wave after the other; systemd holds those back that are ordered after
others. ``ready`` then waits for each. So ten containers come up side by side, and a failure names its container.
"""

from __future__ import annotations

from collections.abc import Sequence

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System, UnitState
from eyas.core.words import Json, Step
from eyas.kind.common import Deed, ManyDeed, integer, table
from eyas.kind.container.disk import name_of

Steps = Sequence[tuple[Step, Json]]


def state_of(system: System, name: str) -> UnitState:
    unit = paths.unit_name(name)
    return system.units.show([unit]).get(unit) or UnitState(unit)


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


def _settle(system: System, step: Step, saved: Json, boot: bool) -> None:
    """The last step back of a container's change: all its files are the old ones again, so run as before."""
    seen = table(saved)
    if boot or not seen["running"]:
        return
    state = state_of(system, name_of(step))
    if state.running and state.invocation == seen["invocation"]:
        return
    if state.running:
        system.units.restart([state.name])
    else:
        system.units.reset_failed([state.name])
        system.units.start([state.name])


def _ready(system: System, step: Step, _saved: Json) -> None:
    """Wait until a container is up and its probes pass. Failed, with what was seen, when they do not."""
    name = name_of(step)
    limit = integer(step.args.get("start_timeout"), 120) + integer(step.args.get("probe_time"))
    if step.args.get("again"):
        system.containers.probe(name)
    else:
        state = state_of(system, name)
        if state.job or state.active != "active":
            # It is under way, or it has failed already: this joins the job that runs, or tells the reason.
            system.units.start([state.name], timeout=limit + 30)
        state = state_of(system, name)
        if state.active != "active":
            raise Failed(
                f"cannot bring up {name}: it is {state.active} ({state.result})",
                f"look at: journalctl -u {state.name} -n 40",
            )
    if integer(step.args.get("probes")):
        _pass(system, name)


def _pass(system: System, name: str) -> None:
    if system.files.read(paths.probes(name)) is None:
        system.containers.probe(name)
    failed = [row for row in probe_results(system, name) if row[0] != "ok"]
    if failed:
        _, probe, seen = failed[0]
        raise Failed(
            f"cannot bring up {name}: the probe {probe} failed ({seen})",
            f"look at: journalctl -M {name} -n 40; systemctl --machine={name} --failed",
        )


def probe_results(system: System, name: str) -> list[tuple[str, str, str]]:
    """What the last probes saw: (ok or failed, probe, words)."""
    data = (system.files.read(paths.probes(name)) or b"").decode(errors="replace")
    rows = [line.split("\t", 2) for line in data.splitlines() if line]
    return [(row[0], row[1] if len(row) > 1 else "", row[2] if len(row) > 2 else "") for row in rows]


settle = Deed(look=_look, back=_settle)
guard = Deed(look=_look, back=_unstart)
start = ManyDeed(look=_look, back=_unstart, many=_start)
restart = ManyDeed(look=_look, many=_restart)
stop = ManyDeed(look=_look, many=_stop)
ready = Deed(_ready)
