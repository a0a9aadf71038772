"""Desired, Actual and what containers say of themselves: one row a container.

States of a container, as people need them:

    missing      declared, but not on the host         stopped     declared, on the host, does not run
    starting     on its way up                         running     up
    stopping     on its way down                       failed      gave up
    undeclared   on the host, but no definition asks for it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eyas.core.words import Action, Change, Fields, Json, Resource, Resources, digest
from eyas.status.limits import Limit, limits
from eyas.status.stacks import ill

VERSION = 1

STATES = {
    "active": "running",
    "activating": "starting",
    "reloading": "running",
    "deactivating": "stopping",
    "failed": "failed",
    "inactive": "stopped",
}

PREPARES = ("tree", "layer", "identity", "directory")  # said with their container, not as drift of their own


@dataclass(frozen=True)
class Row:
    """One container. ``uptime`` in seconds, ``memory`` in bytes; None where it cannot be known (not running, or a
    kernel without accounting). ``health`` is healthy, unhealthy, starting or '' (does not run); ``failing`` says
    which probes fail and how. ``drift`` has a text for each difference, ``pending`` one for each that takes effect at
    the next boot of the host; ``limits`` are those of a running one, with what became of each."""

    name: str
    state: str
    health: str = ""
    failing: tuple[str, ...] = ()
    address: str = ""
    address6: str = ""
    os: str = ""
    uptime: float | None = None
    memory: int | None = None
    image: str = ""
    drift: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    stacks: tuple[Mapping[str, Json], ...] = ()
    limits: tuple[Limit, ...] = ()

    @property
    def good(self) -> bool:
        return self.health == "healthy"

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "state": self.state,
            "health": self.health,
            "failing": list(self.failing),
            "address": self.address,
            "address6": self.address6,
            "os": self.os,
            "uptime": self.uptime,
            "memory": self.memory,
            "image": self.image,
            "drift": list(self.drift),
            "pending": list(self.pending),
            "stacks": [dict(stack) for stack in self.stacks],
            "limits": [limit.to_json() for limit in self.limits],
        }


@dataclass(frozen=True)
class Report:
    """A host. ``drift`` are differences of the host itself, ``pending`` those of it that wait for its next boot;
    ``run`` is the last run, as history tells it; ``warnings`` say what is not wrong yet, but will be."""

    host: str
    rows: tuple[Row, ...]
    drift: tuple[str, ...] = ()
    run: Mapping[str, Json] | None = None
    pending: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.drift or any(row.drift for row in self.rows))

    def to_json(self) -> dict[str, Json]:
        return {
            "version": VERSION,
            "host": self.host,
            "containers": [row.to_json() for row in self.rows],
            "drift": list(self.drift),
            "pending": list(self.pending),
            "warnings": list(self.warnings),
            "run": dict(self.run) if self.run is not None else None,
        }


def report(
    host: str,
    desired: Resources,
    actual: Resources,
    changes: Sequence[Change],
    facts: Mapping[str, Mapping[str, Json]],
    runs: Sequence[Mapping[str, Json]],
    now: float,
    pending: Mapping[str, str] | None = None,
) -> Report:
    """How a host is.

    ``changes`` are those of ``plan(desired, actual)``; ``facts`` by container are what a look into it found (os,
    memory in bytes, probes as lists of ok or failed, probe, what was seen; effect of its limits); ``now`` is seconds
    since the epoch; ``pending`` are ids that are prepared for the next boot, with the digests of their fields then.
    """
    drift: dict[str, list[str]] = {}
    waiting: dict[str, list[str]] = {}
    for change in changes:
        if change.kind not in PREPARES:
            kind = waiting if _waits(change, desired, pending or {}) else drift
            kind.setdefault(change.owner, []).extend(_differences(change))
    wanted = [r for r in desired.values() if r.kind == "container"]
    others = [r for r in actual.values() if r.kind == "container" and r.id not in desired]
    rows = [
        replace(
            _row(resource, actual.get(resource.id), drift.get(resource.name, []), facts.get(resource.name, {}), now),
            pending=tuple(waiting.get(resource.name, [])),
        )
        for resource in (*wanted, *others)
    ]
    names = {row.name for row in rows}
    own, later = (
        tuple(text for owner, texts in kind.items() if owner not in names for text in texts)
        for kind in (drift, waiting)
    )
    return Report(host, tuple(sorted(rows, key=_order)), own, runs[0] if runs else None, later)


def _waits(change: Change, desired: Resources, pending: Mapping[str, str]) -> bool:
    """Whether a difference is what was prepared for the next boot, and nothing else."""
    if change.id not in pending or any(field.field.endswith("drift") for field in change.fields):
        return False
    want = desired.get(change.id)
    return pending[change.id] == (digest(dict(want.fields)) if want is not None else "")


def _order(row: Row) -> tuple[tuple[int, ...], str]:
    """By address, as a fleet's own listing goes."""
    plain = row.address.split("/", 1)[0]
    parts = plain.split(".")
    return tuple(int(part) for part in parts) if len(parts) == 4 and all(p.isdigit() for p in parts) else (), row.name


