"""Plain files of the host. What stood at the path before us is kept, and comes back when the file goes."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Json, Phase, Resource, Step, digest
from eyas.kind import owned, snapshot
from eyas.kind.common import Deed, by_hand, differences, integer, table, text, whole

FIELDS = ("content", "mode", "owner", "group")


def _path(step: Step) -> str:
    return step.id.split(":", 1)[1]


def _look(system: System, step: Step, folder: str) -> Json:
    return {"was": snapshot.take(system, _path(step), folder), "note": owned.ids(system, "file").get(step.id)}


def _write(system: System, step: Step, _saved: Json) -> None:
    path = _path(step)
    uid, gid = system.accounts.ids(text(step, "owner"), text(step, "group"))
    known = owned.ids(system, "file").get(step.id)
    # At the first claim: keep what somebody else put there. Before the write, so a crash cannot lose it.
    before = known["before"] if known else snapshot.take(system, path, paths.PREVIOUS)
    data = text(step, "content").encode("utf-8", "surrogateescape")
    note: dict[str, Json] = {"before": before, "digest": digest(data)}
    note |= {key: step.args[key] for key in ("owner", "group")}
    owned.claim(system, step.id, note, replace=True)
    system.files.write(path, data, integer(step.args["mode"], 0o644), uid, gid)


def _remove(system: System, step: Step, saved: Json) -> None:
    note = table(table(saved)["note"])
    before = table(note.get("before"))
    if before and before.get("type") != "absent":
        snapshot.put_back(system, before)
        system.files.remove(str(before.get("kept", "")) or snapshot.slot(paths.PREVIOUS, _path(step)))
    else:
        system.files.remove(_path(step))
    owned.release(system, step.id)


def _back(system: System, step: Step, saved: Json, _boot: bool) -> None:
    seen = table(saved)
    snapshot.put_back(system, seen["was"])
    _keep_previous(system, step, seen)
    owned.restore(system, step.id, seen["note"])


def _keep_previous(system: System, step: Step, seen: Mapping[str, Json]) -> None:
    """After an undone removal, the copy from before us is needed again: it is what now stands nowhere else."""
    before = table(table(seen["note"]).get("before"))
    if seen["note"] is None:
        system.files.remove(snapshot.slot(paths.PREVIOUS, _path(step)))
    elif before.get("type") == "file" and system.files.read(str(before["kept"])) is None:
        kept = seen.get("previous")
        if isinstance(kept, str):
            system.files.write(str(before["kept"]), system.files.read(kept) or b"", 0o600)


def _look_before_removal(system: System, step: Step, folder: str) -> Json:
    seen = _look(system, step, folder)
    assert isinstance(seen, dict)
    before = table(table(seen["note"]).get("before"))
    if before.get("type") == "file":
        kept = f"{snapshot.slot(folder, _path(step))}.previous"
        system.files.write(kept, system.files.read(str(before["kept"])) or b"", 0o600)
        seen["previous"] = kept
    return seen


class File:
    name = "file"
    verbs: Mapping[str, Deed] = {
        "write": Deed(_write, _look, _back),
        "remove": Deed(_remove, _look_before_removal, _back),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        path = (want or have).name  # type: ignore[union-attr]
        if want is None or have is None:
            return whole(want, have, path)
        found = differences(want, have, FIELDS, note=lambda field, old, new: _said(path, field, old, new))
        return [by_hand(change, path) if have.fields.get("edited") else change for change in found]

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            # After the phase that takes containers away: our scripts are files too, and serve until then.
            return [Step(self.name, "remove", change.id, Phase.live)]
        args = {"mode": 0o644, "owner": "root", "group": "root", **want.fields}
        return [Step(self.name, "write", change.id, Phase.host, args)]

    def observe(self, system: System) -> list[Resource]:
        found = []
        for id_, note in owned.ids(system, self.name).items():
            path = id_.split(":", 1)[1]
            stat = system.files.stat(path)
            data = system.files.read(path) if stat and stat.type == "file" else None
            if stat is None or data is None:
                continue
            owner, group = str(note.get("owner", "root")), str(note.get("group", "root"))
            fields: dict[str, Json] = {
                "content": data.decode("utf-8", "surrogateescape"),
                "mode": stat.mode,
                "owner": _named(system, owner, "0", stat.uid, 0),
                "group": _named(system, "0", group, stat.gid, 1),
            }
            if note.get("digest") != digest(data):
                fields["edited"] = True
            found.append(Resource(id_, self.name, "host", fields))
        return found


def _named(system: System, owner: str, group: str, number: int, which: int) -> str:
    """The declared name when it means the number that is found, else the number."""
    name = (owner, group)[which]
    if name == "root" and number == 0:
        return name
    return name if system.accounts.ids(owner, group)[which] == number else str(number)


def _said(path: str, field: str, old: Json, new: Json) -> str:
    if field == "content":
        return f"{path} changed"
    if field == "mode":
        return f"{path} mode {integer(old):04o} -> {integer(new):04o}"
    return f"{path} {field} {old} -> {new}"
