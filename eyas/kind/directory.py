"""Directories with data, shown in containers by binds: made with an owner and a mode, and never removed.

Once a directory is there, its owner and mode are its service's business (a database closes its own): they are set
when it is made, and when the definition of them changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import owned
from eyas.kind.common import Deed, differences, integer, table, text, whole

FIELDS = ("owner", "group", "mode")


def _look(system: System, step: Step, _folder: str) -> Json:
    stat = system.files.stat(text(step, "path"))
    seen: dict[str, Json] = {
        "note": owned.ids(system, "directory").get(step.id),
        "left": owned.left(system),
    }
    if stat is not None:
        seen["was"] = {"owner": stat.uid, "group": stat.gid, "mode": stat.mode}
    return seen


def _make(system: System, step: Step, saved: Json) -> None:
    path = text(step, "path")
    note: dict[str, Json] = {key: step.args[key] for key in (*FIELDS, "container")}
    owned.claim(system, step.id, note, replace=True)
    owned.back_in_use(system, [path])
    seen = table(saved)
    # One that was there before us keeps its owner; a changed definition changes it.
    if "was" not in seen or seen["note"] is not None:
        mode, uid, gid = (integer(step.args[key]) for key in ("mode", "owner", "group"))
        system.files.mkdir(path, mode, uid, gid)


def _back(system: System, step: Step, saved: Json, _boot: bool) -> None:
    path, seen = text(step, "path"), table(saved)
    owned.restore_left(system, seen["left"])
    if "was" in seen:
        was = table(seen["was"])
        if system.files.stat(path) is not None:
            system.files.mkdir(path, integer(was["mode"]), integer(was["owner"]), integer(was["group"]))
    else:
        try:
            system.files.remove(path)
        except Failed:
            owned.leave(system, [path])  # somebody has put data into it since: it stays
    owned.restore(system, step.id, seen["note"])


class Directory:
    name = "directory"
    verbs: Mapping[str, Deed] = {"make": Deed(_make, _look, _back)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return whole(want, have, "directory", Impact.none) or differences(want, have, FIELDS)

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return []
        path = change.id.split(":", 1)[1]
        args: dict[str, Json] = {"path": path, "container": want.owner}
        args |= {key: want.fields.get(key, 0o755 if key == "mode" else 0) for key in FIELDS}
        return [Step(self.name, "make", change.id, Phase.prepare, args)]

    def observe(self, system: System) -> list[Resource]:
        """Those that are there, with the owner and mode that they were declared with."""
        return [
            Resource(id_, self.name, str(note.get("container", "host")), {key: note.get(key) for key in FIELDS})
            for id_, note in owned.ids(system, self.name).items()
            if system.files.stat(id_.split(":", 1)[1]) is not None
        ]
