"""Whether a run did to the containers what its plan had said, and no more: which of them still run as they did."""

from __future__ import annotations

from collections.abc import Iterable

from eyas.core.system import System
from eyas.core.words import Action, Impact, Json, Plan, Resource, Resources, digest
from eyas.kind import kind_of

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Protocol, cast
else:
    Protocol = object

    def cast(_type, value):
        return value


class Containers(Protocol):
    """What the kind of containers can tell besides what all kinds tell."""

    def invocations(self, system: System) -> dict[str, str]: ...


def invocations(system: System) -> dict[str, str]:
    """Container name to the invocation id of its unit, for those that run (systemd.exec(5), INVOCATION_ID).

    systemd is asked anew, because a proof that believed what the run had seen on its way would be none. What a whole
    look reads besides (specs, prints, unit files) says nothing about who was restarted, and is not read.
    """
    return cast("Containers", kind_of("container")).invocations(system)


def invocations_of(resources: Iterable[Resource]) -> dict[str, str]:
    """The same, of what was observed."""
    return {r.name: id_ for r in resources if r.kind == "container" and (id_ := invocation(r))}


def invocation(resource: Resource) -> str:
    state = resource.fields.get("state")
    return str(state.get("invocation") or "") if isinstance(state, dict) else ""


def prove(plan: Plan, before: dict[str, str], after: dict[str, str]) -> tuple[list[str], list[str]]:
    """(disturbed, proved): of all containers that ran before, those that were to go on running and do not have the
    same invocation, and those that do. To go on means: the plan does not restart, stop or remove it."""
    moved = {*plan.restarts(), *plan.replaced()}
    for change in plan.changes:
        if change.kind == "container" and (
            change.action in (Action.create, Action.start, Action.delete)
            or Impact.restart <= change.impact < Impact.reboot
        ):
            moved.add(change.owner)
    promised = [c for c in before if c not in moved or c in plan.untouched]
    disturbed = sorted(c for c in promised if after.get(c) != before[c])
    return disturbed, sorted(set(promised) - set(disturbed))


def fingerprint(resources: Resources) -> str:
    """What a plan was made from, as a digest: all that is owned, and which containers run with which invocation.
    Left out is what moves by itself: memory, times, results of probes, whether a unit runs that a timer starts."""
    seen: dict[str, Json] = {}
    for id_, resource in resources.items():
        fields = {key: value for key, value in resource.fields.items() if key != "state"}
        state = resource.fields.get("state")
        if isinstance(state, dict):
            fields["state"] = [state.get("active"), state.get("invocation")]
        if resource.kind == "unit" and "[Install]" not in str(fields.get("content")):
            fields.pop("running", None)
        seen[id_] = fields
    return digest(seen)
