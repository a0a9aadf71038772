"""Packages of the host itself. One that was there before us stays when it is no longer declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import owned
from eyas.kind.common import Deed, ManyDeed, table, whole


def _name(step: Step) -> str:
    return step.id.split(":", 1)[1]


def _look(system: System, step: Step, _folder: str) -> Json:
    return {
        "had": _name(step) in system.packages.installed([_name(step)]),
        "note": owned.ids(system, "package").get(step.id),
    }


def _install(system: System, steps: Sequence[tuple[Step, Json]]) -> None:
    for step, saved in steps:
        owned.claim(system, step.id, {"before": table(saved)["had"]})
    names = [_name(step) for step, _ in steps]
    present = system.packages.installed(names)
    system.packages.install([name for name in names if name not in present])


def _uninstall(system: System, step: Step, saved: Json, boot: bool) -> None:
    seen = table(saved)
    if not seen["had"] and _name(step) in system.packages.installed([_name(step)]):
        if boot:
            return  # scripts of packages start and stop units; the claim stays, so the next apply takes it away
        system.packages.remove([_name(step)])
    owned.restore(system, step.id, seen["note"])


def _remove(system: System, step: Step, saved: Json) -> None:
    if not table(table(saved)["note"]).get("before"):
        system.packages.remove([_name(step)])
    owned.release(system, step.id)


class Package:
    """Removal belongs to the sweep, after the run is kept: to undo it could need a network that is not there."""

    name = "package"
    verbs: Mapping[str, Deed] = {
        "install": ManyDeed(look=_look, back=_uninstall, many=_install),
        "remove": Deed(_remove, _look),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        name = (want or have).name  # type: ignore[union-attr]
        return whole(want, have, f"package {name}", Impact.live)

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete:
            return [Step(self.name, "remove", change.id, Phase.sweep)]
        # The wave is the same for all, so that apply hands them over together: one apt for all.
        return [Step(self.name, "install", change.id, Phase.prepare, {"wave": 0})]

    def observe(self, system: System) -> list[Resource]:
        mine = owned.ids(system, self.name)
        present = system.packages.installed([id_.split(":", 1)[1] for id_ in mine])
        return [Resource(id_, self.name, "host", {}) for id_ in mine if id_.split(":", 1)[1] in present]
