"""Which addresses there are and what became of others: kept on disk, so that it survives restarts. Pure values.

    {"version": 1, "mode": "routed", "how": "...", "checked": 0, "pools": {RULE: {...}}, "names": {NAME: {ADDRESS: 0}}}

Times are seconds since the epoch. A destination is a name of a definition, or an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eyas.core.words import Json

VERSION = 1


@dataclass
class Address:
    """One address of a pool, or of one destination alone. ``end``: when its life is over."""

    text: str
    born: float
    end: float
    uses: int = 0
    refusals: int = 0


@dataclass
class Rest:
    """An address that a destination has refused is not used there until a time."""

    until: float
    times: int
    why: str


@dataclass
class Destination:
    """What is known of one destination. ``extra`` are addresses that are used there only, in the place of those that
    rest. ``limits``: "prefix" when it refuses fresh addresses too; then ``per_hour`` is a ceiling of ours, until a
    time. ``fresh``: how many connections there had been at each refusal of a fresh address, lately."""

    extra: list[Address] = field(default_factory=list)
    resting: dict[str, Rest] = field(default_factory=dict)
    used: int = 0
    refused: int = 0
    seen: float = 0.0
    limits: str = ""
    per_hour: int = 0
    pause: float = 0.0
    until: float = 0.0
    limited: int = 0
    fresh: list[int] = field(default_factory=list)
    slowed: float = 0.0
    recent: list[tuple[float, int]] = field(default_factory=list)  # (time, connections by then)

    def rests(self, text: str, now: float) -> bool:
        """Whether an address is not used here now. What is known of its rests outlives them, so that the next one is
        longer."""
        return text in self.resting and self.resting[text].until > now


@dataclass
class PoolState:
    """The pool of one rule. ``leaving``: addresses that get no new connections, and since when."""

    addresses: list[Address] = field(default_factory=list)
    leaving: dict[str, float] = field(default_factory=dict)
    destinations: dict[str, Destination] = field(default_factory=dict)

    def every(self) -> list[Address]:
        """All that may be used somewhere."""
        return [*self.addresses, *(each for there in self.destinations.values() for each in there.extra)]

    def members(self, key: str, now: float) -> list[str]:
        """What is used at a destination; for '' at those of which nothing special is known."""
        there = self.destinations.get(key)
        if there is None:
            return [each.text for each in self.addresses]
        return [each.text for each in [*self.addresses, *there.extra] if not there.rests(each.text, now)]


@dataclass
class State:
    """Everything."""

    mode: str = "unknown"  # routed, on-link
    how: str = "nobody has looked yet"
    checked: float = 0.0
    held: float = 0.0  # no changes before this time: the last one was taken back
    pools: dict[str, PoolState] = field(default_factory=dict)
    names: dict[str, dict[str, float]] = field(default_factory=dict)
    answers: bool = False  # the host answers for addresses on the link
    fixed: list[str] = field(default_factory=list)  # those of them that are single ones, of rules
    counted: dict[str, int] = field(default_factory=dict)  # "ADDRESS DESTINATION": what the kernel had counted

    def taken(self) -> set[str]:
        """Addresses that are in use, or leave."""
        found = {each.text for pool in self.pools.values() for each in pool.every()}
        return found.union(*(pool.leaving for pool in self.pools.values()))


@dataclass(frozen=True)
class Event:
    """Something that people want to know of afterwards."""

    time: float
    rule: str
    what: str  # retired, rests, limits, slowed, resumed, restored, disturbed, found
    address: str = ""
    destination: str = ""
    why: str = ""

    def to_json(self) -> dict[str, Json]:
        return {
            "time": self.time, "rule": self.rule, "what": self.what, "address": self.address,
            "destination": self.destination, "why": self.why,
        }  # fmt: skip


def state_to_json(state: State) -> dict[str, Json]:
    return {
        "version": VERSION,
        "mode": state.mode,
        "how": state.how,
        "checked": state.checked,
        "held": state.held,
        "pools": {name: _pool_to_json(pool) for name, pool in state.pools.items()},
        "names": {name: {**some} for name, some in state.names.items()},
        "answers": state.answers,
        "fixed": [*state.fixed],
        "counted": {**state.counted},
    }


def _pool_to_json(pool: PoolState) -> dict[str, Json]:
    return {
        "addresses": [_address_to_json(each) for each in pool.addresses],
        "leaving": {**pool.leaving},
        "destinations": {key: _destination_to_json(there) for key, there in pool.destinations.items()},
    }


def _address_to_json(each: Address) -> Json:
    return [each.text, each.born, each.end, each.uses, each.refusals]


def _destination_to_json(there: Destination) -> dict[str, Json]:
    return {
        "extra": [_address_to_json(each) for each in there.extra],
        "resting": {text: [rest.until, rest.times, rest.why] for text, rest in there.resting.items()},
        "used": there.used,
        "refused": there.refused,
        "seen": there.seen,
        "limits": there.limits,
        "per_hour": there.per_hour,
        "pause": there.pause,
        "until": there.until,
        "limited": there.limited,
        "fresh": [*there.fresh],
        "slowed": there.slowed,
        "recent": [[time, count] for time, count in there.recent],
    }


def state_from_json(data: Mapping[str, Json]) -> State:
    """ValueError for what cannot be understood: the state is then begun anew, and nothing is lost but what was known
    of refusals."""
    if data.get("version") != VERSION:
        raise ValueError(f"a state of version {data.get('version')}, known is {VERSION}")
    try:
        return State(
            mode=str(data["mode"]),
            how=str(data["how"]),
            checked=_float(data["checked"]),
            held=_float(data["held"]),
            pools={name: _pool_from_json(_table(row)) for name, row in _table(data["pools"]).items()},
            names={
                name: {address: _float(until) for address, until in _table(row).items()}
                for name, row in _table(data["names"]).items()
            },
            answers=bool(data.get("answers")),
            fixed=[str(each) for each in fixed] if isinstance(fixed := data.get("fixed"), list) else [],
            counted={key: int(_float(count)) for key, count in _table(data["counted"]).items()},
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"a state without {error}") from None


def _pool_from_json(row: Mapping[str, Json]) -> PoolState:
    return PoolState(
        [_address_from_json(each) for each in _rows(row["addresses"])],
        {address: _float(since) for address, since in _table(row["leaving"]).items()},
        {key: _destination_from_json(_table(there)) for key, there in _table(row["destinations"]).items()},
    )


def _address_from_json(row: list[Json]) -> Address:
    return Address(str(row[0]), _float(row[1]), _float(row[2]), int(_float(row[3])), int(_float(row[4])))


def _destination_from_json(row: Mapping[str, Json]) -> Destination:
    fresh = row["fresh"]
    return Destination(
        extra=[_address_from_json(each) for each in _rows(row["extra"])],
        resting={
            text: Rest(_float(rest[0]), int(_float(rest[1])), str(rest[2]))
            for text, rest in _table(row["resting"]).items()
            if isinstance(rest, list)
        },
        used=int(_float(row["used"])),
        refused=int(_float(row["refused"])),
        seen=_float(row["seen"]),
        limits=str(row["limits"]),
        per_hour=int(_float(row["per_hour"])),
        pause=_float(row["pause"]),
        until=_float(row["until"]),
        limited=int(_float(row["limited"])),
        fresh=[int(_float(used)) for used in fresh] if isinstance(fresh, list) else [],
        slowed=_float(row["slowed"]),
        recent=[(_float(pair[0]), int(_float(pair[1]))) for pair in _rows(row["recent"])],
    )


def _float(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number")
    return float(value)


def _table(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError("a table")
    return value


def _rows(value: Json) -> list[list[Json]]:
    if not isinstance(value, list):
        raise TypeError("a list")
    return [item for item in value if isinstance(item, list)]
