"""Bring the rules of outgoing connections to what they should be now, and go back when somebody outside notices.

    look (names, counters, connections) -> settle (`rotate`) -> rules (`text`)
    they are others than those that are loaded:
        what is asked for from outside is asked -> answer for new addresses -> note the state -> load, and ask all the
        while -> ask again
        what answered before and does not now: the former rules return, and nothing changes for a while

The state is on disk before the rules are in the kernel: whoever is killed in between, the next look makes the rules of
that state. What answered before is on disk as well, so that the next look asks again for it, also when the rules were
loaded. Nothing is taken from an address that has a connection.
"""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress

from eyas.core import paths
from eyas.core.egress import Loaded
from eyas.core.errors import EyasError, Failed
from eyas.core.system import System
from eyas.core.words import Json
from eyas.kind.egress import rotate, store
from eyas.kind.egress import text as rules
from eyas.kind.egress.declared import Declared
from eyas.kind.egress.state import Event, State, state_from_json, state_to_json

REMEMBER = 86400.0
"""Seconds that an address of a name counts as its, after it was seen for the last time: clients remember as well."""
LOOK_AGAIN = 3600.0
"""Seconds after which it is looked again how addresses of the prefix are reached, where that was not to be seen."""
SAID = "the definitions say so"
BREATH = 0.02
"""Seconds between two questions while rules are loaded."""
HOLD = 600.0
"""Seconds without a change after one was taken back."""


def converge(
    system: System,
    declared: Declared,
    now: float,
    *,
    more: Callable[[State], list[Event]] = lambda _state: [],
    names: bool = True,
    random: Callable[[], int] = lambda: int.from_bytes(os.urandom(16), "big"),
) -> list[Event]:
    """One look; what has happened. ``more`` does something to the state besides. Failed when rules are refused."""
    state = store.read(system)
    before = state_to_json(state)
    events = _find(system, declared, state, now, random)
    if names:
        _resolve(system, declared, state, now)
    _count(system, declared, state, now)
    events += more(state)
    draw = drawer(declared, system.egress.own() if declared.pools else set(), random)
    if now >= state.held or not state.pools:
        events += rotate.settle(state, declared, now, draw)
    made = rules.ruleset(declared, state, now)
    trial = store.trial(system)  # of somebody who died in the middle of a change
    said = _bring(system, declared, state, made, now, trial or store.Trial(before, frozenset()))
    broken = any(event.what == "restored" for event in said)
    if broken:
        # The former rules are in use, and so are their addresses; what has begun by the new ones may end.
        events = [event for event in events if event.what == "found"]
        state = _former(trial.state if trial is not None else before, state, now)
    if trial is not None or broken:
        store.no_trial(system)
    events += said
    _tidy(system, declared, state, now)
    if broken or state_to_json(state) != before:
        store.write(system, state)
    store.add_history(system, events)
    return events


def drawer(declared: Declared, own: set[str], random: Callable[[], int]) -> rotate.Draw:
    """Draws addresses of the range at random, never one that somebody has."""
    network = declared.network
    never = {*declared.never, *own}
    marks: set[int] = set()

    def draw(taken: set[str]) -> str:
        assert network is not None
        marks.update(map(rules.mark_of, taken) if not marks else ())
        for _ in range(1000):
            offset = random() % network.num_addresses
            text = str(network[offset])
            if offset and text not in taken and text not in never and rules.mark_of(text) not in marks:
                marks.add(rules.mark_of(text))
                return text
        raise Failed(
            f"cannot find a free address in {network}: it is too small for what pools need",
            "give Uplink(pool6=...) a larger network, or pools a smaller size",
        )

    return draw


def _find(system: System, declared: Declared, state: State, now: float, random: Callable[[], int]) -> list[Event]:
    """How addresses of the prefix are reached from outside; looked at once, and again while it is not known."""
    if declared.mode != "find":
        state.mode, state.how = declared.mode, SAID
        return []
    if declared.network is None or not (declared.pools or any(rule.address6 for rule in declared.rules)):
        return []
    known = state.mode in ("routed", "on-link") or now - state.checked < LOOK_AGAIN
    if state.checked and known and state.how != SAID:
        return []
    targets = [declared.gateway6, *(a for some in state.names.values() for a in some if ":" in a)]
    address = drawer(declared, system.egress.own(), random)(state.taken())
    state.mode, state.how = system.egress.find(declared.uplink, address, [t for t in targets if t][:4])
    state.checked = now
    return [Event(now, "", "found", address, "", f"{state.mode}: {state.how}")]


