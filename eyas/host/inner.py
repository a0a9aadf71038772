"""systemd in a running container, asked over its own socket: what `eyas.host.units` does inside, without a process.

systemctl(1) takes its time to get in and to read all properties; new connections may be waiting meanwhile.
Sources: org.freedesktop.systemd1(5) ("Manager", "JobRemoved"), systemctl(1).
"""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

from eyas.core.errors import Failed
from eyas.host import within
from eyas.host.bus import Bus
from eyas.host.states import States

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyas.core.system import UnitState

METHODS = {
    "start": "StartUnit",
    "stop": "StopUnit",
    "restart": "RestartUnit",
    "try-restart": "TryRestartUnit",
    "try-reload-or-restart": "ReloadOrTryRestartUnit",
}
WELL = ("done", "skipped")
NO_UNIT = "org.freedesktop.systemd1.NoSuchUnit"
WILD = "*?["


class Inner:
    """A connection to systemd in a container. OSError or ValueError when it cannot be asked (any more)."""

    def __init__(self, container: str) -> None:
        self.container = container
        self._bus = Bus(within.to_systemd(container))

    def is_open(self) -> bool:
        return self._bus.is_open()

    def close(self) -> None:
        self._bus.close()

    def show(self, patterns: Sequence[str]) -> dict[str, UnitState]:
        return States(patterns, self._bus).result()

    def daemon_reload(self) -> bool:
        """True when it is done."""
        number = self._bus.call("Reload")
        self._bus.answers()
        if why := self._bus.refused.get(number):
            raise Failed(f"cannot reload systemd in {self.container}: {why[1]}")
        return True

    def reset_failed(self, units: Sequence[str]) -> bool:
        """True when it is done, as far as there are such units."""
        for unit in self._named(units):
            self._bus.call("ResetFailedUnit", unit)
        self._bus.answers()
        return True

    def jobs(self, verb: str, units: Sequence[str], *, timeout: float, missing: bool = False) -> str:
        """Have jobs done, and wait; why not, or ''. ``missing``: a unit that does not exist is no error."""
        numbers = {self._bus.call(METHODS[verb], unit, "replace"): unit for unit in self._named(units)}
        answers = self._bus.answers()
        begun = {answers[number]: unit for number, unit in numbers.items() if answers[number]}
        refused = [self._bus.refused[number] for number in numbers if not answers[number]]
        why = [words for name, words in refused if not (missing and name == NO_UNIT)]
        until = time.monotonic() + timeout
        while begun.keys() - self._bus.ended.keys():
            if time.monotonic() >= until:
                return f"it took longer than {timeout:g} s"
            try:
                self._bus.listen(until - time.monotonic())
            except TimeoutError:
                continue
        bad = {unit: result for job, unit in begun.items() if (result := self._bus.ended[job]) not in WELL}
        why += self._reasons(bad)
        return " ".join(why)

    def _named(self, patterns: Sequence[str]) -> list[str]:
        """Units by their names; of a pattern, those that are loaded and match."""
        wild = [one for one in patterns if any(c in one for c in WILD)]
        number = self._bus.list_units(wild) if wild else 0
        loaded = [str(row[0]) for row in (self._bus.answers()[number] or ())] if wild else []
        names: list[str] = []
        for one in patterns:
            names += [name for name in loaded if fnmatchcase(name, one)] if one in wild else [one]
        return list(dict.fromkeys(names))

    def _reasons(self, bad: dict[str, str]) -> list[str]:
        states = self.show([*bad]) if bad else {}
        reasons = []
        for unit, result in bad.items():
            state = states.get(unit)
            how = state.result if state and result == "failed" and state.result != "success" else result
            reasons.append(f"Job for {unit} failed ({how}).")
        return reasons
