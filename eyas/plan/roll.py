"""Restarts roll: one container after the other, so that several of one kind never stand still at once, and so that one
that does not come up again ends the roll. Pure.

Containers that are declared to restart with another go down with it, whoever asks; these are one place of the roll.
Those that are to be started and that a restarting one starts after come before it; all others start after the roll.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from eyas.core.words import Phase, Resource, Resources, Step
from eyas.plan.order import edges, waves

STARTS = (Phase.start, Phase.ready)


def rolled(steps: Sequence[Step], desired: Resources, actual: Resources) -> list[Step]:
    """The same steps, those of the roll with their phase and the number of their place (``wave``)."""
    containers = {r.name: r for r in (*actual.values(), *desired.values()) if r.kind == "container"}
    again = {_name(step) for step in steps if _is(step, Phase.restart)}
    starting = {_name(step) for step in steps if _is(step, Phase.start)} - again
    if not again:
        return list(steps)
    early = starting & _before(again, containers) - _blocked(again, desired, actual)
    number = _places(again, early, containers)
    return [_placed(step, number, early) for step in steps]


def _is(step: Step, *phases: Phase) -> bool:
    return step.kind == "container" and step.phase in phases


def _name(step: Step) -> str:
    return step.id.split(":", 1)[1]


def _placed(step: Step, number: Mapping[str, int], early: set[str]) -> Step:
    if _is(step, Phase.restart) or (_is(step, *STARTS) and _name(step) in early):
        return replace(step, phase=Phase.restart, args={**step.args, "wave": number[_name(step)]})
    return step


def _before(names: set[str], containers: Mapping[str, Resource]) -> set[str]:
    """All that these start after, directly or not."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        container = containers.get(todo.pop())
        new = {name for name in edges(container) if name not in found} if container else set()
        found |= new
        todo += new
    return found


def _blocked(again: set[str], desired: Resources, actual: Resources) -> set[str]:
    """Containers that are to have an address which a restarting one gives up only by its restart."""

    def address(resources: Resources, name: str) -> object:
        resource = resources.get(f"container:{name}")
        return resource.fields.get("address4") if resource else None

    taken = {address(actual, name) for name in again} - {None}
    return {r.name for r in desired.values() if r.kind == "container" and r.fields.get("address4") in taken}


def _places(again: set[str], early: set[str], containers: Mapping[str, Resource]) -> dict[str, int]:
    """Container to its place in the roll: by the order of their edges, then by name. What starts for the first time
    does so side by side with others of its rank."""
    level = waves(containers.values())
    groups: dict[str, list[str]] = {}
    for name in sorted(again):
        groups.setdefault(_head(name, again, containers), []).append(name)
    places: list[tuple[int, int, str, list[str]]] = [
        (min(level[name] for name in members), 1, head, members) for head, members in groups.items()
    ]
    for rank in sorted({level[name] for name in early}):
        places.append((rank, 0, "", sorted(name for name in early if level[name] == rank)))
    return {name: number for number, (*_, members) in enumerate(sorted(places)) for name in members}


def _head(name: str, again: set[str], containers: Mapping[str, Resource]) -> str:
    """The smallest name of all that restart together with this one."""
    ties = {one: {n for n in _names(containers[one]) if n in again} for one in again if one in containers}
    group, before = {name}, 0
    while len(group) != before:
        before = len(group)
        group |= {other for one in group for other in ties.get(one, ())}
        group |= {one for one, leaders in ties.items() if leaders & group}
    return min(group)


def _names(container: Resource) -> list[str]:
    names = container.fields.get("restart_with")
    return [str(name) for name in names] if isinstance(names, list) else []
