"""The life of addresses: born, used, refused, at rest, gone. Pure: time and chance come from outside.

An address retires when its life is over, after so many connections, or by hand: a fresh one takes its place, and it
leaves when its last connection has ended. One that a destination refuses rests at that destination alone; elsewhere
nothing changes. A destination that refuses fresh addresses as well counts by the prefix: then more addresses are of no
use, and fewer connections are what it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from eyas.kind.egress.declared import Declared, Pool, Rule
from eyas.kind.egress.state import Address, Destination, Event, PoolState, Rest, State

Draw: TypeAlias = Callable[[set[str]], str]
"""An address of the range, at random, that is none of those."""

FRESH = 2
"""An address that was refused with so few connections behind it was refused for what others of its prefix did."""
ENOUGH, WITHIN = 3, 30
"""So many fresh ones refused within so many connections: the destination counts by the prefix. Refusals of single
addresses, also such that were told of a wrong one, are a small part of all connections."""
DAY = 86400.0
LONGEST = 7 * 86400.0
FORGET = 7 * 86400.0
"""Seconds without a connection after which a destination is forgotten."""
DESTINATIONS = 256
"""That one pool remembers."""
LEAST, MOST = 6, 3600
"""Bounds of a ceiling of ours, connections an hour."""
AGAIN = 10.0
"""Seconds within which several refusals are one reason to slow down."""
GRACE = 15.0
"""Seconds that an address is kept without a connection: longer than from one look to the next."""
WINDOW = 600.0
"""Seconds over which the rate of connections to a destination is measured."""


def settle(state: State, declared: Declared, now: float, draw: Draw) -> list[Event]:
    """What time does, and what definitions do: pools get their size, old addresses leave, rests end."""
    events: list[Event] = []
    wanted = {rule.name: rule for rule in declared.pools}
    for name in [name for name in state.pools if name not in wanted]:
        gone = state.pools[name]
        _leave(gone, [each.text for each in gone.every()], now)
        gone.addresses, gone.destinations = [], {}
        if not gone.leaving:
            del state.pools[name]
    for name, rule in wanted.items():
        assert rule.pool is not None
        pool = state.pools.setdefault(name, PoolState())
        events += _outside(pool, declared, name, now)
        events += _aged(pool, rule.pool, name, now)
        _fill(pool, rule.pool, state, now, draw)
        events += _rested(pool, rule, now)
        _replace(pool, rule.pool, state, now, draw)
    return events


def _outside(pool: PoolState, declared: Declared, rule: str, now: float) -> list[Event]:
    """Addresses that definitions do not allow any more: another range, or somebody's own."""
    import ipaddress

    network, never = declared.network, set(declared.never)
    bad = [
        each.text
        for each in pool.every()
        if network is None or ipaddress.IPv6Address(each.text) not in network or each.text in never
    ]
    return _retire(pool, bad, rule, "definitions do not allow it any more", now)


def _aged(pool: PoolState, policy: Pool, rule: str, now: float) -> list[Event]:
    old = [each.text for each in pool.every() if each.end <= now]
    worn = [each.text for each in pool.every() if policy.uses and each.uses >= policy.uses and each.text not in old]
    return [
        *_retire(pool, old, rule, "its life is over", now),
        *_retire(pool, worn, rule, f"after {policy.uses} connections", now),
    ]


def _retire(pool: PoolState, texts: Sequence[str], rule: str, why: str, now: float) -> list[Event]:
    if not texts:
        return []
    gone = set(texts)
    pool.addresses = [each for each in pool.addresses if each.text not in gone]
    for there in pool.destinations.values():
        there.extra = [each for each in there.extra if each.text not in gone]
    _leave(pool, texts, now)
    return [Event(now, rule, "retired", text, "", why) for text in texts]


def _leave(pool: PoolState, texts: Sequence[str], now: float) -> None:
    for text in texts:
        pool.leaving.setdefault(text, now)


def _fill(pool: PoolState, policy: Pool, state: State, now: float, draw: Draw) -> None:
    """As many as are declared. Those that come at the same time end one after the other."""
    while len(pool.addresses) > policy.size:
        _leave(pool, [pool.addresses.pop().text], now)
    missing = policy.size - len(pool.addresses)
    taken = state.taken()
    for number in range(missing):
        text = draw(taken)
        taken.add(text)
        share = (number + 1) / missing if missing > 1 else 1.0
        pool.addresses.append(Address(text, now, now + policy.life * share))


def _replace(pool: PoolState, policy: Pool, state: State, now: float, draw: Draw) -> None:
    """Those that are used at one destination only retire as others do, and others are used there then: somebody has to
    be. Where more addresses are of no use, one is enough."""
    for key, there in pool.destinations.items():
        missing = (1 if there.limits else policy.size) - len(pool.members(key, now))
        for _ in range(missing):
            there.extra.append(Address(draw(state.taken()), now, now + policy.life))


def _rested(pool: PoolState, rule: Rule, now: float) -> list[Event]:
    """Rests that are over, ceilings that are over, destinations that nobody asks any more."""
    assert rule.pool is not None
    events = []
    for key, there in list(pool.destinations.items()):
        if there.limits and there.until <= now:
            there.limits, there.per_hour, there.pause, there.fresh = "", 0, 0.0, []
            events.append(Event(now, rule.name, "resumed", "", key, "tried again with fresh addresses"))
        known = {each.text for each in pool.addresses}
        for text, rest in list(there.resting.items()):
            if rest.until + rule.pool.rest * 2**rest.times <= now or (rest.until <= now and text not in known):
                del there.resting[text]
        while there.extra and len(pool.members(key, now)) > rule.pool.size:
            _leave(pool, [there.extra.pop(0).text], now)
        if not there.limits and there.seen + FORGET <= now:
            _leave(pool, [each.text for each in there.extra], now)
            del pool.destinations[key]
    return events


