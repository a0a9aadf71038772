"""Which deed comes before which: phases first, then the edges between containers, then names.

Source of the edges: a container's ``after``, ``needs`` and ``restart_with`` all mean start order; a cycle is refused
by check, and would here only lose its order, never its steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from eyas.core.words import Phase, Resource, Step

# Within a phase: what others stand on comes first. A kind that is not named comes last.
KINDS = (
    "pending", "package", "certificate", "disk", "directory", "tree", "layer", "identity", "user", "sysctl", "file",
    "unit", "network", "names", "firewall", "egress", "container", "systemd",
)  # fmt: skip


def edges(resource: Resource) -> list[str]:
    """Names of the containers that this one starts after."""
    found: list[str] = []
    for key in ("after", "needs", "restart_with"):
        names = resource.fields.get(key)
        if isinstance(names, list):
            found += [str(name) for name in names]
    return found


def waves(containers: Iterable[Resource]) -> dict[str, int]:
    """Each container's place in the start order: 0 for those that wait for nobody."""
    after = {resource.name: edges(resource) for resource in containers}
    level: dict[str, int] = {}

    def of(name: str, path: tuple[str, ...]) -> int:
        if name not in level:
            below = [of(other, (*path, name)) for other in after[name] if other in after and other not in path]
            level[name] = 1 + max(below, default=-1)
        return level[name]

    for name in after:
        of(name, ())
    return level


def ordered(steps: Sequence[Step], wave: Mapping[str, int]) -> tuple[Step, ...]:
    """The steps of a run: one list, each step once, every wave a number that apply may run side by side.

    A step that several resources ask for (one daemon-reload for all unit files) stays at its last place of its phase.
    """
    last: dict[tuple[str, str, str, Phase], int] = {}
    for index, step in enumerate(steps):
        last[(step.kind, step.verb, step.id, step.phase)] = index
    kept = [step for index, step in enumerate(steps) if last[(step.kind, step.verb, step.id, step.phase)] == index]
    numbered = [_with_wave(step, wave) for step in kept]
    return tuple(sorted(numbered, key=_place))


def _with_wave(step: Step, wave: Mapping[str, int]) -> Step:
    if step.kind != "container" or "wave" in step.args:
        return step
    number = wave.get(step.id.split(":", 1)[1], 0)
    # Who depends on others stops before them. And the way back is walked backwards: the first there comes back last.
    if step.phase is Phase.stop or (step.phase is Phase.prepare and step.verb == "settle"):
        number = -number
    elif step.phase is Phase.ready:  # whoever waits for another does it side by side
        number = 0
    elif step.phase is not Phase.start:
        return step
    return replace(step, args={**step.args, "wave": number})


def _place(step: Step) -> tuple[int, int, int]:
    kind = KINDS.index(step.kind) if step.kind in KINDS else len(KINDS)
    number = step.args.get("wave", 0)
    return int(step.phase), kind, number if isinstance(number, int) else 0
