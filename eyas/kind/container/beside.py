"""Replacing a stateless container: a new generation starts beside the old one, and takes over when it is well.

    prepare -> begin -> ready -> watch -> switch -> drain -> retire -> discard
    loosen

Nobody waits for anything. The new one comes up in the other slot (`eyas.kind.slots`); when it is well, new connections
are led to it in one transaction of the packet filter (`switch`); what is established stays with the old one until it is
done, or the time for that is over (`drain`); then the old one stops (`retire`) and its files go (`discard`).
Where the new one is declared to restart with fewer others, systemd has to know so of the old one, too, before those
stop (`loosen`).

On the way back the old one is started again, if it was stopped, before anybody is led to it; and the new one ends when
its connections do. Until ``retire`` the old one was never touched, so before that there is nothing to notice at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Change, FieldChange, Fields, Impact, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import RELOAD, RELOAD_REMOVED, SETTLE, Deed, integer, table
from eyas.kind.container import disk, power
from eyas.kind.container.boot import copies
from eyas.kind.container.chain import DRAIN, HOLD, addresses, drained, forget, in_force
from eyas.kind.container.health import state_of
from eyas.kind.container.text import render_unit, words
from eyas.kind.ruleset import lead, load, refresh
from eyas.kind.slots import beside, current, machine, machine_of, other, own, plain, sited, split

PLACE = ("address4", "address6", "gateway4", "gateway6", "bridge", "uid_base", "beside")
"""Where a container is: when this changes, its clients notice anyway, and two of it would be in each other's way."""
RELOAD_LATE = Step("systemd", "reload", "systemd:reload-replaced", Phase.ready)
"""Let systemd forget the units of generations that have gone, once for all of them."""


def possible(want: Fields, have: Fields) -> bool:
    """Whether a container can be replaced by one that starts beside it."""
    return bool(want.get("stateless") and have.get("stateless")) and all(want.get(f) == have.get(f) for f in PLACE)


def softened(found: Sequence[FieldChange], want: Fields, have: Fields) -> list[FieldChange]:
    """The same differences, where what would cost a restart costs a new generation."""
    if not possible(want, have):
        return [*found]
    return [replace(f, impact=Impact.beside) if f.impact is Impact.restart else f for f in found]


def slot_of(have: Resource | None) -> str:
    return str(have.fields.get("slot") or "a") if have is not None else "a"


def addressed(steps: Sequence[Step], slot: str, spec: Fields) -> list[Step]:
    """Steps of a container, as those of the slot that it is in."""
    return [_addressed(step, slot, spec) if step.kind == "container" else step for step in steps]


def _addressed(step: Step, slot: str, spec: Fields) -> Step:
    args = dict(step.args)
    for key in ("spec", "old", "new"):
        told = args.get(key)
        if isinstance(told, dict):
            args[key] = sited(told, slot)
    if slot == "b":
        args["machine"] = machine(step.id.split(":", 1)[1], slot)
        if "machine_id" in args:
            args["machine_id"] = beside(spec).get("machine_id")
    return replace(step, args=args)


def cleared(id_: str, have: Resource) -> list[Step]:
    """Away with what is left over of the other slot, before anything else wants its place."""
    if not have.fields.get("leftover"):
        return []
    args: dict[str, Json] = {
        "machine": machine(have.name, str(have.fields["leftover"])),
        "stop_timeout": have.fields.get("stop_timeout"),
    }
    gone = [Step("container", verb, id_, Phase.prepare, args) for verb in ("retire", "discard")]
    return [SETTLE, *gone, RELOAD]


def led(id_: str, want: Fields, have: Fields) -> list[Step]:
    """The rule set may be right already, all but for the address that stands behind it (`eyas.plan.part`)."""
    same = have.get("stateless") and all(want.get(f) == have.get(f) for f in PLACE)
    return [] if same or not want.get("stateless") else [Step("container", "lead", id_, Phase.firewall)]