def refuse(
    state: State, rule: Rule, key: str, text: str, now: float, draw: Draw, *, why: str, uses: int, after: float = 0.0
) -> list[Event]:
    """A destination has refused an address, that had made ``uses`` connections to it; ``after``: seconds that it asked
    to wait."""
    assert rule.pool is not None
    pool = state.pools[rule.name]
    there = _destination(pool, key, now)
    there.refused += 1
    for each in pool.every():
        each.refusals += each.text == text
    if there.limits:
        return _slower(there, rule.name, key, now, after)
    if text not in pool.members(key, now):
        return []  # told already, or not ours any more
    there.fresh = [used for used in there.fresh if there.used - used <= WITHIN]
    if uses <= FRESH or (there.limited and now < there.until + DAY):  # who did it once does so again
        there.fresh.append(there.used)
    if len(there.fresh) >= ENOUGH:
        return _limited(there, rule, key, now, after)
    before = there.resting.get(text)
    times = before.times + 1 if before is not None else 1
    there.resting[text] = Rest(now + max(after, min(LONGEST, rule.pool.rest * 2.0 ** (times - 1))), times, why)
    fresh = draw(state.taken())
    there.extra.append(Address(fresh, now, now + rule.pool.life))
    if any(each.text == text for each in there.extra):
        there.extra = [each for each in there.extra if each.text != text]
        _leave(pool, [text], now)
    return [Event(now, rule.name, "rests", text, key, why)]


def _limited(there: Destination, rule: Rule, key: str, now: float, after: float) -> list[Event]:
    """Rotation does not help: back to the addresses that there were, at half of the rate that was too much."""
    assert rule.pool is not None
    there.limits, there.limited = "prefix", (there.limited if now < there.until + DAY else 0) + 1
    there.until = now + max(after, min(LONGEST, rule.pool.rest * 2.0 ** (there.limited - 1)))
    there.per_hour = max(LEAST, min(MOST, rate(there, now) // 2))
    there.pause, there.slowed = now + after, now
    why = f"{ENOUGH} fresh addresses were refused at once: it counts by the prefix"
    return [Event(now, rule.name, "limits", "", key, why)]


def _slower(there: Destination, rule: str, key: str, now: float, after: float) -> list[Event]:
    if after:
        there.pause = max(there.pause, now + after)
    if now - there.slowed < AGAIN or there.per_hour <= LEAST:
        return []
    there.slowed = now
    there.per_hour = max(LEAST, there.per_hour // 2)
    return [Event(now, rule, "slowed", "", key, f"refused again: {there.per_hour} connections an hour from now on")]


def rate(there: Destination, now: float) -> int:
    """Connections an hour to a destination, by what was seen lately."""
    past = [(time, count) for time, count in there.recent if time >= now - WINDOW]
    if not past:
        return 0
    seconds = max(60.0, now - past[0][0])
    return int((there.used - past[0][1]) * 3600 / seconds)


def retire_all(state: State, rule: Rule, now: float, why: str = "by hand") -> list[Event]:
    """All addresses of a pool are replaced (by `settle`)."""
    pool = state.pools.get(rule.name)
    return _retire(pool, [each.text for each in pool.every()], rule.name, why, now) if pool is not None else []


def count(state: State, rules: Mapping[str, str], used: Mapping[tuple[str, str], int], now: float) -> None:
    """What the packet filter counted: connections from an address to a destination. ``rules`` say by which key a
    destination is known: "RULE ADDRESS" to a name; the address itself otherwise. Counters begin again at a boot."""
    owners = {each.text: (name, each) for name, pool in state.pools.items() for each in pool.every()}
    for (text, destination), number in used.items():
        mark = f"{text} {destination}"
        before = state.counted.get(mark, 0)
        more = number - before if number >= before else number
        state.counted[mark] = number
        if more and text in owners:
            name, each = owners[text]
            each.uses += more
            there = _destination(state.pools[name], rules.get(f"{name} {destination}", destination), now)
            there.used += more
            there.seen = now
            there.recent = [(time, seen) for time, seen in there.recent if time >= now - WINDOW]
            there.recent.append((now, there.used))
    known = state.taken()
    pairs = {f"{text} {destination}" for text, destination in used if text in known}  # the kernel forgets others too
    state.counted = {mark: n for mark, n in state.counted.items() if " ".join(mark.split()[:2]) in pairs}


def _destination(pool: PoolState, key: str, now: float) -> Destination:
    if key not in pool.destinations and len(pool.destinations) >= DESTINATIONS:
        oldest = min(pool.destinations, key=lambda name: pool.destinations[name].seen)
        _leave(pool, [each.text for each in pool.destinations.pop(oldest).extra], now)
    there = pool.destinations.setdefault(key, Destination(seen=now))
    there.seen = now
    return there


def left(state: State, connections: Mapping[str, int], now: float, grace: float = GRACE) -> list[str]:
    """Addresses that have left: no connection is theirs any more. ``connections`` by address, of those that leave."""
    gone = []
    for pool in state.pools.values():
        for text, since in list(pool.leaving.items()):
            if not connections.get(text) and since + grace <= now:
                del pool.leaving[text]
                gone.append(text)
    return gone
