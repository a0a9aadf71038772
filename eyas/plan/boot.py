"""A plan turned into one that takes effect at the next boot of the host, and disturbs nothing that runs. Pure.

Files, unit files, specs, trees, layers, the packet filter's file and kernel settings' file are written; nothing is
started, stopped, reloaded or changed in the kernel. What cannot wait for a boot is left out and named. What only makes
something new that nobody uses yet (a file, a user, a directory) is simply done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eyas.core.errors import Failed
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Plan, Resource, Resources, Step, digest
from eyas.kind import kind_of
from eyas.kind.container import Container, carry, running
from eyas.kind.pending import note_step
from eyas.plan.make import KEPT
from eyas.plan.order import ordered, waves
from eyas.plan.part import Left, as_wanted, own

AT_BOOT = "takes effect at the next boot of the host"
AT_ONCE = "at once or not at all: eyas apply without --boot"


@dataclass(frozen=True)
class Prepared:
    """A plan for the next boot, the state that the host holds then, and what was left out."""

    plan: Plan
    desired: dict[str, Resource]
    left: tuple[Left, ...]


@dataclass(frozen=True)
class _Done:
    """What becomes of one change: deeds, whether it waits for the boot, why it is left out ('' when it is not)."""

    steps: Sequence[Step] = ()
    waits: bool = True
    why: str = ""


def at_boot(plan: Plan, desired: Resources, actual: Resources) -> Prepared:
    """The same changes, prepared. Failed when eyas's own programs on the host have to change first: what is prepared
    is for those, and what runs until the boot is for the ones that are there."""
    refused = sorted(c.id.partition(":")[2] for c in plan.changes if own(c.id) and c.action is not Action.create)
    if refused:
        raise Failed(
            f"cannot prepare the next boot: programs of eyas on the host are of another version ({', '.join(refused)})",
            "bring those first: eyas apply --only host",
        )
    steps: list[Step] = []
    changes: list[Change] = []
    left: list[Left] = []
    waiting: dict[str, Json] = {}
    for change in plan.changes:
        want, have = desired.get(change.id), actual.get(change.id)
        done = _PREPARED.get(change.kind, _at_once)(change, want, have)
        if done.why:
            left.append(Left(change.id, change.owner, done.why))
        if not done.steps:
            continue
        steps += done.steps
        changes.append(_told(change, want) if done.waits else change)
        if done.waits:
            waiting[change.id] = _entry(want, have)
    containers = [r for r in (*actual.values(), *desired.values()) if r.kind == "container"]
    if waiting:
        steps.append(note_step(waiting))
    names = tuple(r.name for r in actual.values() if r.kind == "container" and running(r))
    made = Plan(plan.host, tuple(changes), ordered(steps, waves(containers)), names, plan.left)
    return Prepared(made, _held(desired, actual, {each.id for each in left}), tuple(left))


def _entry(want: Resource | None, have: Resource | None) -> dict[str, Json]:
    old = have if have is not None and have.fields.get("pending") != "new" else None
    return {
        "old": old.to_json() if old is not None and old.kind != "container" else None,
        "new": digest(dict(want.fields)) if want is not None else "",
    }


def _told(change: Change, want: Resource | None) -> Change:
    """A change as it is from here: nobody notices before the boot."""
    action, fields = change.action, change.fields
    if want is None:  # it is only kept from starting
        said = f"does not start at the next boot any more ({change.id.replace(':', ' ')}: declared no more)"
        action, fields = Action.update, (FieldChange("", None, None, Impact.reboot, said),)
    told = tuple(replace(field, impact=Impact.reboot) for field in fields)
    return replace(change, action=action, impact=Impact.reboot, fields=told, notice=AT_BOOT, wait=None)


def _held(desired: Resources, actual: Resources, left: set[str]) -> dict[str, Resource]:
    """The state that the host holds after the boot: what was left out is as it is."""
    stays = {id_ for id_ in left if not id_.startswith("container:")}
    found = {id_: resource for id_, resource in desired.items() if id_ not in stays}
    found |= {id_: as_wanted(actual[id_]) for id_ in stays if id_ in actual and actual[id_].kind not in KEPT}
    return found


# Each kind


def _at_once(change: Change, want: Resource | None, have: Resource | None) -> _Done:
    """Done now: it disturbs nobody."""
    return _Done(kind_of(change.kind).steps(change, want, have), waits=False)


def _container(change: Change, want: Resource | None, have: Resource | None) -> _Done:
    if change.fields and all(field.field == "restart_with" for field in change.fields):
        return _Done()  # all start anew at a boot
    if change.action is Action.start:
        return _Done(why="it starts at the next boot by itself, sooner with eyas apply without --boot")
    if have is not None and have.fields.get("slot") == "b" and (want is None or not want.fields.get("stateless")):
        return _Done(why=AT_ONCE)
    steps = Container().at_boot(change, want, have)
    if want is None:
        why = "it runs; eyas apply without --boot takes it away" if have is not None and running(have) else ""
        return _Done(steps, waits=bool(why), why=why)
    lost = have is not None and running(have) and carry.steps_of(change.id, want.fields, have.fields)
    why = "what it wrote at new paths is not carried over by a boot, only by eyas apply without --boot" if lost else ""
    return _Done(steps, waits=running(have) or bool(want.fields.get("autostart", True)), why=why)


def _unit(change: Change, want: Resource | None, have: Resource | None) -> _Done:
    if want is None:
        unlink = Step("unit", "unlink", change.id, Phase.host)
        return _Done([unlink], why="it is kept from starting; eyas apply without --boot takes it away")
    if all(field.field == "running_drift" for field in change.fields) and change.fields:
        return _Done(why="it does not run: eyas apply without --boot starts it")
    return _Done([step for step in kind_of("unit").steps(change, want, have) if step.verb == "write"])


def _only(instead: str, *verbs: str) -> Callable[[Change, Resource | None, Resource | None], _Done]:
    """Of the kind's steps those of some verbs, by one that writes files only. What is removed is in use until then."""

    def done(change: Change, want: Resource | None, have: Resource | None) -> _Done:
        if want is None:
            return _Done(why=AT_ONCE)
        found = [step for step in kind_of(change.kind).steps(change, want, have) if step.verb in verbs]
        return _Done([replace(step, verb=instead) for step in found])

    return done


