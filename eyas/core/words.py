"""The nouns of a plan: resource, change, impact, step, plan.

All are frozen values made of JSON types, so that they travel to a host and into a journal unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from hashlib import sha256
    from typing import TypeAlias
else:
    try:  # Python's own: hashlib loads OpenSSL, which takes longer than all digests of a look at a host
        from _sha2 import sha256
    except ImportError:
        try:
            from _sha256 import sha256  # Python 3.11
        except ImportError:
            from hashlib import sha256

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Fields: TypeAlias = Mapping[str, Json]


def digest(value: Json | bytes | Mapping[str, Json]) -> str:
    """SHA-256 (hex) of bytes, or of a JSON value in canonical form (sorted keys, no spaces)."""
    raw = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return sha256(raw).hexdigest()


class Impact(IntEnum):
    """What a change costs, ordered: the cost of a group of changes is the highest of its members."""

    none = 0  # nobody can notice
    live = 1  # takes effect in what runs
    reload = 2  # a unit reloads its configuration
    restart_unit = 3  # one service inside a container, or one unit of the host, restarts
    beside = 4  # a new generation of the container starts beside the old one, which ends when its work is done
    restart = 5  # the container restarts
    replace = 6  # the container is stopped, and another takes its place
    reboot = 7  # takes effect at the next boot of the host


class Action(StrEnum):
    """What happens to a resource."""

    create = "create"
    update = "update"
    delete = "delete"
    start = "start"  # declared and unchanged, but not running


class Reason(StrEnum):
    """Why. For people only: nothing is ever decided by a reason."""

    declared = "declared"
    undeclared = "no longer declared"
    differs = "definition differs"
    drift = "changed by hand on the host"
    stopped = "not running"


class Phase(IntEnum):
    """The order of a run, with the argument for each place."""

    prepare = 10  # trees, layers, directories, keys, packages: nothing that runs looks at them yet
    host = 20  # users, sysctls, files and units of the host: containers may need them at their start
    network = 30  # bridge and names before any container that uses them
    # Unit files and specs, then one daemon-reload for all of them: before anything stops, because systemd stops along
    # with a container all that it still believes to need it.
    configure = 35
    stop = 40  # what goes away frees its address, ports and binds first
    remove = 45  # its files, and all else that is no longer declared
    firewall = 50  # one transaction, when the old is gone and before the new is asked for
    live = 70  # what running containers take without a restart
    restart = 80  # containers, in order of their edges
    start = 90  # new containers, in order of their edges
    ready = 95  # wait until all that was started answers; they come up side by side until here
    publish = 97  # what is asked for from outside, when all that serves it is up
    sweep = 100  # what nothing refers to any more; only after the run is kept


@dataclass(frozen=True)
class Resource:
    """One thing that eyas owns on a host.

    ``id`` is ``kind:name`` and never changes during the life of the thing; ``owner`` is the container that it
    belongs to, or ``host``; ``origin`` is ``file:line`` of the definition that asked for it ('' when observed).
    """

    id: str
    kind: str
    owner: str
    fields: Fields
    origin: str = ""

    @property
    def name(self) -> str:
        return self.id.split(":", 1)[1]

    def to_json(self) -> dict[str, Json]:
        return {
            "id": self.id,
            "kind": self.kind,
            "owner": self.owner,
            "fields": dict(self.fields),
            "origin": self.origin,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Resource:
        fields = data["fields"]
        assert isinstance(fields, dict)
        return cls(str(data["id"]), str(data["kind"]), str(data["owner"]), fields, str(data.get("origin", "")))


Resources: TypeAlias = Mapping[str, Resource]
"""Desired and Actual are this one type: id to resource."""


@dataclass(frozen=True)
class FieldChange:
    """One field of a resource that differs. ``old``/``new`` are None when absent. ``note`` replaces the default
    wording of the difference in a plan ("package cowsay added"); ``unit`` is the unit that reloads or restarts."""

    field: str
    old: Json
    new: Json
    impact: Impact
    note: str = ""
    unit: str = ""

    def to_json(self) -> dict[str, Json]:
        return {
            "field": self.field,
            "old": self.old,
            "new": self.new,
            "impact": self.impact.name,
            "note": self.note,
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> FieldChange:
        return cls(
            str(data["field"]),
            data["old"],
            data["new"],
            Impact[str(data["impact"])],
            str(data.get("note", "")),
            str(data.get("unit", "")),
        )


@dataclass(frozen=True)
class Change:
    """What a plan says about one resource: what, why, and how much it hurts."""

    id: str
    kind: str
    owner: str
    action: Action
    impact: Impact
    reason: Reason
    origin: str = ""
    fields: tuple[FieldChange, ...] = ()
    notice: str = ""  # who will notice, in words ("nobody notices", "connections wait about 1 s")
    wait: float | None = None  # seconds that its users will wait, by what was seen before on this host

    def to_json(self) -> dict[str, Json]:
        return {
            "id": self.id,
            "kind": self.kind,
            "owner": self.owner,
            "action": self.action.value,
            "impact": self.impact.name,
            "reason": self.reason.value,
            "origin": self.origin,
            "fields": [f.to_json() for f in self.fields],
            "notice": self.notice,
            "wait": self.wait,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Change:
        wait = data.get("wait")
        return cls(
            str(data["id"]),
            str(data["kind"]),
            str(data["owner"]),
            Action(str(data["action"])),
            Impact[str(data["impact"])],
            Reason(str(data["reason"])),
            str(data.get("origin", "")),
            tuple(FieldChange.from_json(item) for item in _objects(data.get("fields"))),
            str(data.get("notice", "")),
            float(wait) if isinstance(wait, int | float) else None,
        )


@dataclass(frozen=True)
class Step:
    """One deed of a run: a verb of a kind, applied to a resource id with JSON arguments.

    Verbs are looked up by name (``kind.verb``) on the host, so a journal written by one process can be walked
    backwards by another.
    """

    kind: str
    verb: str
    id: str
    phase: Phase
    args: Fields = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        return {"kind": self.kind, "verb": self.verb, "id": self.id, "phase": self.phase.name, "args": dict(self.args)}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Step:
        args = data["args"]
        assert isinstance(args, dict)
        return cls(str(data["kind"]), str(data["verb"]), str(data["id"]), Phase[str(data["phase"])], args)


@dataclass(frozen=True)
class Loss:
    """What a container wrote outside its persistent paths and loses by a restart: ``new`` as (path, what, bytes), and
    what was told before an earlier restart already."""

    container: str
    new: tuple[tuple[str, str, int], ...] = ()
    again: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        new: list[Json] = [{"path": path, "what": what, "size": size} for path, what, size in self.new]
        return {"container": self.container, "new": new, "again": list(self.again)}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Loss:
        new = [
            (str(row["path"]), str(row["what"]), size if isinstance(size := row["size"], int) else 0)
            for row in _objects(data.get("new"))
        ]
        return cls(str(data["container"]), tuple(new), _strings(data.get("again")))


@dataclass(frozen=True)
class Plan:
    """What one apply will do to one host, complete: apply reads this and nothing else.

    ``untouched`` names the containers whose invocation must be the same afterwards; ``left`` lists data paths that
    stay on the host although nothing declares them any more; ``losses`` what restarts lose.
    """

    host: str
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    untouched: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    version: int = 1

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def impact(self) -> Impact:
        return max((c.impact for c in self.changes), default=Impact.none)

    def replaced(self) -> Iterator[str]:
        """Names of containers of which a new generation takes over: nobody notices, but their invocation moves."""
        for change in self.changes:
            if change.kind == "container" and change.impact is Impact.beside:
                yield change.owner

    def restarts(self) -> Iterator[str]:
        """Names of containers that this plan restarts or stops."""
        for change in self.changes:
            if change.kind == "container" and (
                Impact.restart <= change.impact < Impact.reboot or change.action is Action.delete
            ):
                yield change.owner

    def to_json(self) -> dict[str, Json]:
        return {
            "version": self.version,
            "host": self.host,
            "changes": [c.to_json() for c in self.changes],
            "steps": [s.to_json() for s in self.steps],
            "untouched": list(self.untouched),
            "left": list(self.left),
            "losses": [loss.to_json() for loss in self.losses],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Plan:
        """Raises ValueError for a plan of another version."""
        if data.get("version") != 1:
            raise ValueError(f"a plan of version {data.get('version')}, known is 1")
        return cls(
            str(data["host"]),
            tuple(Change.from_json(item) for item in _objects(data["changes"])),
            tuple(Step.from_json(item) for item in _objects(data["steps"])),
            _strings(data.get("untouched")),
            _strings(data.get("left")),
            tuple(Loss.from_json(item) for item in _objects(data.get("losses"))),
        )


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _strings(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
