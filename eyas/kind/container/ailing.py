"""Units in a running container that were ill before a change: had failed, or were started again and again.

No change is to blame for them, so a change that only has them reload is kept whatever becomes of them: they are started
anew, for the new files may be what mends them, and if they are not, that is told with their last lines. One that the
change restarts is judged like any other. On the way back they are left as they were.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase

from eyas.core.errors import Failed
from eyas.core.system import System, UnitState
from eyas.core.words import Json
from eyas.kind.common import table
from eyas.kind.container.health import PAUSE, ill, told, trouble

LOOK = 2.0  # seconds that one started anew is looked at


def noted(states: Iterable[UnitState]) -> dict[str, Json]:
    """Those of the units that are ill, each with what it is just now: failed, or on its way up once more."""
    return {state.name: state.active for state in ill({state.name: state for state in states})}


def known_ill(known: Json) -> dict[str, str]:
    """What `noted` has noted."""
    return {name: str(active) for name, active in table(table(known).get("ill")).items()}


def matching(names: Iterable[str], patterns: Iterable[str]) -> set[str]:
    wanted = [*patterns]
    return {name for name in names if any(fnmatchcase(name, one) for one in wanted)}


def without(patterns: Iterable[str], names: Iterable[str], loaded: Iterable[str]) -> set[str]:
    """The patterns without some names: one that stands for any of them becomes what else is loaded and matches."""
    left, out = set[str](), {*names}
    for pattern in patterns:
        left |= matching(loaded, [pattern]) - out if matching(out, [pattern]) else {pattern}
    return left


def mend(system: System, name: str, units: Iterable[str], folder: str) -> str | None:
    """Start such units anew; what to tell of those that are ill all the same."""
    said = [text for unit in sorted(units) if (text := _mend(system, name, unit, folder))]
    return "\n".join(said) or None


def _mend(system: System, name: str, unit: str, folder: str) -> str | None:
    why, until = "", time.monotonic() + LOOK
    try:
        system.units.reset_failed([unit], machine=name)
        system.units.restart([unit], machine=name)
    except Failed as error:
        why = error.message
    while not (found := ill(system.units.show([unit], machine=name))) and not why and time.monotonic() < until:
        time.sleep(PAUSE)
    if found:
        return told(system, name, unit, f"{trouble(found[0])}, as before this change", folder)
    if why:
        return told(system, name, unit, f"was ill before this change and is not mended by it ({why})", folder)
    return None


def as_before(system: System, name: str, units: Mapping[str, str]) -> None:
    """On the way back: what had failed does not run, what was on its way up is so again. Nobody waits for it."""
    for unit, active in units.items():
        with suppress(Failed):
            if active == "failed":
                system.units.stop([unit], machine=name)
            else:
                system.units.restart([unit], wait=False, machine=name)
