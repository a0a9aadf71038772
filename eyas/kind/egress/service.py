"""What commands and the service ask of egress on a host: look, report, rotate, tell."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence

from eyas.core import paths
from eyas.core.errors import Failed, UsageError
from eyas.core.held import RESETS
from eyas.core.system import System
from eyas.core.words import Json
from eyas.kind.egress import report as reports
from eyas.kind.egress import rotate, store
from eyas.kind.egress import text as rules
from eyas.kind.egress.converge import answer_for, converge
from eyas.kind.egress.declared import Declared, Rule
from eyas.kind.egress.metrics import metrics
from eyas.kind.egress.state import Destination, Event, State

TOLD = f"{paths.EGRESS_RUNTIME}/told.json"
METRICS = store.METRICS
SHOWN = 3
"""Names in a warning."""
PAUSE = 60.0
"""Seconds between two lines in a tenant's journal about the same destination."""


def tick(system: System, now: float | None = None) -> list[Event]:
    """What the timer does; nothing where nothing is declared."""
    declared = store.settings(system)
    if declared is None:
        return []
    now = time.time() if now is None else now
    with system.egress.locked():
        seen = system.egress.counted(RESETS) if declared.pools else {}
        events = converge(system, declared, now, more=reports.resets(system, declared, seen, now))
    _tell(system, declared, now)
    system.files.write(METRICS, metrics(declared, store.read(system), now).encode(), 0o644)
    return events


def answer_again(system: System) -> list[Event]:
    """At boot: answer for the addresses of the rules that are loaded already; the kernel has forgotten them."""
    declared = store.settings(system)
    if declared is not None:
        with system.egress.locked():
            answer_for(system, declared, store.read(system))
    return []


def take(system: System, found: Iterable[reports.Report], now: float | None = None) -> list[Event]:
    """Reports that came by a socket."""
    declared = store.settings(system)
    if declared is None:
        return []
    now = time.time() if now is None else now
    with system.egress.locked():
        more = reports.refusals(system, declared, found, now)
        return converge(system, declared, now, more=more, names=False)


def answer(system: System, action: str, words: Sequence[str], now: float | None = None) -> dict[str, Json]:
    """``list``, ``report ADDRESS DESTINATION`` or ``rotate [RULE...]``: what is known afterwards."""
    declared = store.settings(system)
    if declared is None:
        if action == "list":
            return {"version": 1, "mode": "", "how": "", "checked": 0, "pools": [], "rules": [], "history": [],
                    "done": "", "warnings": []}  # fmt: skip
        raise Failed(
            f"cannot {action}: no container of this host has egress", "declare it: Container(..., egress=[...])"
        )
    now = time.time() if now is None else now
    done = _do(system, declared, action, words, now) if action != "list" else ""
    return {**listing(system, declared, store.read(system), now), "done": done}


def _do(system: System, declared: Declared, action: str, words: Sequence[str], now: float) -> str:
    if action == "report" and len(words) == 2:
        with system.egress.locked():
            said = reports.by_hand(system, declared, words[0], words[1])
            events = converge(system, declared, now, more=reports.refusals(system, declared, [said], now), names=False)
        return _said(events) or f"{words[0]} was not in use at {words[1]}: nothing to do"
    if action == "rotate":
        known = {rule.name: rule for rule in declared.pools}
        wanted = [*words] or [*known]
        for name in wanted:
            if name not in known:
                raise UsageError(f"cannot rotate {name}: no pool has this name", f"there are: {', '.join(known)}")

        def all_of(state: State) -> list[Event]:
            return [event for name in wanted for event in rotate.retire_all(state, known[name], now)]

        with system.egress.locked():
            state = store.read(system)
            if now < state.held:
                raise Failed("cannot rotate: the last change was taken back", "eyas egress says why, and until when")
            events = converge(system, declared, now, more=all_of, names=False)
        return _said(events) or "nothing to do"
    raise UsageError(f"cannot do {action}", "write: eyas egress [report ADDRESS DESTINATION | rotate [RULE...]]")


def _said(events: Sequence[Event]) -> str:
    back = [event for event in events if event.what == "restored"]
    if back:
        raise Failed(f"cannot change pools: {back[0].why}", "the rules that were there before are back")
    gone = [event for event in events if event.what == "retired"]
    words = [f"{len(gone)} addresses retired"] if gone else []
    words += [f"{event.address} rests at {event.destination}" for event in events if event.what == "rests"]
    words += [f"{event.destination}: {event.why}" for event in events if event.what in ("limits", "slowed")]
    return "; ".join(words)


# ---------------------------------------------------------------- what is known


