"""What was prepared for the next boot of the host: on disk already, and not in effect.

Said by one file in /run, which that boot takes away: ids, each with what is in effect now (``old``, nothing for what
does not exist yet) and the digest of what was asked for (``new``). So a look at the host goes on to show what runs, and
a plan what a plain apply would do now.

    {"ids": {"firewall:eyas": {"old": {...} | null, "new": "..."}}}

Observed resources get ``pending``: True, or "new" for what is only there for the next boot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Change, FieldChange, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import Deed, table

NEW = "new"
ITSELF = ("container", "names")
"""Kinds that find by themselves what is in effect, whatever is on disk."""


def read(system: System) -> dict[str, dict[str, Json]]:
    """Ids that wait for the next boot."""
    data = system.files.read(paths.PENDING)
    if data is None:
        return {}
    ids = table(json.loads(data).get("ids"))
    return {id_: table(entry) for id_, entry in ids.items()}


def shown(found: Mapping[str, Resource], waiting: Mapping[str, Mapping[str, Json]]) -> dict[str, Resource]:
    """An observation as what is in effect."""
    seen = dict(found)
    for id_, entry in waiting.items():
        have, old = found.get(id_), entry.get("old")
        if have is None:
            continue
        fields: dict[str, Json] = dict(have.fields)
        if isinstance(old, dict) and have.kind not in ITSELF:
            fields = {**table(old.get("fields")), "pending": True}
        else:
            fields["pending"] = True if have.kind in ITSELF else NEW
        seen[id_] = Resource(have.id, have.kind, have.owner, fields, have.origin)
    return seen


def note_step(ids: Mapping[str, Json]) -> Step:
    """The step that notes what is prepared; first of its run, so that it is taken back last."""
    return Step("pending", "note", "pending:boot", Phase.prepare, {"ids": dict(ids)})


def done_step(ids: list[str]) -> Step:
    """The step after which these do not wait any more: they are in effect."""
    return Step("pending", "done", "pending:done", Phase.ready, {"ids": [*ids]})


def _look(system: System, _step: Step, folder: str) -> Json:
    return snapshot.take(system, paths.PENDING, folder)


def _note(system: System, step: Step, _saved: Json) -> None:
    known = read(system)
    for id_, entry in table(step.args["ids"]).items():
        # What is in effect is what it was before the first of several preparations.
        old = known[id_].get("old") if id_ in known else table(entry).get("old")
        known[id_] = {"old": old, "new": table(entry).get("new")}
    _write(system, known)


def _done(system: System, step: Step, _saved: Json) -> None:
    ids = step.args["ids"]
    gone = [str(id_) for id_ in ids] if isinstance(ids, list) else []
    _write(system, {id_: entry for id_, entry in read(system).items() if id_ not in gone})


def _write(system: System, ids: Mapping[str, Mapping[str, Json]]) -> None:
    if not ids:
        system.files.remove(paths.PENDING)
        return
    body = {"ids": {id_: dict(entry) for id_, entry in ids.items()}}
    system.files.write(paths.PENDING, json.dumps(body).encode(), 0o600)


def _back(system: System, _step: Step, saved: Json, boot: bool) -> None:
    if not boot:  # a boot has taken it away
        snapshot.put_back(system, saved)


class Pending:
    """No resources, only steps."""

    name = "pending"
    verbs: Mapping[str, Deed] = {"note": Deed(_note, _look, _back), "done": Deed(_done, _look, _back)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return []

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        return []

    def observe(self, system: System) -> list[Resource]:
        return []
