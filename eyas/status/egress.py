"""Outgoing connections as a person asks for them: pools, what refuses their addresses, what became of others. Pure.

The host tells (`eyas.kind.egress.service`); here it is read and judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eyas.core.words import Json

DAY = 86400.0
RECENT = DAY
"""Seconds that status goes on to tell that rules were put back."""


@dataclass(frozen=True)
class Pool:
    """A rule's addresses. ``oldest`` and ``newest`` are ages in seconds, None of a pool that is not made yet;
    ``leaving`` are connections on addresses that are in the pool no more."""

    rule: str
    size: int
    life: int
    per: str
    addresses: tuple[Mapping[str, Json], ...]
    oldest: float | None
    newest: float | None
    used: int
    refused: int
    leaving: int
    destinations: tuple[Destination, ...]


@dataclass(frozen=True)
class Destination:
    """What a pool is used for. ``limits`` is not '' where rotation does not help; then not more than ``per_hour``
    connections are made, until ``until``, and none before ``pause``."""

    rule: str
    name: str
    used: int
    refused: int
    resting: tuple[Mapping[str, Json], ...]
    limits: str
    per_hour: int
    until: float
    pause: float


def pools(answer: Mapping[str, Json], now: float) -> list[Pool]:
    return [_pool(item, now) for item in _objects(answer.get("pools"))]


def _pool(item: Mapping[str, Json], now: float) -> Pool:
    addresses = tuple(_objects(item.get("addresses")))
    ages = [max(0.0, now - _number(address.get("born"))) for address in addresses]
    rule = str(item.get("rule"))
    return Pool(
        rule,
        int(_number(item.get("size"))),
        int(_number(item.get("life"))),
        str(item.get("per")),
        addresses,
        max(ages, default=None),
        min(ages, default=None),
        sum(int(_number(address.get("uses"))) for address in addresses),
        sum(int(_number(address.get("refusals"))) for address in addresses),
        sum(int(_number(address.get("connections"))) for address in _objects(item.get("leaving"))),
        tuple(_destination(rule, each) for each in _objects(item.get("destinations"))),
    )


def _destination(rule: str, item: Mapping[str, Json]) -> Destination:
    return Destination(
        rule,
        str(item.get("destination")),
        int(_number(item.get("used"))),
        int(_number(item.get("refused"))),
        tuple(_objects(item.get("resting"))),
        str(item.get("limits") or ""),
        int(_number(item.get("per_hour"))),
        _number(item.get("until")),
        _number(item.get("pause")),
    )


def holders(answer: Mapping[str, Json], address: str) -> list[str]:
    """The rules in whose pools an address is, or was until its last connection ends."""
    found = []
    for pool in _objects(answer.get("pools")):
        rows = [*_objects(pool.get("addresses")), *_objects(pool.get("leaving"))]
        if any(row.get("address") == address for row in rows):
            found.append(str(pool.get("rule")))
    return found


def history(answer: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """What happened, the newest first."""
    return [*_objects(answer.get("history"))]


def warnings(answer: Mapping[str, Json], now: float) -> list[str]:
    """What status says: a destination that limits, rules that were put back, and what the host itself warns of."""
    return [*_limits(answer, now), *_restored(answer, now), *_said(answer)]


def _limits(answer: Mapping[str, Json], now: float) -> Iterator[str]:
    for pool in pools(answer, now):
        for each in pool.destinations:
            if each.limits:
                left = max(0.0, each.until - now)
                then = f", tried again in {_span(left)}" if each.until else ""
                rate = f"at most {each.per_hour} connections an hour go there" if each.per_hour else "it is asked less"
                yield (
                    f"{each.name} refuses the whole prefix to {pool.rule}, another address does not help: {rate}{then}"
                )


def _restored(answer: Mapping[str, Json], now: float) -> Iterator[str]:
    """The last time of each rule that rules were put back, where that is not long ago."""
    seen: set[str] = set()
    for event in history(answer):
        rule, ago = str(event.get("rule") or ""), now - _number(event.get("time"))
        if event.get("what") == "restored" and rule not in seen and ago < RECENT:
            seen.add(rule)
            of = f" of {rule}" if rule else ""
            yield f"the egress rules{of} were put back {_span(max(0.0, ago))} ago: {event.get('why')}"


def _said(answer: Mapping[str, Json]) -> list[str]:
    said = answer.get("warnings")
    return [str(text) for text in said] if isinstance(said, list) else []


def _span(seconds: float) -> str:
    """``40 s``, ``12 min``, ``5 h``."""
    if seconds < 60:
        return f"{int(seconds)} s"
    return f"{int(seconds / 60)} min" if seconds < 7200 else f"{int(seconds / 3600)} h"


def _objects(value: Json) -> Sequence[Mapping[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