def _resolve(system: System, declared: Declared, state: State, now: float) -> None:
    """Names and their addresses; who is not answered for keeps what it has."""
    wanted = declared.names
    state.names = {name: some for name, some in state.names.items() if name in wanted}
    if not wanted or not declared.resolver:
        return
    for name, found in system.egress.resolve(declared.resolver, wanted).items():
        kept = {address: until for address, until in state.names.get(name, {}).items() if until > now}
        # Whole hours, so that not every look is a change of the state.
        until = (now + REMEMBER) // 3600 * 3600
        state.names[name] = {**kept, **{address: max(until, now + ttl) for address, ttl in found.items()}}


def _count(system: System, declared: Declared, state: State, now: float) -> None:
    if not declared.pools:
        return
    keys = {
        f"{rule.name} {address}": name
        for rule in declared.pools
        for name in rule.names
        for address in state.names.get(name, ())
    }
    marks = {str(rules.mark_of(address)): address for address in state.taken()}
    used = {
        (marks[mark], place): number for (mark, place), number in system.egress.counted("used").items() if mark in marks
    }
    rotate.count(state, keys, used, now)


def _former(before: Mapping[str, Json], state: State, now: float) -> State:
    """The state of before a change that was taken back."""
    former = state_from_json(before)
    former.held = now + HOLD
    former.answers, former.fixed = state.answers, state.fixed
    known = former.taken()
    for name, pool in state.pools.items():
        for each in pool.every():
            if each.text not in known and name in former.pools:
                former.pools[name].leaving[each.text] = now
    return former


def _bring(
    system: System, declared: Declared, state: State, made: rules.Text, now: float, trial: store.Trial
) -> list[Event]:
    """Load the rules, when they are others, or were changed by hand."""
    text = made.whole()
    loaded = system.egress.loaded()
    if loaded.digest and now < state.held:
        return []
    same = bool(loaded.digest) and store.loaded_as(system, text) == loaded.digest
    if same and not trial.answered:
        _keep(system, text)  # who loaded it may have died before
        return []
    old = (system.files.read(paths.EGRESS_RULES) or b"").decode(errors="replace")
    answered, vantage, meanwhile = set(trial.answered), trial.vantage, ""
    if not same:
        vantage, seen = _seen(system, declared)
        answered |= {pair for pair, why in seen.items() if not why}
        answer_for(system, declared, state)
        store.begin_trial(system, store.Trial(trial.state, frozenset(answered), vantage))
        store.write(system, state)
        with _asking(system, declared, answered, vantage) as told:
            _load(system, made, text, loaded)
        meanwhile = told()
    broken = _broken(system, declared, answered, vantage)
    if broken and (broken := _broken(system, declared, answered, vantage)):  # a lost packet is no reason
        with suppress(EyasError):
            system.egress.load(old or rules.REMOVE)
            store.note(system, old.partition("table ")[2] and _body(old), system.egress.loaded().digest)
        return [Event(now, "", "restored", "", "", f"after a change of pools this did not answer any more: {broken}")]
    _keep(system, text)
    store.no_trial(system)
    if meanwhile:
        why = f"this did not answer while rules were replaced, and does now: {meanwhile}"
        return [Event(now, "", "disturbed", "", "", why)]
    return []


@contextmanager
def _asking(
    system: System, declared: Declared, answered: Collection[tuple[str, int]], vantage: bool
) -> Iterator[Callable[[], str]]:
    """Whoever answered is asked all the time, from before the block begins until after it has ended; then what did not
    answer, in words, the first time that something did not."""
    first, begun, ended = [""], threading.Event(), threading.Event()

    def ask() -> None:
        over = False
        while not over:
            begun.set()
            over = ended.is_set()
            with suppress(EyasError, OSError):
                seen = system.egress.probe(declared.inbound, declared.vantage if vantage else ())
                first[0] = first[0] or _silent(seen or {}, answered)
            ended.wait(BREATH)

    asking = threading.Thread(target=ask, daemon=True)
    if answered:
        asking.start()
        begun.wait()
    try:
        yield lambda: first[0]
    finally:
        ended.set()
        if answered:
            asking.join()


