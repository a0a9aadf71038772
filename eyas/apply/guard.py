"""Going back by itself when a run has cut the operator's connection: a timer of the host that only a fresh connection
stops.

    guard/ in the run's folder: see guard.sh, which is written there with what it puts back

    before the first risky step   save, write the script, set the timer (of systemd: it outlives every process here)
    while steps are done          the deadline moves on, by a thread: who is killed stops moving it
    after the last risky step     ask, and wait: confirmed, and the run goes on; or the timer fires, and it goes back

The verdict is one file, made by link(2), so that exactly one of them decides: ``confirmed`` by an agent that a new
session has started, ``fired`` by the timer, ``over`` by the run or by recovery. A run that was guarded and not
confirmed is never kept (`eyas.apply.recover.finished`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from eyas.apply.fault import Fault
from eyas.apply.journal import Journal
from eyas.apply.risk import risks, risky_steps
from eyas.core import paths
from eyas.core.errors import EyasError, Failed
from eyas.core.events import Event, Listener
from eyas.core.system import System
from eyas.core.words import Plan, Step
from eyas.host.disk import explained, sync_folder, write_whole
from eyas.kind.unit import install_links, path_of

FOLDER = "guard"
GRACE = 10.0  # seconds beyond the deadline that we wait for the timer's own deeds before we go back without them
PAUSE = 0.02
ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
CONFIRM = "confirm"  # topic of the event that asks for a fresh connection


class Guard:
    """One run's. Nothing is done for a plan that risks nothing."""

    def __init__(
        self, journal: Journal, plan: Plan, system: System, listener: Listener, within: float, fault: Fault
    ) -> None:
        self.journal, self.plan, self.system, self.listener = journal, plan, system, listener
        self.within, self.fault = within, fault
        self.steps = risky_steps(plan) if within > 0 else []
        self.folder = journal.folder / FOLDER
        self._moving: threading.Event | None = None
        self._mover: threading.Thread | None = None

    def before(self, numbers: Sequence[int]) -> None:
        """Set the timer, when the first risky step is among the next ones. Failed when it cannot be set."""
        if self.steps and self._moving is None and self.steps[0] in numbers:
            self._arm()

    def after(self, numbers: Sequence[int], stop: Callable[[], bool]) -> bool:
        """Ask for a confirmation, when the last risky step was among these. False when somebody interrupted; Failed
        when nobody confirmed."""
        if not self.steps or self.steps[-1] not in numbers:
            return True
        self._stand()
        end = self._extend()
        self.fault.at("kill:confirm")
        told = ", ".join(risks(self.plan).values())
        self.listener(Event(CONFIRM, self.journal.id, f"waiting for a fresh connection ({told})", int(self.within)))
        while (said := verdict(self.journal)) is None:
            if stop():
                return False
            if uptime() > end + GRACE:
                break
            time.sleep(PAUSE)
        if said == "confirmed":
            self.journal.write("confirmed")
            self.journal.sync()
            disarm(self.journal, self.system)
            return True
        while said == "fired" and not (self.folder / "restored").exists() and uptime() < end + GRACE:
            time.sleep(PAUSE)
        raise unconfirmed(self.within)

    def over(self) -> None:
        """The run has come to its end, whichever: nothing fires any more."""
        if self._moving is not None:
            self._stand()
            if verdict(self.journal) != "confirmed":
                settle(self.journal, self.system)

    def _stand(self) -> None:
        """The deadline moves no more by itself."""
        assert self._moving is not None
        assert self._mover is not None
        self._moving.set()
        self._mover.join()

    def _arm(self) -> None:
        with explained("make", str(self.folder)):
            self.folder.mkdir(mode=0o700, exist_ok=True)
        steps = [self.plan.steps[number] for number in self.steps]
        saved = _unique(_paths(self.system, steps))
        rows = [row for number, path in enumerate(saved) for row in self._row(number, path)]
        rows += list(_settings(self.system, steps))
        _write(self.folder / "list", "".join("\t".join(row) + "\n" for row in rows))
        _write(self.folder / "actions", "".join(f"{line}\n" for line in _unique(_actions(self.system, steps))))
        old = self.system.files.read(paths.FIREWALL)
        _write(self.folder / "firewall.nft", paths.NO_TABLES + (old.decode() if old is not None else ""))
        script = Path(__file__).with_name("guard.sh").read_text(encoding="utf-8")
        _write(self.folder / "script", script)
        self._extend()
        for path in (self.folder, self.journal.folder):
            sync_folder(path)
        self.journal.write("guarded", within=self.within, ids=[*risks(self.plan)])
        self.journal.sync()
        argv = ["/bin/sh", str(self.folder / "script"), str(self.folder), self.journal.id]
        self.system.units.later(unit_of(self.journal), self.within, argv)
        self._moving = threading.Event()
        self._mover = threading.Thread(target=self._move, args=(self._moving,), daemon=True)
        self._mover.start()

    def _move(self, ended: threading.Event) -> None:
        while not ended.wait(min(1.0, self.within / 4)):
            with suppress(OSError, Failed):
                self._extend()

    def _extend(self) -> float:
        end = uptime() + self.within
        _write(self.folder / "deadline", f"{int(end) + 1}\n")
        return end

    def _row(self, number: int, path: str) -> Iterator[tuple[str, ...]]:
        """One line of the list, and the file's content beside it."""
        files = self.system.files
        stat = files.stat(path)
        if "\t" in path or "\n" in path:
            return
        if stat is None:
            yield ("absent", "-", "-", "-", "-", path)
        elif stat.type == "link":
            yield ("link", "-", "-", "-", files.readlink(path) or "-", path)
        elif stat.type == "file":
            place = self.folder / f"saved-{number}"
            _write(place, files.read(path) or b"")
            yield ("file", f"{stat.mode:o}", str(stat.uid), str(stat.gid), place.name, path)


