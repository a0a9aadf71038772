"""Refusals: what programs, the packet filter and people report, and which address was meant."""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eyas.core.egress import Translated
from eyas.core.errors import UsageError
from eyas.core.system import System
from eyas.kind.egress import rotate
from eyas.kind.egress import text as rules
from eyas.kind.egress.declared import Declared, Rule
from eyas.kind.egress.state import Event, State

STATUSES = (403, 429, 503)
"""Answers over HTTP that say: you ask too much. Others are not about us."""
NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+")
LONGEST, NAMES = 254, 32
"""What is looked up of all that programs report at one time."""
RESETS, LATELY = 3, 20
"""So many resets of one address by one destination, and at least half of its last connections there, are a refusal."""


@dataclass(frozen=True)
class Report:
    """One refusal. ``container``: who reported it, '' for the host. ``source``: address and port of the connection as
    the container had it, where that is known; ``remote``: where it went. ``after``: seconds that were asked for."""

    container: str
    destination: str
    status: int = 0
    after: float = 0.0
    source: str = ""
    remote: str = ""
    address: str = ""


def parse(data: bytes, container: str) -> Report | None:
    """A report out of a datagram: JSON, also behind the head of a line of syslog; None for anything else, whatever
    somebody in a container may send."""
    try:
        said = json.loads(data[data.index(b"{") :].decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not said.get("destination"):
        return None
    status = str(said.get("status", "")).split(",")[0].strip()
    return Report(
        container,
        bare(str(said["destination"])),
        int(status) if re.fullmatch("[0-9]{3}", status) else 0,
        seconds(str(said.get("retry_after", "") or "")),
        str(said.get("source", "") or ""),
        str(said.get("remote", "") or ""),
    )


def seconds(text: str) -> float:
    """Retry-After: seconds, or a date (RFC 9110, 10.2.3), within the longest rest that there is; 0 for neither."""
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
        return min(rotate.LONGEST, float(text))
    try:
        from email.utils import parsedate_to_datetime

        return min(rotate.LONGEST, max(0.0, parsedate_to_datetime(text).timestamp() - time.time()))
    except (TypeError, ValueError, OverflowError):
        return 0.0


def bare(place: str) -> str:
    """A host name or address without a port: ``github.com:443``, ``[2001:db8::1]:443``."""
    if place.startswith("["):
        return canonical(place[1:].partition("]")[0])
    return canonical(place if place.count(":") > 1 else place.partition(":")[0])


def canonical(text: str) -> str:
    return str(ipaddress.ip_address(text)) if _literal(text) else text.lower().rstrip(".")


def refusals(
    system: System, declared: Declared, reports: Iterable[Report], now: float
) -> Callable[[State], list[Event]]:
    """What to do to the state (`eyas.kind.egress.converge`): everything that was reported."""

    def do(state: State) -> list[Event]:
        draw, told = _drawer(system, declared), [*reports]
        asked = {report.destination for report in told if _unknown(report, state)}
        looked = Looked(system, looked_up(system, declared, asked))
        return [event for report in told for event in refused(declared, state, report, looked, now, draw)]

    return do


@dataclass
class Looked:
    """What is looked at once for many reports: addresses of names that no rule has, connections by who made them."""

    system: System
    names: Mapping[str, Sequence[str]]
    made: dict[tuple[str, ...], list[Translated]] = field(default_factory=dict)

    def connections(self, sources: tuple[str, ...]) -> list[Translated]:
        if sources not in self.made:
            self.made[sources] = self.system.egress.translated(sources)
        return self.made[sources]


def _unknown(report: Report, state: State) -> bool:
    """Whether nothing tells where a report's destination is, but its name."""
    return not (_literal(report.destination) or report.remote or rules.addresses(state, report.destination, 6))


def looked_up(system: System, declared: Declared, names: Iterable[str]) -> dict[str, list[str]]:
    """IPv6 addresses of names that no rule has: of a rule for everything, a destination is known by its addresses."""
    wanted = sorted(name for name in names if len(name) < LONGEST and NAME.fullmatch(name))[:NAMES]
    if not wanted or not declared.resolver:
        return {}
    found = system.egress.resolve(declared.resolver, wanted)
    return {name: sorted(address for address in some if ":" in address) for name, some in found.items()}


def _drawer(system: System, declared: Declared) -> rotate.Draw:
    import os

    from eyas.kind.egress.converge import drawer

    return drawer(declared, system.egress.own(), lambda: int.from_bytes(os.urandom(16), "big"))


def refused(
    declared: Declared, state: State, report: Report, looked: Looked, now: float, draw: rotate.Draw
) -> list[Event]:
    """One refusal; nothing happens for a destination that no pool is for, or an address that is not to be told."""
    if report.status and report.status not in STATUSES:
        return []
    places = _places(state, report, looked.names)
    for rule in declared.pools:
        if report.container and rule.container != report.container:
            continue
        if rule.name not in state.pools or not concerns(rule, state, report.destination, places):
            continue
        why, events = f"it answered {report.status}" if report.status else "it was reported", []
        for address, key in _meant(state, rule, report, places, looked, now):
            uses = uses_at(state, rule, address, key)
            events += rotate.refuse(state, rule, key, address, now, draw, why=why, uses=uses, after=report.after)
        return events
    return []


def _places(state: State, report: Report, names: Mapping[str, Sequence[str]]) -> list[str]:
    """Addresses that a report's destination can be."""
    if report.remote:
        return [place for place in _remote(report.remote) if _literal(place)]
    if _literal(report.destination):
        return [report.destination]
    return rules.addresses(state, report.destination, 6) or [*names.get(report.destination, ())]


def concerns(rule: Rule, state: State, destination: str, places: Iterable[str]) -> bool:
    """Whether a rule is about a destination, or about one of its addresses."""
    return rules.covers(rule, state, destination) or any(rules.covers(rule, state, place) for place in places)


def _meant(
    state: State, rule: Rule, report: Report, places: Sequence[str], looked: Looked, now: float
) -> list[tuple[str, str]]:
    """The address that was refused, and the key of the destination: by the connection, where it is named; else the one
    that was there last. A name that the rule does not have is known by its addresses, which are several keys then."""
    named = report.destination in rule.names or _literal(report.destination)
    keys = [*dict.fromkeys(rules.key_of(rule, state, each) for each in ([report.destination] if named else places))]
    if report.address:
        return [(report.address, key) for key in keys]
    said = re.fullmatch(r".*:([0-9]{1,5})", report.source)
    for each in looked.connections(rule.sources6):
        if each.destination in places and (said is None or each.source_port == int(said[1])):
            return [(each.address, keys[0] if named else rules.key_of(rule, state, each.destination))]
    only = [(state.pools[rule.name].members(key, now), key) for key in keys]
    return [(members[0], key) for members, key in only if len(members) == 1]


def _literal(place: str) -> bool:
    """Whether it is an address, and not one of some link."""
    try:
        ipaddress.ip_address(place)
    except ValueError:
        return False
    return "%" not in place


def _remote(text: str) -> list[str]:
    """What may be meant by the other end of a connection: some write an IPv6 address and a port without brackets."""
    return [bare(text), *([canonical(text.rpartition(":")[0])] if text.count(":") > 1 else [])]


def uses_at(state: State, rule: Rule, address: str, key: str) -> int:
    """Connections that an address has made to a destination."""
    places = rules.addresses(state, key, 6) if key in rule.names else [key]
    return sum(state.counted.get(f"{address} {place}", 0) for place in places)


def resets(
    system: System, declared: Declared, seen: Mapping[tuple[str, str], int], now: float
) -> Callable[[State], list[Event]]:
    """What to do about resets that the packet filter has counted, by (address, destination)."""

    def do(state: State) -> list[Event]:
        events = []
        owners = {each.text: name for name, pool in state.pools.items() for each in pool.every()}
        for (address, place), number in seen.items():
            rule = declared.rule(owners.get(address, ""))
            if rule is None or rule.pool is None:
                continue
            number, used = _lately(state, f"{address} {place}", number)
            key = rules.key_of(rule, state, place)
            if number < RESETS or number * 2 < used or address not in state.pools[rule.name].members(key, now):
                continue
            why = f"{number} connections were reset"
            uses = max(0, uses_at(state, rule, address, key) - number)
            events += rotate.refuse(state, rule, key, address, now, _drawer(system, declared), why=why, uses=uses)
        return events

    return do


def _lately(state: State, pair: str, number: int) -> tuple[int, int]:
    """Resets and connections of an address at a destination since some connections ago. The kernel counts from its
    boot, or from ten minutes without a reset."""
    used = state.counted.get(pair, 0)
    before, then = state.counted.get(f"{pair} resets", 0), state.counted.get(f"{pair} then", 0)
    if number < before or used < then:
        before = then = 0
    resets, connections = number - before, used - then
    if connections >= LATELY:
        state.counted[f"{pair} resets"], state.counted[f"{pair} then"] = number, used
    return resets, connections


def by_hand(system: System, declared: Declared, address: str, destination: str) -> Report:
    """``eyas egress report ADDRESS DESTINATION``. UsageError for an address that is in no pool."""
    from eyas.kind.egress import store

    state, address = store.read(system), canonical(address)
    owners = {each.text: name for name, pool in state.pools.items() for each in pool.every()}
    rule = declared.rule(owners.get(address, ""))
    if rule is None:
        raise UsageError(f"cannot report {address}: it is in no pool", "eyas egress shows those that are")
    destination = bare(destination)
    said = Report(rule.container, destination, address=address)
    if _unknown(said, state) and destination not in rule.names:
        found = looked_up(system, declared, [destination]).get(destination, [])
        if not found and (rule.everywhere or rule.networks):
            hint = "name one as the container knows it, or its address"
            raise UsageError(f"cannot report {address} at {destination}: no IPv6 address of it is known", hint)
    else:
        found = _places(state, said, {})
    if not concerns(rule, state, destination, found):
        raise UsageError(
            f"cannot report {address} at {destination}: its rule {rule.name} is not about that destination",
            "eyas egress shows which rule is about what",
        )
    return said
