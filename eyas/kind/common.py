"""What the kinds share: differences of plain fields, and verbs made of two or three functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from eyas.core.system import Entry, System
from eyas.core.words import FieldChange, Fields, Impact, Json, Phase, Resource, Step

RELOAD = Step("systemd", "reload", "systemd:reload", Phase.configure)
"""Let systemd read unit files again, once for all steps that changed some."""
RELOAD_REMOVED = Step("systemd", "reload", "systemd:reload-removed", Phase.remove)
"""The same when unit files have gone: what ran from them has stopped by then."""
SETTLE = Step("systemd", "settle", "systemd:settle", Phase.prepare)
"""Nothing forwards; backwards, the daemon-reload after unit files were put back."""

PARTIAL = ".eyas-new"
"""The end of a name that is not finished yet: a tree or a layer after a crash."""


def nothing(_system: System, _step: Step, _saved: Json) -> None:
    """The deed of a step that only matters on the way back."""


def save_nothing(_system: System, _step: Step, _folder: str) -> Json:
    return None


def undo_nothing(_system: System, _step: Step, _saved: Json, _boot: bool) -> None:
    """For deeds that another step takes back, or that have nothing to take back."""


@dataclass(frozen=True)
class Deed:
    """A verb out of its three functions (`eyas.kind.Verb`)."""

    act: Callable[[System, Step, Json], str | None] = nothing
    look: Callable[[System, Step, str], Json] = save_nothing
    back: Callable[[System, Step, Json, bool], None] = undo_nothing

    def save(self, system: System, step: Step, folder: str) -> Json:
        return self.look(system, step, folder)

    def do(self, system: System, step: Step, saved: Json) -> str | None:
        return self.act(system, step, saved)

    def undo(self, system: System, step: Step, saved: Json, boot: bool = False) -> None:
        self.back(system, step, saved, boot)


@dataclass(frozen=True)
class ManyDeed(Deed):
    """A verb that can be done for several steps in one call."""

    many: Callable[[System, Sequence[tuple[Step, Json]]], None] = lambda _system, _steps: None

    def do(self, system: System, step: Step, saved: Json) -> None:
        self.many(system, [(step, saved)])

    def do_many(self, system: System, steps: Sequence[tuple[Step, Json]]) -> None:
        self.many(system, steps)


def differences(
    want: Resource | None,
    have: Resource | None,
    fields: Sequence[str],
    impact: Impact = Impact.live,
    note: Callable[[str, Json, Json], str] | None = None,
) -> list[FieldChange]:
    """Compare some fields; each difference has the same impact. What is missing on one side is None."""
    old: Fields = have.fields if have else {}
    new: Fields = want.fields if want else {}
    return [
        FieldChange(
            field, old.get(field), new.get(field), impact, note(field, old.get(field), new.get(field)) if note else ""
        )
        for field in fields
        if old.get(field) != new.get(field)
    ]


def whole(want: Resource | None, have: Resource | None, what: str, impact: Impact = Impact.live) -> list[FieldChange]:
    """One line for a resource that comes or goes as a whole; [] when both are there."""
    if want is not None and have is not None:
        return []
    return [FieldChange("", None, None, impact, f"{what} {'added' if have is None else 'removed'}")]


def by_hand(change: FieldChange, what: str) -> FieldChange:
    """The same difference in content, when what is there is not what we wrote last."""
    if change.field != "content":
        return change
    return replace(change, field="content_drift", note=f"{what} was changed by hand")


def folder_of(saved: Json) -> str:
    """The step's folder that a verb noted for itself."""
    assert isinstance(saved, dict)
    return str(saved["folder"])


def table(value: Json) -> dict[str, Json]:
    """A JSON object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def text(step: Step | Mapping[str, Json], key: str) -> str:
    args = step.args if isinstance(step, Step) else step
    return str(args[key])


def integer(value: Json, default: int = 0) -> int:
    return int(value) if isinstance(value, int | float | str) and value != "" else default


def entry(data: Mapping[str, Json], prefix: str = "") -> Entry:
    """An entry of a layer as it travels in JSON (content as text, or b64)."""
    import base64

    raw = data.get("b64")
    body = base64.b64decode(str(raw)) if raw is not None else str(data.get("content") or "").encode()
    return Entry(
        prefix + str(data["path"]),
        str(data["type"]),
        integer(data.get("mode"), 0o755 if data["type"] == "dir" else 0o644),
        integer(data.get("uid")),
        integer(data.get("gid")),
        body,
        str(data.get("target") or ""),
    )
