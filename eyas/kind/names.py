"""The hosts file that all containers share: one write renames nobody's neighbour unnoticed."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import Deed, differences, folder_of, table, text


def _look(system: System, _step: Step, folder: str) -> Json:
    was, next_ = (snapshot.take(system, path, folder) for path in (paths.NAMES, paths.NAMES_NEXT))
    return {"folder": folder, "was": was, "next": next_}


def _write(system: System, step: Step, _saved: Json) -> None:
    system.files.mkdir(paths.NAMES_DIR)
    system.files.write(paths.NAMES, text(step, "content").encode())
    system.files.remove(paths.NAMES_NEXT)


def _stage(system: System, step: Step, _saved: Json) -> None:
    """For the next boot: every container sees the file itself, and at once."""
    system.files.mkdir(paths.NAMES_DIR)
    system.files.write(paths.NAMES_NEXT, text(step, "content").encode())


def _remove(system: System, _step: Step, saved: Json) -> None:
    snapshot.put_away(system, paths.NAMES, folder_of(saved))
    system.files.remove(paths.NAMES_NEXT)


def _back(system: System, _step: Step, saved: Json, _boot: bool) -> None:
    snapshot.put_back(system, table(saved)["was"])
    if table(saved).get("next"):
        snapshot.put_back(system, table(saved)["next"])


class Names:
    name = "names"
    verbs: Mapping[str, Deed] = {
        "write": Deed(_write, _look, _back),
        "stage": Deed(_stage, _look, _back),
        "remove": Deed(_remove, _look, _back),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return differences(want, have, ("content",), note=lambda _field, old, new: changed_names(old, new))

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete:
            return [Step(self.name, "remove", change.id, Phase.remove)]
        assert want is not None
        return [Step(self.name, "write", change.id, Phase.network, {"content": want.fields["content"]})]

    def observe(self, system: System) -> list[Resource]:
        data = system.files.read(paths.NAMES)
        if data is None:
            return []
        return [Resource("names:hosts", self.name, "host", {"content": data.decode(errors="replace")})]


def changed_names(old: Json, new: Json) -> str:
    """In words: which names come and go."""
    before, after = (
        {tuple(line.split()) for line in str(text_ or "").splitlines() if line.strip() and line[0] != "#"}
        for text_ in (old, new)
    )
    gone, come = sorted({w[1] for w in before - after}), sorted({w[1] for w in after - before})
    words = [f"{name} renumbered" for name in sorted({*gone} & {*come})]
    words += [f"{name} added" for name in come if name not in gone]
    words += [f"{name} removed" for name in gone if name not in come]
    return "names: " + (", ".join(words) or "changed")
