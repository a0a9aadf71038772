"""Desired against Actual: a Plan, the one value that apply reads. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from eyas.core.words import Action, Change, FieldChange, Impact, Phase, Plan, Reason, Resource, Resources, Step
from eyas.kind import kind_of
from eyas.kind.pending import NEW, done_step
from eyas.kind.slots import slot_args
from eyas.plan.notice import notice
from eyas.plan.order import ordered, waves
from eyas.plan.roll import rolled

# Never taken away by a plan: data stays where it is, and trees and layers that nothing refers to any more make the
# way back quick; `eyas gc` removes them when no kept run needs them.
KEPT = ("directory", "disk", "identity", "tree", "layer")


def plan(desired: Resources, actual: Resources, host: str, only: Collection[str] | None = None) -> Plan:
    """Everything that has to happen so that ``actual`` becomes ``desired``; an empty plan when nothing has to. With
    ``only`` changes of these ids alone, and of who restarts along with them (`eyas.plan.part`)."""
    changes: dict[str, Change] = {}
    left: list[str] = []
    for id_ in sorted({*desired, *actual}):
        if only is not None and id_ not in only:
            continue
        want, have = desired.get(id_), actual.get(id_)
        if want is None and have is not None and have.kind in KEPT:
            if have.kind == "directory":
                left.append(have.name)
            continue
        change = _change(want, have)
        if change is not None:
            changes[id_] = change
    _follow(changes, desired, actual)
    steps: list[Step] = []
    for id_, change in changes.items():
        steps += kind_of(change.kind).steps(change, desired.get(id_), actual.get(id_))
    steps += _guards(steps, changes, desired, actual)
    waiting = [id_ for id_ in changes if (have := actual.get(id_)) is not None and have.fields.get("pending")]
    steps += [done_step(waiting)] if waiting else []
    containers = [r for r in (*actual.values(), *desired.values()) if r.kind == "container"]
    done = Plan(
        host, tuple(changes.values()), ordered(rolled(steps, desired, actual), waves(containers)), (), tuple(left)
    )
    disturbed = {*done.restarts(), *done.replaced()}
    return replace(done, untouched=tuple(n for n in _running(desired, actual) if n not in disturbed))


def _guards(steps: list[Step], changes: dict[str, Change], desired: Resources, actual: Resources) -> list[Step]:
    """For containers that stay off and do not change: one that starts may need them, and the way back stops them."""
    if not any(step.kind == "container" and step.phase in (Phase.restart, Phase.start) for step in steps):
        return []
    return [
        Step("container", "guard", id_, Phase.live, slot_args(have))
        for id_, have in actual.items()
        if have.kind == "container" and id_ in desired and id_ not in changes and not running(have)
    ]


def _change(want: Resource | None, have: Resource | None) -> Change | None:
    """What has to happen to one resource, None for nothing."""
    if want is not None and have is not None and have.fields.get("pending") == NEW:
        have = None  # on disk for the next boot alone
    some = want or have
    assert some is not None
    fields = tuple(kind_of(some.kind).compare(want, have))
    if not fields and want is not None and have is not None and have.fields.get("pending") and want.kind != "container":
        said = "what was prepared for the next boot is taken back"
        fields = (FieldChange("pending", None, None, Impact.live, f"{want.name}: {said}"),)
    action, reason = _action(want, have, fields)
    if action is None:
        return None
    impact = max((field.impact for field in fields), default=Impact.none)
    if action is Action.delete and some.kind == "container":
        impact = Impact.replace
    elif some.kind == "container" and have is not None and not running(have):
        impact = Impact.none  # whatever differs, nobody is there to notice
    elif action is Action.create:
        impact = min(impact, Impact.live)
    said = notice(some.kind, action, impact, fields)
    return Change(some.id, some.kind, some.owner, action, impact, reason, some.origin, fields, said)


def _action(
    want: Resource | None, have: Resource | None, fields: tuple[FieldChange, ...]
) -> tuple[Action | None, Reason]:
    if have is None:
        return Action.create, Reason.declared
    if want is None:
        return Action.delete, Reason.undeclared
    if fields:
        drift = all(field.field.startswith("drift") or field.field.endswith("_drift") for field in fields)
        return Action.update, Reason.drift if drift else Reason.differs
    if want.kind == "container" and want.fields.get("autostart") and not running(have):
        return Action.start, Reason.stopped
    return None, Reason.differs


def running(resource: Resource) -> bool:
    """Whether an observed container runs (or is about to)."""
    state = resource.fields.get("state")
    return isinstance(state, dict) and state.get("active") in ("active", "activating", "reloading")


def _running(desired: Resources, actual: Resources) -> list[str]:
    return [r.name for r in actual.values() if r.kind == "container" and r.id in desired and running(r)]


def _follow(changes: dict[str, Change], desired: Resources, actual: Resources) -> None:
    """Containers that are declared to restart with one that restarts become changes of their own, so that the plan
    says it before systemd does it."""
    again = True
    while again:
        again = False
        restarting = {c.owner for c in changes.values() if c.kind == "container" and _restarts(c)}
        for resource in desired.values():
            if resource.kind != "container" or resource.id not in actual or not running(actual[resource.id]):
                continue
            names = resource.fields.get("restart_with")
            causes = sorted(restarting & {str(n) for n in names}) if isinstance(names, list) else []
            known = changes.get(resource.id)
            if not causes or (known is not None and _restarts(known)):
                continue
            why = FieldChange("restart_with", None, None, Impact.restart, f"restarts with {', '.join(causes)}")
            fields = (*(known.fields if known else ()), why)
            said = notice("container", Action.update, Impact.restart, fields)
            changes[resource.id] = Change(
                resource.id, "container", resource.owner, Action.update, Impact.restart, Reason.differs,
                resource.origin, fields, said,
            )  # fmt: skip
            again = True


def _restarts(change: Change) -> bool:
    return change.impact >= Impact.restart and change.action is not Action.create
