"""Outgoing connections as tables: rules, pools, destinations, what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from eyas.cli.view.text import Cell, Column, Paint, count, span, table
from eyas.core.words import Json
from eyas.status.egress import Destination, Pool, history, pools, warnings

POOLS = (
    Column("POOL", flexible=True), Column("SIZE", right=True), Column("LIFE", right=True), Column("PER"),
    Column("AGES", right=True), Column("CONNECTIONS", right=True), Column("REFUSED", right=True),
    Column("LEAVING", right=True),
)  # fmt: skip
DESTINATIONS = (
    Column("DESTINATION", flexible=True, least=20), Column("POOL", flexible=True),
    Column("CONNECTIONS", right=True), Column("REFUSED", right=True), Column("RESTING", right=True),
    Column("STATE", flexible=True, least=20),
)  # fmt: skip
RULES = (Column("RULE", flexible=True), Column("VIA", flexible=True), Column("NAMES", flexible=True, least=20))
ADDRESSES = (
    Column("ADDRESS"), Column("POOL", flexible=True), Column("AGE", right=True), Column("CONNECTIONS", right=True),
    Column("REFUSED", right=True), Column("RESTS AT", flexible=True, least=20),
)  # fmt: skip
HISTORY = (
    Column("AGO", right=True), Column("WHAT"), Column("RULE", flexible=True), Column("ADDRESS"),
    Column("DESTINATION", flexible=True), Column("WHY", flexible=True, least=20),
)  # fmt: skip
ALIKE = ("rule", "what", "destination", "why")
SHOWN = 10
"""Lines of history, unless everything is asked for."""


def egress_text(
    answer: Mapping[str, Json], now: float, width: int = 100, paint: Paint | None = None, *, everything: bool = False
) -> str:
    """All that the host told; ``everything``: also each address, and more of the history."""
    paint = paint or Paint()
    found = pools(answer, now)
    if not found and not answer.get("rules"):
        return paint.good("no egress: all connections leave the usual way.")
    blocks = [_prefix(answer, now)] if found else []
    if found:
        blocks.append(table(POOLS, [_pool(pool, paint) for pool in found], width, paint))
    places = [each for pool in found for each in pool.destinations]
    if places:
        blocks.append(table(DESTINATIONS, [_destination(each, now, paint) for each in places], width, paint))
    rules = _rules(answer, paint)
    if rules:
        blocks.append(table(RULES, rules, width, paint))
    if everything and found:
        blocks.append(table(ADDRESSES, [row for pool in found for row in _addresses(pool, now, paint)], width, paint))
    events = _folded(history(answer))[: None if everything else SHOWN]
    if events:
        blocks.append(table(HISTORY, [_event(event, now) for event in events], width, paint))
    return "\n\n".join([*blocks, _sum(answer, found, now, paint)])


def _prefix(answer: Mapping[str, Json], now: float) -> str:
    mode, how = str(answer.get("mode") or "unknown"), str(answer.get("how") or "")
    checked = answer.get("checked")
    when = f", {span(max(0.0, now - checked))} ago" if isinstance(checked, int | float) and checked else ""
    said = "nobody knows yet how the prefix is given" if mode == "unknown" else f"the prefix is {mode}"
    return f"{said}{f' ({how}{when})' if how else ''}"


def _pool(pool: Pool, paint: Paint) -> list[Cell | str]:
    ages = "-" if pool.oldest is None or pool.newest is None else f"{span(pool.newest)} to {span(pool.oldest)}"
    return [
        Cell(pool.rule, paint.bold),
        str(pool.size),
        span(pool.life),
        pool.per,
        ages,
        str(pool.used),
        Cell(str(pool.refused), paint.warn if pool.refused else paint.plain),
        str(pool.leaving),
    ]


def _destination(each: Destination, now: float, paint: Paint) -> list[Cell | str]:
    state, style = "well", paint.good
    if each.limits:
        rate = f"{each.per_hour} an hour" if each.per_hour else "slower"
        state, style = f"limits the {each.limits}: {rate}, for {span(max(0.0, each.until - now))} more", paint.bad
        if each.pause > now:
            state = f"limits the {each.limits}: it asked to wait, for {span(each.pause - now)} more"
    elif each.resting:
        first = min(_time(rest.get("until")) for rest in each.resting)
        state, style = f"the next is back in {span(max(0.0, first - now))}", paint.warn
    elif each.per_hour:
        state = f"{each.per_hour} an hour"
    numbers = (each.used, each.refused, len(each.resting))
    return [Cell(each.name, paint.bold), each.rule, *(str(number) for number in numbers), Cell(state, style)]


def _rules(answer: Mapping[str, Json], paint: Paint) -> list[list[Cell | str]]:
    rows = answer.get("rules")
    found: list[list[Cell | str]] = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        names = row.get("names")
        known = [
            f"{name} ({count(len(some), 'address', 'addresses')})" if isinstance(some, list) and some else f"{name} (?)"
            for name, some in (names.items() if isinstance(names, dict) else ())
        ]
        found.append([Cell(str(row.get("rule")), paint.bold), str(row.get("via")), ", ".join(known) or "-"])
    return found


def _addresses(pool: Pool, now: float, paint: Paint) -> list[list[Cell | str]]:
    rests: dict[str, list[str]] = {}
    for each in pool.destinations:
        for rest in each.resting:
            rests.setdefault(str(rest.get("address")), []).append(
                f"{each.name} {span(max(0.0, _time(rest.get('until')) - now))}"
            )
    there = [str(address.get("address")) for address in pool.addresses]
    rows: list[list[Cell | str]] = [
        [
            Cell(name, paint.bold),
            pool.rule,
            span(max(0.0, now - _time(address.get("born")))),
            str(address.get("uses", 0)),
            str(address.get("refusals", 0)),
            ", ".join(rests.get(name, [])) or "-",
        ]
        for name, address in zip(there, pool.addresses, strict=True)
    ]
    for name, places in sorted(rests.items()):
        if name not in there:
            rows.append([Cell(name, paint.dim), pool.rule, "gone", "-", "-", ", ".join(places)])
    return rows


def _folded(events: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """The same, with those that happened together as one: a rotation retires a whole pool."""
    found: list[Mapping[str, Json]] = []
    for _, group in groupby(events, lambda event: [int(_time(event.get("time"))), *(event.get(key) for key in ALIKE)]):
        alike = [*group]
        addresses = count(len(alike), "address", "addresses")
        found.append(alike[0] if len(alike) == 1 else {**alike[0], "address": addresses})
    return found


def _event(event: Mapping[str, Json], now: float) -> list[Cell | str]:
    ago = span(max(0.0, now - _time(event.get("time"))))
    rest = (str(event.get(key) or "-") for key in ("what", "rule", "address", "destination", "why"))
    return [ago, *rest]


def _sum(answer: Mapping[str, Json], found: Sequence[Pool], now: float, paint: Paint) -> str:
    bad = warnings(answer, now)
    done = str(answer.get("done") or "")
    addresses = sum(len(pool.addresses) for pool in found)
    said = f"{count(len(found), 'pool')}, {count(addresses, 'address', 'addresses')}"
    said += f", {count(len(bad), 'warning')}." if bad else ": all is well."
    return "\n".join([*bad, *([done] if done else []), (paint.warn if bad else paint.good)(said)])


def _time(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