def unconfirmed(within: float) -> Failed:
    return Failed(
        f"cannot keep it: no fresh connection confirmed within {within:g} s that the host can still be reached",
        "more time: --confirm-within SECONDS; 0 does without, and goes back by hand only",
    )


# What both ends of a run's life ask


def unit_of(journal: Journal) -> str:
    return f"eyas-guard-{journal.id}"


def verdict(journal: Journal) -> str | None:
    """Who has decided, None when nobody has yet."""
    try:
        return (journal.folder / FOLDER / "verdict").read_text().strip()
    except OSError:
        return None


def decide(journal: Journal, word: str) -> str:
    """Make the verdict, when there is none yet; the one that holds."""
    folder = journal.folder / FOLDER
    own = folder / f"verdict.{os.getpid()}"
    own.write_text(f"{word}\n")
    with suppress(FileExistsError):
        os.link(own, folder / "verdict")
    own.unlink()
    return verdict(journal) or ""


def confirm(journal: Journal) -> None:
    """Somebody has reached the host anew. Failed when nobody waits for that, or it is too late."""
    if not (journal.folder / FOLDER / "deadline").exists():
        raise Failed(f"cannot confirm run {journal.id}: it does not wait for that", "eyas history shows its end")
    if decide(journal, "confirmed") != "confirmed":
        raise Failed(f"cannot confirm run {journal.id}: it is too late, it goes back", "eyas history shows its end")


def guarded(journal: Journal) -> bool:
    """Whether a run waits, or waited, for a confirmation that it did not get."""
    return journal.has("guarded") and not journal.has("confirmed") and verdict(journal) != "confirmed"


def settle(journal: Journal, system: System, *, boot: bool = False) -> None:
    """See that the timer of a run does nothing (more): the way back that follows does it all."""
    if not (journal.folder / FOLDER).is_dir():
        return
    decide(journal, "over")
    if not boot:  # a timer of this kind is gone with its boot
        disarm(journal, system)


def disarm(journal: Journal, system: System) -> None:
    unit = unit_of(journal)
    with suppress(EyasError):  # it finds the verdict, and does nothing
        system.units.stop([f"{unit}.timer", f"{unit}.service"])


def uptime() -> float:
    """Seconds since the boot of the kernel, as the script reads them (proc(5))."""
    return float(Path("/proc/uptime").read_text().split()[0])


# What is saved, and who has to notice


def _paths(system: System, steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        name = step.id.partition(":")[2]
        if step.kind == "network" and step.verb in ("write", "narrow", "remove"):
            yield f"{paths.NETWORK}/{name}"
        elif step.kind == "firewall":
            yield paths.FIREWALL
        elif step.kind == "file":
            yield name
        elif step.kind == "sysctl":
            yield paths.SYSCTL
        elif step.kind == "unit":
            old = (system.files.read(path_of(name)) or b"").decode(errors="replace")
            yield path_of(name)
            yield from install_links(name, old)
            yield from install_links(name, str(step.args.get("content", "")))
        elif step.kind == "user":
            yield from ACCOUNTS
            account = system.accounts.get(name)
            if account is not None:
                yield f"{account.home}/.ssh/authorized_keys"


def _settings(system: System, steps: Sequence[Step]) -> Iterator[tuple[str, ...]]:
    """Kernel settings as they are now. In a name dots and slashes change places (sysctl.d(5))."""
    for step in steps:
        if step.kind == "sysctl":
            key = step.id.partition(":")[2]
            value = " ".join((system.kernel.get(key) or "").split())
            path = key.translate(str.maketrans("./", "/."))
            if value and "\n" not in path:
                yield ("kernel", "-", "-", "-", value, f"/proc/sys/{path}")


def _actions(system: System, steps: Sequence[Step]) -> Iterator[str]:
    kinds = {step.kind for step in steps}
    if "firewall" in kinds:
        yield "firewall -"
    if "network" in kinds:
        yield "network -"
    units = [step.id.partition(":")[2] for step in steps if step.kind == "unit"]
    if units:
        yield "systemd -"
    states = system.units.show(units) if units else {}
    for name in units:
        state = states.get(name)
        yield f"{'restart' if state is not None and state.running else 'stop'} {name}"
    if any(step.kind == "file" and "/ssh" in step.id for step in steps):
        yield "ssh -"


def _unique(items: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _write(path: Path, data: str | bytes) -> None:
    """Whole or not at all, and on the disk: it may be read after anything."""
    with explained("write", str(path)):
        write_whole(path, data, 0o600)
