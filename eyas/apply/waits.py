"""How long people waited in a run, by the times of its steps; and the host's memory of that."""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.waits import History, Wait
from eyas.core.words import Action, Impact, Plan

Times = Mapping[int, tuple[float, float]]
"""Number of a step -> when it began and ended, in seconds of one clock."""


def measured(plan: Plan, times: Times) -> tuple[Wait, ...]:
    """What the run made people wait for, container by container: from the beginning of its hold to the end of its
    release; where nothing was held, from the beginning of its restart until it was ready; for units inside, the time of
    the live step."""
    found = []
    for change in plan.changes:
        if change.kind != "container" or change.action is not Action.update or change.impact < Impact.reload:
            continue
        spans = _spans(plan, times, change.id)
        for first, last in (("hold", "release"), ("restart", "ready"), ("restart", "restart"), ("live", "live")):
            if first in spans and last in spans:
                seen = round(spans[last][1] - spans[first][0], 3)
                steps = {verb: round(end - begin, 3) for verb, (begin, end) in spans.items()}
                found.append(Wait(change.owner, change.impact.name, seen, change.wait, steps))
                break
    return tuple(found)


def _spans(plan: Plan, times: Times, id_: str) -> dict[str, tuple[float, float]]:
    """Verb -> from its first beginning to its last end, of one container's steps."""
    spans: dict[str, tuple[float, float]] = {}
    for number, (begin, end) in sorted(times.items()):
        step = plan.steps[number]
        if step.kind == "container" and step.id == id_:
            known = spans.get(step.verb, (begin, end))
            spans[step.verb] = (min(known[0], begin), max(known[1], end))
    return spans


def read(system: System) -> History:
    """What past runs of this host saw; empty when nothing was noted, or nothing that can be read."""
    try:
        return History.from_json(json.loads(system.files.read(paths.WAITS) or b"null"))
    except ValueError:
        return History()


def note(system: System, waits: tuple[Wait, ...]) -> None:
    """Add what a run saw."""
    if waits:
        system.files.write(paths.WAITS, json.dumps(read(system).with_(waits).to_json()).encode(), 0o600)
