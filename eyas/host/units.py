"""systemd, of the host or of a running container, by systemctl(1); how the host's units are, by `eyas.host.states`, and
all of a container's by `eyas.host.inner`, where that finds a way.

Sources: org.freedesktop.systemd1(5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from eyas.core.errors import Failed
from eyas.core.paths import CONTROL
from eyas.core.system import UnitState
from eyas.host.command import CommandFailed, Running, run, start
from eyas.host.limits import show
from eyas.host.states import States

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from eyas.host.inner import Inner

    Answer = TypeVar("Answer")

PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,InvocationID,NeedDaemonReload,MainPID,Job,DropInPaths,"
    "MemoryCurrent,ActiveEnterTimestamp,NRestarts,CanReload"
)
UNKNOWN_MEMORY = ("[not set]", "", "infinity", str(2**64 - 1))


def parse_show(text: str) -> dict[str, UnitState]:
    """States from the output of ``systemctl show --timestamp=unix``: blocks of KEY=VALUE with an empty line between."""
    found: dict[str, UnitState] = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = values.get("Id", "")
        if name:
            found[name] = _state(name, values)
    return found


def _state(name: str, values: dict[str, str]) -> UnitState:
    memory = values.get("MemoryCurrent", "")
    since = values.get("ActiveEnterTimestamp", "").removeprefix("@")
    return UnitState(
        name=name,
        load=values.get("LoadState", ""),
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", "success") or "success",
        invocation=values.get("InvocationID", ""),
        need_reload=values.get("NeedDaemonReload") == "yes",
        main_pid=int(values.get("MainPID") or 0),
        job=values.get("Job", "0") not in ("", "0"),
        drop_ins=tuple(values.get("DropInPaths", "").split()),
        memory=-1 if memory in UNKNOWN_MEMORY else int(memory),
        since=float(since) if since.replace(".", "", 1).isdigit() else 0.0,
        restarts=int(values.get("NRestarts") or 0),
        can_reload=values.get("CanReload") != "no",
    )


def show_argv(patterns: Sequence[str], machine: str = "") -> list[str]:
    return _systemctl(machine, "show", f"--property={PROPERTIES}", "--timestamp=unix", "--", *patterns)


def _systemctl(machine: str, *words: str) -> list[str]:
    where = [f"--machine={machine}"] if machine else []
    return ["systemctl", "--no-ask-password", "--no-pager", *where, *words]


def _asking(patterns: Sequence[str]) -> States | Running:
    """Begin to ask, by the quick way where there is one."""
    try:
        return States(patterns)
    except (OSError, ValueError):
        return start(show_argv(patterns))


class RealUnits:
    """`eyas.core.system.Units`."""

    def __init__(self) -> None:
        self._ahead: dict[tuple[str, ...], States | Running] = {}
        self._inner: dict[str, Inner] = {}  # connections to containers that nobody uses just now

    def ahead(self, patterns: Sequence[str]) -> None:
        """Begin a `show`; the next one with the same patterns takes its answer."""
        if patterns:
            self._ahead[tuple(patterns)] = _asking(patterns)

    def show(self, patterns: Sequence[str], machine: str = "") -> dict[str, UnitState]:
        if not patterns:
            return {}
        if machine:
            asked = self._asked(machine, lambda inner: inner.show(patterns))
            return asked if asked is not None else parse_show(run(show_argv(patterns, machine)).text)
        begun = self._ahead.pop(tuple(patterns), None) or _asking(patterns)
        if isinstance(begun, States):
            try:
                return begun.result()
            except (OSError, ValueError, LookupError):
                begun = start(show_argv(patterns))
        return parse_show(begun.wait().text)

    def daemon_reload(self, machine: str = "") -> None:
        if not machine or self._asked(machine, lambda inner: inner.daemon_reload()) is None:
            run(_systemctl(machine, "daemon-reload"), timeout=120)

    def start(self, units: Sequence[str], *, wait: bool = True, timeout: float = 600, machine: str = "") -> None:
        self._job("start", units, wait, timeout, machine)

    def stop(self, units: Sequence[str], *, timeout: float = 600, machine: str = "", alone: bool = False) -> None:
        if not units:
            return
        if machine and self._job_inside("stop", units, timeout, machine):
            return
        mode = ["--job-mode=ignore-dependencies"] if alone else []
        result = run(_systemctl(machine, "stop", *mode, "--", *units), timeout=timeout, check=False)
        # Exit status 5: the unit does not exist, so it does not run either (systemctl(1), "EXIT STATUS").
        if result.code not in (0, 5):
            raise self._failed("stop", units, machine, result.error)

    def restart(self, units: Sequence[str], *, wait: bool = True, timeout: float = 600, machine: str = "") -> None:
        self._job("restart", units, wait, timeout, machine)

    def try_restart(self, units: Sequence[str], *, machine: str = "") -> None:
        self._job("try-restart", units, True, 600, machine)

    def reload(self, units: Sequence[str], *, machine: str = "") -> None:
        self._job("try-reload-or-restart", units, True, 600, machine)

    def reset_failed(self, units: Sequence[str], machine: str = "") -> None:
        if not units:
            return
        if not machine or self._asked(machine, lambda inner: inner.reset_failed(units)) is None:
            run(_systemctl(machine, "reset-failed", "--", *units), check=False)

    def log(self, units: Sequence[str], *, folder: str = "", lines: int = 10) -> list[str]:
        where = [f"--directory={folder}"] if folder else []
        about = [word for unit in units for word in ("--unit", unit)]
        words = ["--quiet", "--no-pager", "--output=short", "--no-hostname", f"--lines={lines}"]
        return run(["journalctl", *where, *words, *about], check=False).text.splitlines()

    def limit(self, unit: str, properties: Mapping[str, str]) -> None:
        # A daemon-reload reads the files, and tells the kernel nothing of a unit that runs; set-property does, and
        # leaves drop-ins of its own, which are not to outlive the change.
        run(_systemctl("", "set-property", "--runtime", unit, *(f"{key}={value}" for key, value in properties.items())))
        folder = Path(CONTROL, f"{unit}.d")
        for key in properties:
            (folder / f"50-{key}.conf").unlink(missing_ok=True)
        with suppress(OSError):  # what is prepared for a boot may be in there, too
            folder.rmdir()
        self.daemon_reload()
        show(unit)

    def later(self, unit: str, seconds: float, argv: Sequence[str]) -> None:
        timer = [f"--on-active={seconds:g}", "--timer-property=AccuracySec=100ms", "--collect", "--quiet"]
        run(["systemd-run", f"--unit={unit}", *timer, "--", *argv])

    def _job(self, verb: str, units: Sequence[str], wait: bool, timeout: float, machine: str) -> None:
        if not units:
            return
        if machine and wait and self._job_inside(verb, units, timeout, machine):
            return
        flags = [] if wait else ["--no-block"]
        try:
            run(_systemctl(machine, verb, *flags, "--", *units), timeout=timeout)
        except CommandFailed as error:
            raise self._failed(verb, units, machine, error.result.error or error.message) from None

    def _job_inside(self, verb: str, units: Sequence[str], timeout: float, machine: str) -> bool:
        """Have a job done in a container by our own connection; False where there is none, and nothing was done."""
        inner = self._enter(machine)
        if inner is None:
            return False
        try:
            why = inner.jobs(verb, units, timeout=timeout, missing=verb == "stop")
        except (OSError, ValueError) as error:
            inner.close()
            raise self._failed(verb, units, machine, f"systemd inside says no more ({error})") from None
        self._inner[machine] = inner
        if why:
            raise self._failed(verb, units, machine, why)
        return True

    def _asked(self, machine: str, question: Callable[[Inner], Answer]) -> Answer | None:
        """Ask systemd in a container by our own connection; None where that finds no way or no answer."""
        inner = self._enter(machine)
        if inner is None:
            return None
        try:
            answer = question(inner)
        except (OSError, ValueError, LookupError):
            inner.close()
            return None
        self._inner[machine] = inner
        return answer

    def _enter(self, machine: str) -> Inner | None:
        """A connection to systemd in a container: the last one, while the other end is there. Whoever has it, has it
        alone."""
        from eyas.host.inner import Inner

        known = self._inner.pop(machine, None)
        if known is not None:
            if known.is_open():
                return known
            known.close()
        try:
            return Inner(machine)
        except (OSError, ValueError):
            return None

    @staticmethod
    def _failed(verb: str, units: Sequence[str], machine: str, why: str) -> Failed:
        where = f" in {machine}" if machine else ""
        lines = [found for line in why.splitlines() if (found := line.partition('See "')[0].strip())]
        at = f"-M {machine} " if machine else ""
        return Failed(
            f"cannot {verb.removeprefix('try-')} {', '.join(units)}{where}: {' '.join(lines) or 'no reason given'}",
            f"look at: journalctl {at}-u {units[0]} -n 30",
        )
