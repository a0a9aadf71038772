"""Past runs: what they did and how they ended, what they still need, and what may go.

A run's folder holds everything that the run moved away, so old folders are what `gc` gives back to the disk, together
with trees and layers that neither the host nor a kept run refers to.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass

from eyas.apply.journal import Journal, Runs
from eyas.core import paths
from eyas.core.errors import Failed, Stuck
from eyas.core.system import System
from eyas.core.words import Json, Resource

KEEP = 10  # runs whose folders stay, so that one can go back to them


@dataclass(frozen=True)
class Past:
    """One run, for a listing. ``at`` is seconds since the epoch; ``seconds`` the wall time it took."""

    run: str
    at: float
    who: str
    result: str  # kept, undone, failed, stuck, open
    changes: int
    steps: int
    done: int
    restarts: tuple[str, ...]
    seconds: float
    error: str
    recovered: bool
    note: str = ""  # what kind of run, where it was no plain apply: "rollback to ..."
    waits: tuple[Json, ...] = ()  # as `eyas.core.waits.Wait.to_json`
    log: tuple[str, ...] = ()  # the last lines of what was not well, and whose they are
    whose: str = ""
    now: tuple[str, ...] = ()  # where the host was after the way back
    hands: tuple[str, ...] = ()  # what a person had to look at, of a run that was stuck
    warnings: tuple[str, ...] = ()  # what people should know of it, although it is no failure

    def to_json(self) -> dict[str, Json]:
        return {
            "run": self.run,
            "at": self.at,
            "who": self.who,
            "result": self.result,
            "changes": self.changes,
            "steps": self.steps,
            "done": self.done,
            "restarts": list(self.restarts),
            "seconds": self.seconds,
            "error": self.error,
            "recovered": self.recovered,
            "note": self.note,
            "waits": list(self.waits),
            "log": list(self.log),
            "whose": self.whose,
            "now": list(self.now),
            "hands": list(self.hands),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class References:
    """Commits and digests of layers that must stay."""

    trees: frozenset[str]
    layers: frozenset[str]


def history(runs: Runs, limit: int = 50) -> list[Past]:
    """Past runs, the newest first."""
    found: list[Past] = []
    for journal in runs.journals():
        if len(found) == limit:
            break
        if journal.records:  # a folder without: the host lost its power before the run began
            found.append(_past(journal, open_=journal.id == runs.current()))
    return found


def _past(journal: Journal, open_: bool) -> Past:
    ended: dict[str, Json] = {}
    try:
        ended = journal.outcome or {}
    except Stuck:  # a damaged record of the end: the rest is worth showing
        ended = {"result": "unknown"}
    at = journal.begin.get("at", 0.0)
    seconds, restarts = ended.get("seconds", 0.0), ended.get("restarts")
    waits = ended.get("waits")
    changes, steps, done = ended.get("changes", 0), ended.get("steps", 0), ended.get("done", 0)
    return Past(
        run=journal.id,
        at=float(at) if isinstance(at, (int, float)) else 0.0,
        who=str(journal.begin.get("who", "")),
        result=str(ended.get("result") or ("open" if open_ else "unknown")),
        changes=changes if isinstance(changes, int) else 0,
        steps=steps if isinstance(steps, int) else 0,
        done=done if isinstance(done, int) else 0,
        restarts=tuple(str(r) for r in restarts) if isinstance(restarts, list) else (),
        seconds=float(seconds) if isinstance(seconds, (int, float)) else 0.0,
        error=str(ended.get("error", "")),
        recovered=bool(ended.get("recovered")),
        note=str(journal.begin.get("note", "")),
        waits=tuple(waits) if isinstance(waits, list) else (),
        log=_lines(ended.get("log")),
        whose=str(ended.get("whose", "")),
        now=_lines(ended.get("now")),
        hands=_lines(ended.get("hands")),
        # The journal has those of a run that nobody has ended yet, too; what it has is in the outcome again.
        warnings=tuple(dict.fromkeys((*journal.warnings, *_lines(ended.get("warnings"))))),
    )


def _lines(value: Json) -> tuple[str, ...]:
    return tuple(str(line) for line in value) if isinstance(value, list) else ()


def desired_of(runs: Runs, run: str) -> dict[str, Resource]:
    """What a kept run wanted the host to hold: the goal of a rollback. Layers come without entries; they are on the
    host, because gc keeps what kept runs refer to. Failed when there is no such run."""
    if run not in runs.ids():
        raise Failed(f"cannot go back to run {run}: no such run", "list the runs: eyas history")
    return runs.open(run).desired


def kept(runs: Runs, keep: int = KEEP) -> list[Journal]:
    """The last ``keep`` runs that were kept, the newest first."""
    found: list[Journal] = []
    for journal in runs.journals():
        if len(found) == keep:
            break
        if journal.has("kept"):
            found.append(journal)
    return found


def references(system: System, runs: Runs, keep: int = KEEP) -> References:
    """Trees and layers that are in use: by a declared container, by a running one, by an open run, or by one of the
    last ``keep`` kept runs (a rollback may ask for them)."""
    trees: set[str] = set()
    layers: set[str] = set()
    for folder in (paths.SPECS, paths.PRINTS):
        for name in system.files.list(folder):
            if name.endswith(".json"):
                _note(_spec(system, f"{folder}/{name}"), trees, layers)
    open_ = runs.current()
    wanted = kept(runs, keep)
    if open_ is not None and open_ not in {journal.id for journal in wanted}:
        wanted.append(runs.open(open_))
    for journal in wanted:
        for resource in journal.desired.values():
            if resource.kind == "container":
                _note(dict(resource.fields), trees, layers)
    return References(frozenset(trees), frozenset(layers))


def _spec(system: System, path: str) -> dict[str, Json]:
    """A spec or print of a container. One that cannot be read is Failed: deleting what it may need is worse."""
    raw = system.files.read(path)
    try:
        data = json.loads(raw or b"{}")
    except ValueError as error:
        raise Failed(f"cannot tell what is in use: {path} is damaged: {error}", "mend it with: eyas apply") from error
    return data if isinstance(data, dict) else {}


def _note(spec: dict[str, Json], trees: set[str], layers: set[str]) -> None:
    for inner in (spec, spec.get("spec")):  # a print holds the spec, or holds it inside
        if isinstance(inner, dict):
            if inner.get("tree"):
                trees.add(str(inner["tree"]))
            if inner.get("layer"):
                layers.add(str(inner["layer"]))


def prune(system: System, runs: Runs, keep: int = KEEP) -> list[str]:
    """Remove the folders of old runs, with all that was moved away in them; returns the ids that went. The last
    ``keep`` kept runs stay, and so does everything newer than the oldest of them, and the open run."""
    stay = {journal.id for journal in kept(runs, keep)}
    open_ = runs.current()
    oldest = min(stay) if len(stay) == keep else ""
    gone: list[str] = []
    for id_ in runs.ids():
        if id_ in stay or id_ == open_ or (not oldest) or id_ > oldest:
            continue
        system.files.remove_tree(f"{paths.RUNS}/{id_}")
        shutil.rmtree(runs.folder / id_, ignore_errors=True)
        gone.append(id_)
    return gone


def collect(system: System, runs: Runs, keep: int = KEEP) -> list[str]:
    """Remove old runs, then trees and layers that nothing refers to; returns the paths that went."""
    gone = [f"{paths.RUNS}/{id_}" for id_ in prune(system, runs, keep)]
    used = references(system, runs, keep)
    for folder, wanted in ((paths.TREES, used.trees), (paths.LAYERS, used.layers)):
        for name in system.files.list(folder):
            if name not in wanted:
                system.files.remove_tree(f"{folder}/{name}")
                gone.append(f"{folder}/{name}")
    return gone