def _keep(system: System, text: str) -> None:
    """For the next boot."""
    file = rules.at_boot(text).encode()
    if system.files.read(paths.EGRESS_RULES) != file:
        system.files.write(paths.EGRESS_RULES, file, 0o600)


def _body(file: str) -> str:
    """The text of a file for the boot."""
    return file.partition(rules.REMOVE)[2]


def _load(system: System, made: rules.Text, text: str, loaded: Loaded) -> None:
    try:
        try:
            system.egress.load(rules.instead(made, loaded.chains, loaded.objects))
        except EyasError:  # sets that another version of eyas, or somebody, has made otherwise: counts begin anew
            system.egress.load(rules.REMOVE + text)
    except EyasError:
        store.no_trial(system)  # nothing has changed
        raise
    store.note(system, text, system.egress.loaded().digest)


def _seen(system: System, declared: Declared) -> tuple[bool, dict[tuple[str, int], str]]:
    """What is answered, and whether the vantage point said so; better from here than not at all."""
    if not declared.inbound:
        return False, {}
    seen = system.egress.probe(declared.inbound, declared.vantage) if declared.vantage else None
    return seen is not None, system.egress.probe(declared.inbound, ()) or {} if seen is None else seen


def _broken(system: System, declared: Declared, answered: Collection[tuple[str, int]], vantage: bool) -> str:
    """What was answered and is not now, in words. It is asked for by who asked before: a vantage point that cannot do
    it any more is perhaps out of our reach."""
    if not answered:
        return ""
    seen = system.egress.probe(declared.inbound, declared.vantage if vantage else ())
    if seen is None:
        return "the vantage point itself"
    return _silent(seen, answered)


def _silent(seen: Mapping[tuple[str, int], str], answered: Collection[tuple[str, int]]) -> str:
    return ", ".join(
        f"{address} port {port}: {why}" for (address, port), why in seen.items() if why and (address, port) in answered
    )


def needed(declared: Declared, state: State) -> set[str]:
    """Addresses that have to be answered for on the link: all that are in use, also those that leave; none where the
    prefix is routed. Where that is not known, answering does no harm."""
    if state.mode == "routed":
        return set()
    return {*state.taken(), *_fixed(declared)}


def _fixed(declared: Declared) -> set[str]:
    """Single addresses that rules send from, which need not be of the range."""
    return {rule.address6 for rule in declared.rules if rule.address6}


def answer_for(system: System, declared: Declared, state: State) -> None:
    """Answer for new addresses, before anything leaves from them."""
    wanted = needed(declared, state)
    if not wanted and not any(rule.address6 for rule in declared.rules):
        return
    own = system.egress.own()
    more = wanted - own - system.egress.answering(declared.uplink)
    if more:
        state.answers = True
        state.fixed = sorted({*state.fixed, *(_fixed(declared) & more)})
        system.egress.answer(declared.uplink, more, ())


def _tidy(system: System, declared: Declared, state: State, now: float) -> None:
    """Let go of addresses whose last connection has ended."""
    leaving = {text for pool in state.pools.values() for text in pool.leaving}
    if leaving:
        rotate.left(state, system.egress.connections(leaving), now)
    if state.mode == "routed" and not state.answers:
        return
    wanted = needed(declared, state)
    less = answered(system, declared, state) - wanted
    more = wanted - system.egress.answering(declared.uplink)
    more = more - system.egress.own() if more else more
    if less or more:
        system.egress.answer(declared.uplink, more, less)
    state.answers = bool(wanted)
    state.fixed = sorted({*state.fixed, *(_fixed(declared) & more)} & wanted)


def answered(system: System, declared: Declared, state: State) -> set[str]:
    """Addresses that the host answers for, as far as that is our doing: of the range, and single ones of rules."""
    network, found = declared.network, system.egress.answering(declared.uplink)
    ours = {a for a in found if network is not None and ipaddress.IPv6Address(a) in network}
    return ours | (found & {*state.fixed})
