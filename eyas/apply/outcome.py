"""How a run ended, as a value that travels to the operator and stays in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from eyas.core.waits import Wait
from eyas.core.words import Json

VERSION = 1

Result: TypeAlias = Literal["kept", "undone", "failed", "stuck"]


@dataclass(frozen=True)
class Outcome:
    """``result`` is one of

    kept    every step was done
    undone  a step failed, or somebody interrupted; everything is as before
    failed  nothing was changed at all
    stuck   the way back failed too; ``hands`` says what a person has to look at

    ``disturbed`` names containers that the plan promised to leave alone and that do not run with the same invocation
    as before: the promise was broken. ``seconds`` is wall time.
    """

    run: str
    result: Result
    steps: int = 0
    done: int = 0
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
    step: str = ""  # "kind.verb id" of the step that failed
    interrupted: bool = False
    recovered: bool = False  # ended by recovery, not by the run itself
    disturbed: tuple[str, ...] = ()
    proved: tuple[str, ...] = ()  # containers seen to be untouched
    hands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    changes: int = 0
    restarts: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()  # containers of which a new generation took over
    waits: tuple[Wait, ...] = ()  # how long people waited, container by container
    log: tuple[str, ...] = ()  # the last lines of what was not well
    whose: str = ""  # whose lines they are: "app.service in web"
    now: tuple[str, ...] = ()  # where the host is after the way back, in words

    @property
    def exit_code(self) -> int:
        """What the command ends with (design: 0 done, 1 nothing changed, 4 undone, 5 a person is needed, 130)."""
        if self.result == "stuck" or self.disturbed:
            return 5
        if self.interrupted:
            return 130
        return {"kept": 0, "undone": 4, "failed": 1}[self.result]

    def to_json(self) -> dict[str, Json]:
        return {
            "version": VERSION,
            "run": self.run,
            "result": self.result,
            "exit_code": self.exit_code,
            "steps": self.steps,
            "done": self.done,
            "seconds": self.seconds,
            "error": self.error,
            "hint": self.hint,
            "step": self.step,
            "interrupted": self.interrupted,
            "recovered": self.recovered,
            "disturbed": list(self.disturbed),
            "proved": list(self.proved),
            "hands": list(self.hands),
            "warnings": list(self.warnings),
            "left": list(self.left),
            "changes": self.changes,
            "restarts": list(self.restarts),
            "replaced": list(self.replaced),
            "waits": [wait.to_json() for wait in self.waits],
            "log": list(self.log),
            "whose": self.whose,
            "now": list(self.now),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Outcome:
        return cls(
            run=_text(data, "run"),
            result=cast("Result", _text(data, "result")),
            steps=_number(data, "steps"),
            done=_number(data, "done"),
            seconds=_seconds(data),
            error=_text(data, "error"),
            hint=_text(data, "hint"),
            step=_text(data, "step"),
            interrupted=bool(data.get("interrupted")),
            recovered=bool(data.get("recovered")),
            disturbed=_names(data, "disturbed"),
            proved=_names(data, "proved"),
            hands=_names(data, "hands"),
            warnings=_names(data, "warnings"),
            left=_names(data, "left"),
            changes=_number(data, "changes"),
            restarts=_names(data, "restarts"),
            replaced=_names(data, "replaced"),
            waits=tuple(Wait.from_json(item) for item in _rows(data, "waits")),
            log=_names(data, "log"),
            whose=_text(data, "whose"),
            now=_names(data, "now"),
        )


def _text(data: Mapping[str, Json], key: str) -> str:
    return str(data.get(key, ""))


def _number(data: Mapping[str, Json], key: str) -> int:
    value = data.get(key, 0)
    return value if isinstance(value, int) else 0


def _seconds(data: Mapping[str, Json]) -> float:
    value = data.get("seconds", 0.0)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _names(data: Mapping[str, Json], key: str) -> tuple[str, ...]:
    value = data.get(key)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _rows(data: Mapping[str, Json], key: str) -> list[dict[str, Json]]:
    value = data.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