def listing(system: System, declared: Declared, state: State, now: float) -> dict[str, Json]:
    leaving = {text for pool in state.pools.values() for text in pool.leaving}
    connections = system.egress.connections(leaving)
    warnings: list[Json] = []
    if now < state.held:
        until = time.strftime("%H:%M:%S", time.localtime(state.held))
        warnings.append(f"the last change of pools was taken back, and nothing changes before {until}")
    if state.mode == "unknown" and declared.pools:
        warnings.append(f"it is not known how addresses of {declared.prefix6} are reached: {state.how}")
    unresolved = [name for name in declared.names if not state.names.get(name)]
    if unresolved:
        more = f" and {len(unresolved) - SHOWN} more" if len(unresolved) > SHOWN else ""
        has, its = ("has", "its rule") if len(unresolved) == 1 else ("have", "their rules")
        named = f"{', '.join(unresolved[:SHOWN])}{more}"
        warnings.append(f"{named} {has} no address, so nothing goes there by {its}")
    return {
        "version": 1,
        "mode": state.mode,
        "how": state.how,
        "checked": state.checked,
        "pools": [_pool(rule, state, connections, now) for rule in declared.pools],
        "rules": [_rule(rule, state) for rule in declared.rules],
        "history": store.history(system),
        "warnings": warnings,
    }


def _pool(rule: Rule, state: State, connections: dict[str, int], now: float) -> Json:
    assert rule.pool is not None
    pool = state.pools.get(rule.name)
    addresses = pool.addresses if pool is not None else []
    return {
        "rule": rule.name,
        "container": rule.container,
        "size": rule.pool.size,
        "life": rule.pool.life,
        "per": rule.pool.per,
        "addresses": [
            {"address": a.text, "born": a.born, "end": a.end, "uses": a.uses, "refusals": a.refusals} for a in addresses
        ],
        "leaving": [
            {"address": text, "since": since, "connections": connections.get(text, 0)}
            for text, since in (pool.leaving.items() if pool is not None else ())
        ],
        "destinations": [
            _destination(rule, state, key, there, now)
            for key, there in (sorted(pool.destinations.items()) if pool is not None else ())
        ],
    }


def _destination(rule: Rule, state: State, key: str, there: Destination, now: float) -> Json:
    return {
        "destination": key,
        "addresses": [*(rules.addresses(state, key, 6) if key in rule.names else [])],
        "used": there.used,
        "refused": there.refused,
        "extra": [each.text for each in there.extra],
        "resting": [
            {"address": text, "until": rest.until, "times": rest.times, "why": rest.why}
            for text, rest in there.resting.items()
            if rest.until > now
        ],
        "limits": there.limits,
        "per_hour": there.per_hour,
        "pause": there.pause if there.pause > now else 0,
        "until": there.until if there.limits else 0,
    }


def _rule(rule: Rule, state: State) -> Json:
    return {
        "rule": rule.name,
        "container": rule.container,
        "via": rule.address6 or rule.address4 if rule.via == "address" else rule.via,
        "names": {name: [*sorted(state.names.get(name, ()))] for name in rule.names},
        "networks": [*rule.networks],
        "ceiling": rule.ceiling,
    }


# ---------------------------------------------------------------- what tenants are told


def _tell(system: System, declared: Declared, now: float) -> None:
    """A line in the journal of each container whose connections were refused here, and why."""
    state = store.read(system)
    denied = {**system.egress.counted("denied6"), **system.egress.counted("denied4")}
    if not denied:
        return
    try:
        known = json.loads(system.files.read(TOLD) or b"{}")
    except ValueError:
        known = {}
    told = dict(known)
    for (source, place), number in sorted(denied.items()):
        before, when = known.get(f"{source} {place}", (0, 0.0))
        more = number - before if number >= before else number
        rule = next((r for r in declared.rules if _denies(r, state, source, place)), None)
        if more and rule is not None and now - when >= PAUSE:
            system.egress.tell(rule.container, _why(rule, state, place, more, now))
            told[f"{source} {place}"] = (number, now)
    if told != known:
        system.files.write(TOLD, json.dumps(told).encode(), 0o600)


def _denies(rule: Rule, state: State, source: str, place: str) -> bool:
    """Whether it can be this rule that refuses connections there."""
    if source not in (*rule.sources4, *rule.sources6) or not rules.covers(rule, state, place):
        return False
    pool = state.pools.get(rule.name)
    there = pool.destinations.get(rules.key_of(rule, state, place)) if pool is not None else None
    return bool(rule.ceiling or (there is not None and there.limits))


def _why(rule: Rule, state: State, place: str, number: int, now: float) -> str:
    key = rules.key_of(rule, state, place)
    pool = state.pools.get(rule.name)
    there = pool.destinations.get(key) if pool is not None else None
    named = key if key == place else f"{key} ({place})"
    what = f"{number} new connection{'s' * (number != 1)} to {named} refused by the host: egress rule {rule.name}"
    if there is not None and there.limits:
        until = time.strftime("%H:%M:%S", time.localtime(max(there.until, there.pause)))
        if there.pause > now:
            return f"{what}: it asked to wait; try again after {time.strftime('%H:%M:%S', time.localtime(there.pause))}"
        return (
            f"{what}: it counts by the prefix, so other addresses are of no use; "
            f"{there.per_hour} connections an hour until {until}"
        )
    return f"{what}: its ceiling is {rule.ceiling} connections an hour to each destination; ask less, or cache"