def _row(want: Resource, have: Resource | None, drift: Sequence[str], facts: Mapping[str, Json], now: float) -> Row:
    fields = want.fields
    unit = _dict(have.fields.get("state")) if have is not None else {}
    state = STATES.get(str(unit.get("active", "inactive")), "stopped") if have is not None else "missing"
    if have is not None and have is want:
        state = state if state in ("running", "starting", "stopping") else "undeclared"
    running = state == "running"
    failing = failing_of(facts)
    since = unit.get("since")
    memory = facts.get("memory", unit.get("memory"))
    return Row(
        name=want.name,
        state=state,
        health=_health(state, failing),
        failing=failing if running else (),
        address=_plain(fields, "address4"),
        address6=_plain(fields, "address6"),
        os=str(facts.get("os") or "") if running else "",
        uptime=max(0.0, round(now - since, 1)) if running and isinstance(since, int | float) and since > 0 else None,
        memory=memory if running and isinstance(memory, int) and memory >= 0 else None,
        image=str(fields.get("image") or ""),
        drift=tuple(drift),
        stacks=tuple(_dict(stack) for stack in stacks) if isinstance(stacks := facts.get("stacks"), list) else (),
        limits=limits(have.fields, _dict(facts["effect"])) if running and have and "effect" in facts else (),
    )


def _health(state: str, failing: Sequence[str]) -> str:
    if state == "running":
        return "unhealthy" if failing else "healthy"
    return "starting" if state == "starting" else ""


def failing_of(facts: Mapping[str, Json]) -> tuple[str, ...]:
    """What is wrong inside: probes that failed when they were last asked, and units that failed."""
    found: list[str] = []
    probes = facts.get("probes")
    for probe in probes if isinstance(probes, list) else []:
        words = [str(word) for word in probe] if isinstance(probe, list) else []
        if words and words[0] != "ok":
            found.append(": ".join(word for word in words[1:] if word))
    units = facts.get("failed_units")
    stacks = facts.get("stacks")
    found += [text for stack in (stacks if isinstance(stacks, list) else []) for text in ill(_dict(stack))]
    found += [f"unit {unit} failed" for unit in (units if isinstance(units, list) else [])]
    return tuple(found)


def _differences(change: Change) -> list[str]:
    subject = "" if change.kind == "container" else f"{change.kind} {change.id.split(':', 1)[1]}: "
    if change.action is Action.start:
        return ["does not run"]
    if change.action is not Action.update:
        words = {Action.create: "is missing", Action.delete: "is declared no more"}
        return [f"{subject}{words[change.action]}".strip()]
    name = change.id.split(":", 1)[1]
    notes = [field.note or f"{field.field.replace('_', ' ')} differs" for field in change.fields]
    return [note if name in note or change.kind in note else f"{subject}{note}" for note in notes]


def _plain(fields: Fields, key: str) -> str:
    return str(fields.get(key) or "").split("/", 1)[0]


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
