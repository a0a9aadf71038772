"""What a plan tells of the future beyond its own steps: how long people will wait, and what restarts will lose.

Pure: what was seen in past runs, and what containers wrote, are given to it as values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from eyas.core.waits import Expected, History
from eyas.core.words import Action, Change, Impact, Loss, Plan


def felt(plan: Plan) -> bool:
    """Whether anybody will wait: only then is it worth asking the host for its past."""
    return (
        any(c.kind == "container" and _waits(c) for c in plan.changes) or any(plan.restarts()) or any(plan.replaced())
    )


def foreseen(
    plan: Plan, waits: History, losses: Sequence[Loss] = (), carried: Mapping[str, Sequence[str]] | None = None
) -> Plan:
    """The same plan, with figures in its notices and with the losses of its restarts. ``carried`` are folders by
    container whose content goes over to a bind, and so is not lost."""
    changes = tuple(_with_wait(change, waits) if _waits(change) else change for change in plan.changes)
    restarting = {*plan.restarts(), *plan.replaced()}  # a new generation has a fresh root, too
    told = tuple(_without(loss, (carried or {}).get(loss.container, ())) for loss in losses)
    return replace(plan, changes=changes, losses=tuple(loss for loss in told if loss.container in restarting))


def _without(loss: Loss, folders: Sequence[str]) -> Loss:
    def lost(path: str) -> bool:
        return not any(path == folder or path.startswith(f"{folder}/") for folder in folders)

    return Loss(
        loss.container, tuple(row for row in loss.new if lost(row[0])), tuple(path for path in loss.again if lost(path))
    )


def _waits(change: Change) -> bool:
    return (
        change.kind == "container"
        and change.action is Action.update
        and change.impact >= Impact.restart_unit
        and not change.notice.startswith("nobody")
    )


def _with_wait(change: Change, waits: History) -> Change:
    expected = waits.expect(change.owner, change.impact.name)
    if expected is None:
        return change
    wait = None if expected.other else round(expected.seconds, 3)
    return replace(change, wait=wait, notice=_notice(change, expected))


def _notice(change: Change, expected: Expected) -> str:
    figure = about(expected.seconds)
    if change.impact < Impact.restart:
        return f"{change.notice}, about {figure}" + (" (as in another container)" if expected.other else "")
    if expected.other:
        return f"new connections wait: unknown yet, another container of this host took {figure}"
    return f"new connections wait about {figure}"


def about(seconds: float) -> str:
    """A time as precise as it is worth: 0.04 s, 1.4 s, 12 s."""
    if seconds < 0.1:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
