"""States of units over systemd's own socket (`eyas.host.bus`): few properties of many units, asked in two rounds."""

from __future__ import annotations

import os

from eyas.core.system import UnitState
from eyas.host.bus import MANAGER, Bus, unit_path

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

UNIT = (
    "Id", "LoadState", "ActiveState", "SubState", "InvocationID", "DropInPaths", "FragmentPath", "ActiveEnterTimestamp",
    "Job",
)  # fmt: skip
SERVICE = ("MainPID", "MemoryCurrent")
INSIDE = ("CanReload",)  # what is asked of units in containers only
INSIDE_SERVICE = ("NRestarts",)
WITH_RESULT = ("Service", "Socket", "Timer", "Mount", "Automount", "Path", "Swap", "Scope")
UNKNOWN_MEMORY = 2**64 - 1
TICK = 0.02  # seconds: times of files are those of the kernel's last tick, up to 10 ms ago
DROP_INS = ("/etc/systemd/system", "/run/systemd/system", "/etc/systemd/system.control", "/run/systemd/system.control")


class States:
    """A question after units under way. Names are always answered, patterns with what matches and is not idle, as by
    systemctl(1). ``bus``: another systemd than the host's, in a container. Whether it has read its files is not asked
    then, only what tells of its units' health.

    Raises OSError or ValueError when systemd cannot be asked this way.
    """

    def __init__(self, patterns: Sequence[str], bus: Bus | None = None) -> None:
        self._inside = bus is not None
        self._bus = bus or Bus()
        wild = [pattern for pattern in patterns if any(c in pattern for c in "*?[")]
        self._listed = self._bus.list_units(wild) if wild else 0
        self._loaded = self._bus.get(MANAGER, "Manager", "UnitsLoadTimestamp")
        self._asked = [self._ask(pattern) for pattern in patterns if pattern not in wild]
        self._bus.send()

    def result(self) -> dict[str, UnitState]:
        """Wait for the answers; may be called once."""
        try:
            answers = self._bus.answers()
            rows = answers.get(self._listed) or ()
            self._asked += [self._ask(name) for name, *row in rows if _shown(*row)]
            answers |= self._bus.answers()
            found = [{name: answers[number] for name, number in asked.items()} for asked in self._asked]
            stale = {} if self._inside else self._stale(found, answers[self._loaded])
        finally:
            if not self._inside:
                self._bus.close()
        states = [_state(values, bool(stale.get(values["Id"]))) for values in found if values["Id"]]
        return {state.name: state for state in states}

    def _ask(self, unit: str) -> dict[str, int]:
        """Ask for everything about a unit: property to number of the question."""
        path, kind = unit_path(unit), unit.rpartition(".")[2].capitalize()
        asked = {name: self._bus.get(path, "Unit", name) for name in (*UNIT, *(INSIDE if self._inside else ()))}
        if kind == "Service":
            more = INSIDE_SERVICE if self._inside else ()
            asked |= {name: self._bus.get(path, kind, name) for name in (*SERVICE, *more)}
        if kind in WITH_RESULT:
            asked["Result"] = self._bus.get(path, kind, "Result")
        return asked

    def _stale(self, found: Sequence[Mapping[str, Any]], loaded: int | None) -> dict[str, bool]:
        """Units whose files have changed since systemd read them. To ask it is dear, so only units are asked for of
        which something is younger than the last time that it read all of them."""
        asked = {
            values["Id"]: self._bus.get(unit_path(values["Id"]), "Unit", "NeedDaemonReload")
            for values in found
            if values["Id"] and (loaded is None or (_youngest(values) + TICK) * 1e6 >= loaded)
        }
        answers = self._bus.answers()
        return {name: bool(answers[number]) for name, number in asked.items()}


def _shown(_about: str, _load: str, active: str, _sub: str, following: str, _path: str, job: int, *_more: str) -> bool:
    """Whether systemctl(1) would show a unit that was asked for by a pattern."""
    return not following and (active != "inactive" or job > 0)


def _youngest(values: Mapping[str, Any]) -> float:
    """When something of a unit's files changed last, in seconds since the epoch."""
    name = values["Id"]
    template = name.partition("@")[0] + "@." + name.rpartition(".")[2] if "@" in name else ""
    folders = [f"{base}/{unit}.d" for base in DROP_INS for unit in (name, template) if unit]
    files = [path for path in (values["FragmentPath"], *(values["DropInPaths"] or ())) if path]
    youngest = 0.0
    for path in (*files, *folders):
        try:
            about = os.stat(path)
        except OSError:
            if path in files:
                return float("inf")  # it went away: systemd knows
            continue
        youngest = max(youngest, about.st_mtime, about.st_ctime)
    return youngest


def _state(values: Mapping[str, Any], stale: bool) -> UnitState:
    memory = values.get("MemoryCurrent")
    job = values["Job"]
    return UnitState(
        name=values["Id"],
        load=values["LoadState"] or "",
        active=values["ActiveState"] or "",
        sub=values["SubState"] or "",
        result=values.get("Result") or "success",
        invocation=bytes(values["InvocationID"] or ()).hex(),
        need_reload=stale,
        main_pid=values.get("MainPID") or 0,
        job=bool(job and job[0]),
        drop_ins=tuple(values["DropInPaths"] or ()),
        memory=-1 if memory is None or memory == UNKNOWN_MEMORY else memory,
        since=float((values["ActiveEnterTimestamp"] or 0) // 1_000_000),
        restarts=values.get("NRestarts") or 0,
        can_reload=bool(values.get("CanReload", True)),
    )
