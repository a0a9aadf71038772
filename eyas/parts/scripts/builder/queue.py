"""The queue: a file for each build, in the directory of the state that it is in."""

from __future__ import annotations

import fnmatch
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .files import drop, get_json, locked, put_json
from .run import Refused
from .settings import Settings

PRIORITIES = {"urgent": 400, "normal": 100, "idle": 20}
"""The share of the processors that a build has beside others (systemd.resource-control(5), CPUWeight)."""
HISTORY = 1000
"""Records of ended builds that are kept."""


@dataclass(frozen=True)
class Job:
    """One build of one package."""

    id: str
    package: str
    priority: str = "normal"
    queued: float = 0
    not_before: float = 0
    attempts: int = 0
    delays: int = 0
    force: bool = False
    why: str = ""
    """Why it was delayed, or how it ended."""
    waits_for: str = ""
    state: str = ""
    """Where it was found; of an ended one, how: published, unchanged, failed, cancelled."""
    backing: str = ""
    ended: float = 0
    seconds: float = 0
    files: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        return f"build-{self.id}.service"

    @property
    def rank(self) -> tuple[int, float]:
        """What sorts the waiting ones: who is first is built first."""
        return (-PRIORITIES.get(self.priority, 0), self.queued)


def job(value: dict[str, Any], state: str = "") -> Job:
    known = {one.name for one in fields(Job)}
    made: dict[str, Any] = {
        key: tuple(item) if isinstance(item, list) else item for key, item in value.items() if key in known
    }
    if state:
        made["state"] = state
    return Job(**made)


class Queue:
    """Where builds are. Every move is a rename or the appearance of a whole file."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.waiting_at = settings.place("queue")
        self.running_at = settings.place("running")
        self.staged_at = settings.place("staged")
        self.done_at = settings.place("done")

    # ------------------------------------------------------------ looking

    def _in(self, directory: Path, state: str) -> Iterator[Job]:
        for path in directory.glob("*.json"):
            found = get_json(path)
            if found is not None:
                yield job(found, state)

    def waiting(self) -> list[Job]:
        return sorted(self._in(self.waiting_at, "waiting"), key=lambda one: one.rank)

    def running(self) -> list[Job]:
        return sorted(self._in(self.running_at, "running"), key=lambda one: one.queued)

    def done(self) -> list[Job]:
        return sorted(self._in(self.done_at, ""), key=lambda one: one.ended)

    def find(self, word: str) -> Job | None:
        """By its id; or the newest one of a package."""
        every = [*self.done(), *self.waiting(), *self.running()]
        return next((one for one in reversed(every) if word in (one.id, one.package)), None)

    # ------------------------------------------------------------ moving

    def add(self, package: str, priority: str = "normal", *, force: bool = False) -> Job:
        """A build is in the queue. One that waits already is not doubled, but may become more urgent."""
        if priority not in PRIORITIES:
            raise Refused(f"cannot queue {package}: a priority is one of {', '.join(PRIORITIES)}")
        if package not in self.settings.known():
            raise Refused(f"cannot queue {package}: there is no {self.settings.packages / package}/PKGBUILD")
        with locked(self.settings.data / "queue.lock"):
            for found in self.waiting():
                if found.package == package:
                    best = max(priority, found.priority, key=lambda name: PRIORITIES[name])
                    again = replace(found, priority=best, force=force or found.force, not_before=0)
                    put_json(self.waiting_at / f"{found.id}.json", asdict(again))
                    return again
            now = time.time()
            name = re.sub(r"[^a-zA-Z0-9]+", "-", package).strip("-")  # also of a unit and of a machine
            made = Job(f"{name}-{secrets.token_hex(4)}", package, priority, queued=now, force=force)
            put_json(self.waiting_at / f"{made.id}.json", asdict(made))
        return made

    def claim(self, one: Job) -> bool:
        """From waiting to running; False when somebody else was quicker."""
        with locked(self.settings.data / "queue.lock"):
            try:
                (self.waiting_at / f"{one.id}.json").rename(self.running_at / f"{one.id}.json")
            except FileNotFoundError:
                return False
        return True

    def note(self, one: Job) -> None:
        """What has become known of a running build."""
        put_json(self.running_at / f"{one.id}.json", asdict(one))

    def back(self, one: Job) -> None:
        """From running to waiting."""
        with locked(self.settings.data / "queue.lock"):
            path = self.running_at / f"{one.id}.json"
            if path.exists():
                put_json(path, asdict(one))
                path.rename(self.waiting_at / f"{one.id}.json")

    def end(self, one: Job, state: str, why: str = "") -> None:
        """It is over; the record of it first, so that it is never nowhere."""
        put_json(self.done_at / f"{one.id}.json", asdict(replace(one, state=state, why=why, ended=time.time())))
        self.drop(one)

    def drop(self, one: Job) -> None:
        """Nothing but its record is left."""
        drop(self.staged_at / one.id)
        drop(self.running_at / f"{one.id}.json")
        drop(self.waiting_at / f"{one.id}.json")

    def forget(self) -> None:
        """Records of builds long ago."""
        for old in self.done()[:-HISTORY]:
            drop(self.done_at / f"{old.id}.json")


def chosen(settings: Settings, patterns: Iterable[str]) -> list[str]:
    """Packages by patterns as of a shell."""
    globs = list(patterns)
    return [name for name in settings.known() if any(fnmatch.fnmatchcase(name, glob) for glob in globs)]


def wake(settings: Settings) -> None:
    """Tell the one who starts builds that something has changed; without that he looks by himself, later."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(b"", os.fspath(settings.run / "wake"))