def _loosened(want: Fields, have: Fields) -> list[Json]:
    """Containers that the old generation stops along with, and the new one does not: they may go before the old one."""
    ties = {*words(have.get("restart_with")), *words(table(have.get("disk")).get("restart_with"))}
    return [*sorted(ties - {*words(want.get("restart_with"))})]


def replaced(change: Change, want: Resource, have: Resource, spec: dict[str, Json], well: list[Step]) -> list[Step]:
    """The steps that replace a container. ``spec`` is what it is to be, ``well`` waits until it is well."""
    slot = other(slot_of(have))
    old, new = machine(have.name, other(slot)), machine(have.name, slot)
    seconds = integer(want.fields.get("drain"), DRAIN)
    loosened = _loosened(want.fields, have.fields)

    def step(verb: str, of: str, phase: Phase = Phase.restart, **args: Json) -> Step:
        return Step("container", verb, change.id, phase, {"machine": of, **args})

    return [
        SETTLE,
        step("prepare", new, Phase.configure, spec=sited(spec, slot), idle=True),
        *([step("loosen", old, Phase.configure, spec=sited(spec, other(slot)), ties=loosened)] if loosened else []),
        RELOAD,
        step("begin", new, drain=seconds, addresses=_own(sited(spec, slot))),
        *addressed(well, slot, spec),
        step("switch", new, autostart=bool(want.fields.get("autostart", True))),
        *([step("drain", old, seconds=seconds)] if seconds else []),
        step("retire", old, stop_timeout=have.fields.get("stop_timeout"), addresses=_own(sited(spec, other(slot)))),
        step("discard", old),
        RELOAD_LATE,
    ]


def _own(spec: Fields) -> list[Json]:
    """The addresses that one generation alone has."""
    return [plain(address) for key in ("address4", "address6") if (address := own(spec, key))]


def moved(change: Change, want: Fields, have: Resource, configured: Sequence[Step], up: Sequence[Step]) -> list[Step]:
    """A container that is stateless no more, out of the second slot: stopped there, started as every other one. New
    connections wait meanwhile, as with any restart; they are led anew when they are let in. ``up`` starts it, waits
    until it is well, and sees that it stays so."""
    old = machine(have.name, "b")
    args: dict[str, Json] = {"machine": old, "stop_timeout": have.fields.get("stop_timeout")}
    stop: dict[str, Json] = {**args, "addresses": _own(sited(have.fields, "b"))}
    drain: dict[str, Json] = {"machine": old, "seconds": integer(have.fields.get("drain"), DRAIN)}
    hold: dict[str, Json] = {"addresses": [*addresses(have.fields, want)], "seconds": integer(want.get("hold"), HOLD)}
    return [
        Step("container", "settle", change.id, Phase.prepare, {"machine": old}),
        *configured,
        *([Step("container", "hold", change.id, Phase.stop, {"machine": old, **hold})] if up else []),
        Step("container", "drain", change.id, Phase.stop, drain),
        Step("container", "stop", change.id, Phase.stop, stop),
        Step("container", "discard", change.id, Phase.remove, args),
        RELOAD_REMOVED,
        *up[:-1],
        *([Step("container", "release", change.id, Phase.ready, hold)] if up else []),
        *up[-1:],
    ]


# ---- verbs


def _refuse_current(system: System, step: Step, what: str) -> None:
    """The new generation must not go while connections are still led to it: the old one did not come back."""
    name, slot = split(machine_of(step))
    if current(system.files, name) == slot:
        raise Failed(
            f"cannot {what} {machine_of(step)}: connections to {name} are still led to it",
            f"look at: journalctl -u {paths.unit_name(machine(name, other(slot)))} -n 40",
        )


def _unprepare(system: System, step: Step, saved: Json, boot: bool) -> None:
    if not boot:
        _refuse_current(system, step, "remove")
    disk.configure.undo(system, step, saved, boot)


def _look_at_unit(system: System, step: Step, folder: str) -> Json:
    return snapshot.take(system, in_force(system, machine_of(step))[0], folder)


