"""Limits of a container that runs: the kernel is told when they change.

systemd reads them from the drop-in at a start; of a unit that runs, a daemon-reload tells the kernel nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Fields, Json, Phase, Step
from eyas.kind.common import Deed
from eyas.kind.container.disk import name_of
from eyas.kind.container.health import state_of
from eyas.kind.container.text import TASKS, limit_lines

NONE = {
    "MemoryMax": "infinity", "MemoryHigh": "infinity", "CPUQuota": "", "CPUWeight": "", "IOWeight": "",
    "TasksMax": str(TASKS),
}  # fmt: skip
"""What holds where nothing is declared; the empty word is what the kernel begins with."""


def step(id_: str, want: Fields, have: Fields) -> Step:
    args: dict[str, Json] = {"limits": want.get("limits"), "before": have.get("limits")}
    return Step("container", "limit", id_, Phase.live, args)


def properties(limits: Json) -> Mapping[str, str]:
    """All that can be limited, as systemd calls it (systemd.resource-control(5))."""
    return {**NONE, **dict(line.split("=", 1) for line in limit_lines({"limits": limits}))}


def _hold(system: System, step: Step, limits: Json) -> None:
    name = name_of(step)
    if state_of(system, name).running:
        try:
            system.units.limit(paths.unit_name(name), properties(limits))
        except Failed:
            if state_of(system, name).running:  # it went down meanwhile, and comes up with them
                raise


def _do(system: System, step: Step, _saved: Json) -> None:
    _hold(system, step, step.args.get("limits"))


def _undo(system: System, step: Step, _saved: Json, boot: bool) -> None:
    if not boot:
        _hold(system, step, step.args.get("before"))


limit = Deed(_do, back=_undo)
