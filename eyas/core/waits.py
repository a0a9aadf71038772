"""How long people wait for a container while it changes: what was seen in past runs, and what that lets expect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.core.words import Json

KEPT = 20  # figures for each container and impact
OTHERS = 64  # containers; those that were seen last stay


@dataclass(frozen=True)
class Wait:
    """What one run saw of one container. ``seen`` and ``predicted`` are seconds that new connections waited (or would
    have, where nobody came); ``steps`` how long each of its steps took, by verb."""

    container: str
    impact: str
    seen: float
    predicted: float | None = None
    steps: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        return {
            "container": self.container,
            "impact": self.impact,
            "predicted": self.predicted,
            "seen": self.seen,
            "steps": dict(self.steps),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Wait:
        steps, predicted = data.get("steps"), data.get("predicted")
        return cls(
            str(data.get("container", "")),
            str(data.get("impact", "")),
            _number(data.get("seen")),
            None if predicted is None else _number(predicted),
            {verb: _number(value) for verb, value in steps.items()} if isinstance(steps, dict) else {},
        )


@dataclass(frozen=True)
class Expected:
    """A figure for what is to come; ``other`` when it is only known of other containers of the host."""

    seconds: float
    other: bool = False


@dataclass(frozen=True)
class History:
    """Seconds by container and impact, the newest last."""

    seen: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)

    def expect(self, container: str, impact: str) -> Expected | None:
        """The median of what was seen of this container; of the host's others, when it was never seen; None when
        nothing is known."""
        own = self.seen.get(container, {}).get(impact, ())
        if own:
            return Expected(median(own))
        others = [median(by[impact]) for name, by in self.seen.items() if name != container and by.get(impact)]
        return Expected(median(others), other=True) if others else None

    def with_(self, waits: Iterable[Wait]) -> History:
        """The history with what one more run saw."""
        seen = {name: dict(by) for name, by in self.seen.items()}
        for wait in waits:
            by = seen.pop(wait.container, {})  # to the end: seen last
            by[wait.impact] = (*by.get(wait.impact, ()), wait.seen)[-KEPT:]
            seen[wait.container] = by
        return History(dict(list(seen.items())[-OTHERS:]))

    def to_json(self) -> dict[str, Json]:
        containers: dict[str, Json] = {
            name: {impact: list(figures) for impact, figures in by.items()} for name, by in self.seen.items()
        }
        return {"version": 1, "containers": containers}

    @classmethod
    def from_json(cls, data: Json) -> History:
        """What is of another version, or damaged, is no history: figures come again with each run."""
        containers = data.get("containers") if isinstance(data, dict) and data.get("version") == 1 else None
        if not isinstance(containers, dict):
            return cls()
        return cls(
            {
                name: {impact: _figures(figures) for impact, figures in by.items()}
                for name, by in containers.items()
                if isinstance(by, dict)
            }
        )


def median(figures: Iterable[float]) -> float:
    """The middle one, or the mean of the two in the middle. ValueError when there is none."""
    ordered = sorted(figures)
    if not ordered:
        raise ValueError("cannot take the median of nothing")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _figures(value: Json) -> tuple[float, ...]:
    return tuple(float(item) for item in value if isinstance(item, int | float)) if isinstance(value, list) else ()
