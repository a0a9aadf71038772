"""The journal of a run: on disk before in the world.

A run is a folder that is never changed by another run:

    /var/lib/eyas/runs/<id>/plan.json      what was to be done
                            desired.json   what the host should hold afterwards; the way back to it later
                            journal        lines of JSON, appended; synced before each deed that they announce
                            saved/<n>/     what step n has put away
                            outcome.json   how it ended (only for people and for `history`)
                            reserve        room on the disk for the way back; goes when that begins
    /var/lib/eyas/runs/current -> <id>     there while the run is open: the one thing that recovery looks for

The life of a run, each word a line of the journal:

    begin
      |
      v                       a step fails, a signal, or a crash
    saved n  -> (do) ->  done n ------------------------------.
      ^                    |                                  v
      '---- next step -----+                        undoing n -> undone n    for the last n that was saved,
                           | none left                 |            |        then the one before, ... the first
                           v                           v            v
                         kept                     stuck n ...     undone
                           |                           |
                           v                           v
                 sweeping n -> swept n               stuck
                           |
                           v
                        (closed: `current` removed, also after undone; after stuck only when a person says so)

``saved n`` holds what the way back needs and is on disk before the deed begins. ``done n`` is written after the deed
and reaches the disk with the next sync: lost in a power cut, it costs an undo of a finished deed, which verbs allow.
``warned n`` may stand before it: what people should know of the deed, although it is no failure.

The line ``begin`` carries the version of the format. 1: without ``warned``. 2: with it. All are read.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eyas.core import paths
from eyas.core.errors import Failed, Stuck
from eyas.core.words import Json, Plan, Resource, Resources
from eyas.host.disk import explained, sync_folder, write_whole

VERSION = 2
DESIRED = 1  # the format of desired.json
CURRENT = "current"
RESERVE = "reserve"
ROOM = 1 << 20  # bytes: some lines for each step, and what files of the host are put back


@dataclass(frozen=True)
class Saved:
    """A step that was begun: its number and what its verb needs for the way back."""

    number: int
    data: Json


class Journal:
    """One run's folder. Made by `Runs.begin`, or opened again by `Runs.open`."""

    def __init__(self, folder: Path, records: list[dict[str, Json]] | None = None) -> None:
        self.folder = folder
        self.id = folder.name
        self.records = records if records is not None else []
        self._file: int | None = None

    # Writing

    def write(self, state: str, number: int | None = None, **more: Json) -> None:
        """Append a line. It is on disk after the next `sync`. Failed when there is no room for it."""
        record: dict[str, Json] = {"state": state, "at": round(time.time(), 3), **more}
        if number is not None:
            record["n"] = number
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        with explained("write", f"the journal of run {self.id}"):
            self._append(line)
        self.records.append(record)

    def _append(self, line: bytes) -> None:
        """A line, whole or not at all: on a full disk a part of it may fit."""
        if self._file is None:
            self._file = os.open(self.folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def sync(self) -> None:
        if self._file is not None:
            with explained("sync", f"the journal of run {self.id}"):
                os.fsync(self._file)

    def use_reserve(self) -> None:
        """From here the run only comes to its end: the room that was kept for it may be used."""
        (self.folder / RESERVE).unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def saved_folder(self, number: int) -> str:
        """Where step ``number`` puts away what it replaces: a path of the host, made when needed."""
        return f"{paths.RUNS}/{self.id}/saved/{number}"

    # Reading

    @property
    def plan(self) -> Plan:
        try:
            return Plan.from_json(_read_json(self.folder / "plan.json"))
        except ValueError as error:
            raise Stuck(
                f"cannot read the plan of run {self.id}: {error}",
                "use the version of eyas that made it, or mend the host by hand and run: eyas recover --accept",
            ) from error

    @property
    def desired(self) -> dict[str, Resource]:
        """What the run wanted the host to hold (layers without their entries, which are on the host)."""
        data = _read_json(self.folder / "desired.json").get("resources")
        assert isinstance(data, dict)
        return {id_: Resource.from_json(item) for id_, item in data.items() if isinstance(item, dict)}

    @property
    def outcome(self) -> dict[str, Json] | None:
        path = self.folder / "outcome.json"
        return _read_json(path) if path.exists() else None

    @property
    def begin(self) -> dict[str, Json]:
        return self.records[0] if self.records else {}

    def known(self) -> None:
        """Stuck when the journal is of a later version than this program knows, so that its lines may mean more."""
        version = self.begin.get("v", 1)
        if not isinstance(version, int) or version > VERSION:
            raise Stuck(
                f"cannot go on with run {self.id}: its journal is of version {version}, known is {VERSION}",
                "use the version of eyas that made it, or mend the host by hand and run: eyas recover --accept",
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know of its steps, in their order."""
        return tuple(str(record.get("text", "")) for record in self.records if record["state"] == "warned")

    def numbers(self, state: str) -> set[int]:
        """Numbers of the steps that a state is written for."""
        return {n for r in self.records if r["state"] == state and isinstance(n := r.get("n"), int)}

    def saved(self) -> list[Saved]:
        """Steps that were begun, in the order of their beginning. A step that was saved twice counts by its first
        save: that one saw the host before the deed."""
        first: dict[int, Json] = {}
        for record in self.records:
            number = record.get("n")
            if record["state"] == "saved" and isinstance(number, int):
                first.setdefault(number, record.get("data"))
        return [Saved(number, data) for number, data in first.items()]

    def has(self, state: str) -> bool:
        """Whether the run as a whole came to this state."""
        return any(r["state"] == state and "n" not in r for r in self.records)


class Runs:
    """All runs of a host. ``folder`` is where they are: `paths.RUNS` on a host."""

    def __init__(self, folder: str | Path = paths.RUNS) -> None:
        self.folder = Path(folder)

    def begin(self, plan: Plan, desired: Resources, who: str = "", note: str = "") -> Journal:
        """Make the folder of a new run and point `current` to it; all on disk when this returns. Failed when another
        run is open, or the disk has no room for this one and its way back. ``note`` is what kind of run it is, in
        words, where it is no plain apply."""
        if self.current() is not None:
            raise Failed("cannot begin a run: another one is open", "run: eyas recover")
        id_ = new_id()
        try:
            with explained("begin a run in", str(self.folder)):
                return self._begin(id_, plan, desired, who, note)
        except Failed:
            shutil.rmtree(self.folder / id_, ignore_errors=True)
            raise

    def _begin(self, id_: str, plan: Plan, desired: Resources, who: str, note: str) -> Journal:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self.folder / id_
        place.mkdir(mode=0o700)
        _keep_room(place / RESERVE)
        _write_json(place / "plan.json", plan.to_json())
        _write_json(place / "desired.json", {"version": DESIRED, "resources": _lean(desired)})
        journal = Journal(place)
        journal.write("begin", v=VERSION, id=id_, host=plan.host, who=who, boot=boot_id(), note=note)
        journal.sync()
        sync_folder(place)
        link = self.folder / f".{CURRENT}.new"
        link.unlink(missing_ok=True)
        link.symlink_to(id_)
        link.rename(self.folder / CURRENT)
        sync_folder(self.folder)
        return journal

    def current(self) -> str | None:
        """Id of the run that is open, None when there is none."""
        try:
            return str((self.folder / CURRENT).readlink())
        except OSError:
            return None

    def open(self, id_: str) -> Journal:
        """A run's journal. A last line that a crash cut off is cut away; damage elsewhere is Stuck."""
        place = self.folder / id_
        path = place / "journal"
        raw = path.read_bytes() if path.exists() else b""
        whole, _, torn = raw.rpartition(b"\n")
        if torn:
            with path.open("rb+") as file:
                file.truncate(len(raw) - len(torn))
        try:
            records = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise Stuck(
                f"cannot read the journal of run {id_}: {error}",
                f"look at {path}, mend the host by hand, then run: eyas recover --accept",
            ) from error
        return Journal(place, records)

    def close(self, journal: Journal, outcome: Mapping[str, Json]) -> None:
        """Write down how a run ended; it is no longer the open one. A run that is stuck stays open."""
        journal.use_reserve()
        with explained("end", f"run {journal.id}"):
            _write_json(journal.folder / "outcome.json", outcome)
            sync_folder(journal.folder)
        journal.close()
        if outcome.get("result") != "stuck":
            self.release()

    def release(self) -> None:
        """No run is open any more."""
        (self.folder / CURRENT).unlink(missing_ok=True)
        sync_folder(self.folder)

    def ids(self) -> list[str]:
        """All runs, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if p.is_dir() and not p.is_symlink())

    def journals(self) -> Iterator[Journal]:
        """All runs that can be read, the newest first."""
        for id_ in reversed(self.ids()):
            try:
                yield self.open(id_)
            except Stuck:  # damaged: one line of history less must not hide the others
                continue


def new_id() -> str:
    """UTC time to the millisecond and four random digits: sorts by age."""
    now = time.time()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return f"{stamp}{int(now * 1000) % 1000:03d}-{os.urandom(2).hex()}"


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _keep_room(path: Path) -> None:
    """A file that takes room from the disk and holds nothing."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(handle, 0, ROOM)
    finally:
        os.close(handle)


def _lean(desired: Resources) -> dict[str, Json]:
    """Resources as JSON, layers without their entries: those are on the host under their digest, and a second
    copy would also be a second place where a secret lies."""
    found: dict[str, Json] = {}
    for id_, resource in desired.items():
        item = resource.to_json()
        fields = item["fields"]
        if resource.kind == "layer" and isinstance(fields, dict):
            item["fields"] = {key: value for key, value in fields.items() if key != "entries"}
        found[id_] = item
    return found


def _write_json(path: Path, value: Mapping[str, Json]) -> None:
    write_whole(path, json.dumps(value, separators=(",", ":")), 0o600)


def _read_json(path: Path) -> dict[str, Json]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Stuck(
            f"cannot read {path}: {error}",
            "mend the host by hand, then run: eyas recover --accept",
        ) from error
    if not isinstance(data, dict):
        raise Stuck(f"cannot read {path}: not an object", "mend the host by hand, then run: eyas recover --accept")
    return data
