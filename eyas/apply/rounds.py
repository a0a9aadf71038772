"""Which steps of a run are done side by side. Pure; the rule is told in `eyas.apply.run`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eyas.core.words import Json, Phase, Step


def rounds(steps: Sequence[Step]) -> Iterator[list[int]]:
    """Numbers of the steps before the sweep, in the groups that are done side by side."""
    for batch in _batches(steps):
        lanes: dict[str, list[int]] = {}
        for number in batch:
            lanes.setdefault(steps[number].id, []).append(number)
        for place in range(max(len(lane) for lane in lanes.values())):
            yield [lane[place] for lane in lanes.values() if place < len(lane)]


def _batches(steps: Sequence[Step]) -> Iterator[list[int]]:
    """Runs of neighbours with the same phase and wave; a step without a wave stands alone."""
    batch: list[int] = []
    last: tuple[Phase, Json] | None = None
    for number, step in enumerate(steps):
        if step.phase is Phase.sweep:
            continue
        wave = step.args.get("wave")
        place = (step.phase, wave) if wave is not None else None
        if batch and (place is None or place != last):
            yield batch
            batch = []
        batch.append(number)
        last = place
    if batch:
        yield batch
