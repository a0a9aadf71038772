"""Trees: commits of the store checked out as hard links, the package layer of containers. Shared and never written."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import PARTIAL, Deed, folder_of, table, text, whole


def _look(system: System, step: Step, folder: str) -> Json:
    return {"folder": folder, "had": system.files.stat(paths.tree(text(step, "commit"))) is not None}


def _checkout(system: System, step: Step, _saved: Json) -> None:
    commit = text(step, "commit")
    if system.files.stat(paths.tree(commit)) is None:
        system.store.checkout(commit, paths.tree(commit))


def _back(system: System, step: Step, saved: Json, _boot: bool) -> None:
    if not table(saved)["had"]:
        snapshot.put_away(system, paths.tree(text(step, "commit")), folder_of(saved))


def _remove(system: System, step: Step, _saved: Json) -> None:
    system.files.remove_tree(paths.tree(text(step, "commit")))


class Tree:
    name = "tree"
    verbs: Mapping[str, Deed] = {"checkout": Deed(_checkout, _look, _back), "remove": Deed(_remove)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return whole(want, have, "tree", Impact.none)

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        """Removal belongs to the sweep: once a run is kept, nothing needs the tree to go back."""
        commit = change.id.split(":", 1)[1]
        if change.action is Action.delete:
            return [Step(self.name, "remove", change.id, Phase.sweep, {"commit": commit})]
        return [Step(self.name, "checkout", change.id, Phase.prepare, {"commit": commit})]

    def observe(self, system: System) -> list[Resource]:
        return [
            Resource(f"tree:{commit}", self.name, "host", {"commit": commit})
            for commit in system.files.list(paths.TREES)
            if not commit.endswith(PARTIAL)
        ]
