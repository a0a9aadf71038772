"""What identifies a container for its users across all its roots: its SSH host keys. Made once, kept like data."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import Deed, folder_of, table, whole

LAST = "ssh/ssh_host_rsa_key"  # made last: when it is there, all are


def _name(step: Step) -> str:
    return step.id.split(":", 1)[1]


def _look(system: System, step: Step, folder: str) -> Json:
    return {"folder": folder, "had": system.files.stat(paths.identity(_name(step))) is not None}


def _make(system: System, step: Step, _saved: Json) -> None:
    where = paths.identity(_name(step))
    system.files.mkdir(where, 0o700)
    system.keys.make_host_keys(f"{where}/ssh")


def _back(system: System, step: Step, saved: Json, _boot: bool) -> None:
    if not table(saved)["had"]:
        snapshot.put_away(system, paths.identity(_name(step)), folder_of(saved))


class Identity:
    name = "identity"
    verbs: Mapping[str, Deed] = {"make": Deed(_make, _look, _back)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return whole(want, have, "SSH host keys", Impact.none)

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete:
            return []
        return [Step(self.name, "make", change.id, Phase.prepare)]

    def observe(self, system: System) -> list[Resource]:
        return [
            Resource(f"identity:{container}", self.name, container, {})
            for container in system.files.list(paths.IDENTITIES)
            if system.files.stat(f"{paths.identity(container)}/{LAST}") is not None
        ]