def _sysctl(change: Change, want: Resource | None, have: Resource | None) -> _Done:
    if want is None:
        return _Done(why=AT_ONCE)
    found = kind_of("sysctl").steps(change, want, have)
    return _Done([replace(step, args={**step.args, "boot": True}) for step in found])


def _new_only(change: Change, want: Resource | None, have: Resource | None) -> _Done:
    """What would change under the hands of those who use it."""
    if change.action is not Action.create:
        return _Done(why=AT_ONCE)
    return _at_once(change, want, have)


def _issued(change: Change, want: Resource | None, have: Resource | None) -> _Done:
    """It has to be there when what uses it starts; nobody reads it sooner."""
    if want is None:
        return _Done(why=AT_ONCE)
    steps = [step for step in kind_of(change.kind).steps(change, want, have) if step.verb == "issue"]
    return _Done(steps, waits=False)


def _never(_change: Change, _want: Resource | None, _have: Resource | None) -> _Done:
    return _Done(why=AT_ONCE)


_PREPARED: dict[str, Callable[[Change, Resource | None, Resource | None], _Done]] = {
    "container": _container,
    "unit": _unit,
    "network": _only("store", "write", "narrow"),
    "names": _only("stage", "write"),
    "firewall": _only("store", "load"),
    "sysctl": _sysctl,
    "user": _new_only,
    "directory": _new_only,
    "disk": _new_only,
    "package": _never,
    "certificate": _issued,
    "egress": _never,
}