def _loosen(system: System, step: Step, _saved: Json) -> None:
    """The unit file alone: the spec stays what it was made from, and it goes with the generation."""
    name = machine_of(step)
    path, there = in_force(system, name)
    ties = [tie for tie in words(there.get("restart_with")) if tie not in words(step.args.get("ties"))]
    spec = {**table(step.args.get("spec")), **there}  # an older version may not have known all of it
    spec["restart_with"] = [*ties]
    system.files.write(path, render_unit(name, spec).encode())


def _tighten(system: System, step: Step, saved: Json, boot: bool) -> None:
    if not (boot and table(saved)["path"] in copies(machine_of(step))):  # what the boot took stays away
        snapshot.put_back(system, saved)


def _unbegin(system: System, step: Step, saved: Json, boot: bool) -> None:
    if boot or table(saved)["running"]:
        return
    _refuse_current(system, step, "stop")
    drained(system, machine_of(step), integer(step.args.get("drain"), DRAIN))
    power.start.undo(system, step, saved, boot)
    forget(system, step)


def _look_at_slot(system: System, step: Step, _folder: str) -> Json:
    name = split(machine_of(step))[0]
    slot = current(system.files, name)
    return {"slot": slot, "autostart": system.files.readlink(paths.wanted(machine(name, slot))) is not None}


def _switch(system: System, step: Step, _saved: Json) -> None:
    name, slot = split(machine_of(step))
    _point(system, name, slot, boot=False, autostart=bool(step.args.get("autostart", True)))


def _unswitch(system: System, step: Step, saved: Json, boot: bool) -> None:
    name, slot = split(machine_of(step))[0], str(table(saved)["slot"])
    old = machine(name, slot)
    if not boot and state_of(system, old).active != "active":
        raise Failed(f"cannot lead connections back to {old}: it does not run", f"journalctl -u {paths.unit_name(old)}")
    _point(system, name, slot, boot=boot, autostart=bool(table(saved).get("autostart", True)))


def _point(system: System, name: str, slot: str, *, boot: bool, autostart: bool) -> None:
    """Make a slot the current one: for who looks at the host, for connections, and for the next boot."""
    if slot == "b":
        system.files.write(paths.slot(name), b"b\n")
    else:
        system.files.remove(paths.slot(name))
    lead(system, name, slot, boot)
    now, before = machine(name, slot), machine(name, other(slot))
    if autostart and system.files.readlink(paths.wanted(now)) != paths.unit(now):
        system.files.symlink(paths.unit(now), paths.wanted(now))
    system.files.remove(paths.wanted(before))


def _look_at_rules(system: System, _step: Step, folder: str) -> Json:
    return snapshot.take(system, paths.FIREWALL, folder)


def _lead(system: System, _step: Step, _saved: Json) -> None:
    refresh(system)


def _unlead(system: System, _step: Step, saved: Json, boot: bool) -> None:
    now = system.files.read(paths.FIREWALL)
    snapshot.put_back(system, saved)
    was = system.files.read(paths.FIREWALL)
    if not boot and was is not None and was != now:
        load(system, was.decode())


def _retire(system: System, step: Step, _saved: Json) -> None:
    unit = paths.unit_name(machine_of(step))
    # Alone: whoever is ordered after it goes on running, with the generation that took over.
    system.units.stop([unit], timeout=integer(step.args.get("stop_timeout"), 10) + 60, alone=True)
    system.units.reset_failed([unit])
    forget(system, step)


def _unretire(system: System, step: Step, saved: Json, boot: bool) -> None:
    name = machine_of(step)
    if boot or not table(saved)["running"] or state_of(system, name).active == "active":
        return
    unit = paths.unit_name(name)
    system.units.daemon_reload()  # its files have gone and come back
    system.units.reset_failed([unit])
    system.units.start([unit])


prepare = Deed(disk.configure.act, disk.configure.look, _unprepare)
loosen = Deed(_loosen, _look_at_unit, _tighten)
begin = Deed(power.start.do, power.start.look, _unbegin)
lead_anew = Deed(_lead, _look_at_rules, _unlead)
switch = Deed(_switch, _look_at_slot, _unswitch)
retire = Deed(_retire, power.start.look, _unretire)
