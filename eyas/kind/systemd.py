"""Deeds that concern systemd as a whole, shared by the steps of many resources."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core.system import System
from eyas.core.words import Change, FieldChange, Json, Resource, Step
from eyas.kind.common import Deed


def _reload(system: System, _step: Step, _saved: Json) -> None:
    system.units.daemon_reload()


def _reload_after(system: System, _step: Step, _saved: Json, boot: bool) -> None:
    if not boot:
        system.units.daemon_reload()


class Systemd:
    """No resources, only steps: ``reload`` acts forwards, ``settle`` (early, so undone late) backwards."""

    name = "systemd"
    verbs: Mapping[str, Deed] = {"reload": Deed(_reload), "settle": Deed(back=_reload_after)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return []

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        return []

    def observe(self, system: System) -> list[Resource]:
        return []
