"""Configuration layers: what a container has on top of its packages, as files with their natural owners.

A layer is named by its digest and never changes; another configuration is another layer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import Entry, System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import PARTIAL, Deed, entry, folder_of, table, text, whole


def _look(system: System, step: Step, folder: str) -> Json:
    return {"folder": folder, "had": system.files.stat(paths.layer(text(step, "digest"))) is not None}


def _make(system: System, step: Step, _saved: Json) -> None:
    where = paths.layer(text(step, "digest"))
    if system.files.stat(where) is not None:
        return
    listed = step.args["entries"]
    assert isinstance(listed, list)
    entries = [entry(table(item), "/root") for item in listed]
    names: list[Json] = [item.path.removeprefix("/root") for item in entries]
    manifest = json.dumps({"version": 1, "container": step.args["container"], "paths": names}, indent=1)
    system.files.make_tree(
        where, [Entry("/root", "dir", 0o755), *entries, Entry("/manifest.json", "file", 0o600, data=manifest.encode())]
    )


def _back(system: System, step: Step, saved: Json, _boot: bool) -> None:
    if not table(saved)["had"]:
        snapshot.put_away(system, paths.layer(text(step, "digest")), folder_of(saved))


def _remove(system: System, step: Step, _saved: Json) -> None:
    system.files.remove_tree(paths.layer(text(step, "digest")))


class Layer:
    name = "layer"
    verbs: Mapping[str, Deed] = {"make": Deed(_make, _look, _back), "remove": Deed(_remove)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return whole(want, have, "configuration", Impact.none)

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        digest = change.id.split(":", 1)[1]
        if change.action is Action.delete:
            return [Step(self.name, "remove", change.id, Phase.sweep, {"digest": digest})]
        assert want is not None
        return [Step(self.name, "make", change.id, Phase.prepare, want.fields)]

    def observe(self, system: System) -> list[Resource]:
        """Digests only; what is in a layer is known by its name."""
        return [
            Resource(f"layer:{digest}", self.name, "host", {"digest": digest})
            for digest in system.files.list(paths.LAYERS)
            if not digest.endswith(PARTIAL)
        ]
