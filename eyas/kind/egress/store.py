"""Where egress stands on a host: what is declared, which addresses there are, what happened, figures.

/etc/eyas/egress.json                 what definitions say: the fields of ``egress:eyas``
/etc/eyas/egress.nft                  the rules that were loaded last, for the boot
/var/lib/eyas/egress/state.json       pools and what became of addresses (`eyas.kind.egress.state`)
/var/lib/eyas/egress/history.jsonl    events, the oldest first; the older half goes when it is long
/run/eyas/egress/print                ties the rules in the kernel to their text
/run/eyas/egress/trial                a change that is under way: the state before it, and what answered then
/run/eyas/egress/metrics.prom         figures, in the text format of Prometheus
/run/eyas/egress/[CONTAINER/]report   sockets for reports (`eyas.kind.egress.units`)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Fields, Json, digest
from eyas.kind.egress.declared import Declared, declared
from eyas.kind.egress.state import Event, State, state_from_json, state_to_json

STATE = f"{paths.EGRESS}/state.json"
HISTORY = f"{paths.EGRESS}/history.jsonl"
PRINT = f"{paths.EGRESS_RUNTIME}/print"
TRIAL = f"{paths.EGRESS_RUNTIME}/trial"
METRICS = f"{paths.EGRESS_RUNTIME}/metrics.prom"
LONG = 1 << 20  # bytes of history
FEW = 3  # addresses that are told one by one


@dataclass(frozen=True)
class Trial:
    """A change of the rules that is not yet known to be good: the state before it, who answered then, and whether a
    vantage point had asked."""

    state: Mapping[str, Json]
    answered: frozenset[tuple[str, int]]
    vantage: bool = False


def fields(system: System) -> dict[str, Json] | None:
    """What is declared, as the resource's fields; None when nothing is, or it cannot be understood."""
    data = system.files.read(paths.EGRESS_DECLARED)
    try:
        found = json.loads(data) if data is not None else None
    except ValueError:
        return None
    inner = found.get("fields") if isinstance(found, dict) and found.get("version") == 1 else None
    return inner if isinstance(inner, dict) else None


def settings(system: System) -> Declared | None:
    found = fields(system)
    try:
        return declared(found) if found is not None else None
    except (KeyError, IndexError):
        return None


def encoded(of: Fields) -> bytes:
    return json.dumps({"version": 1, "fields": dict(of)}, indent=1, sort_keys=True).encode() + b"\n"


def read(system: System) -> State:
    """The state; a new one when there is none, or it cannot be understood."""
    data = system.files.read(STATE)
    try:
        return state_from_json(json.loads(data)) if data is not None else State()
    except (ValueError, AttributeError):
        return State()


def write(system: System, state: State) -> None:
    system.files.mkdir(paths.STATE, 0o700)
    system.files.write(STATE, json.dumps(state_to_json(state), sort_keys=True).encode() + b"\n", 0o600)


def add_history(system: System, events: Sequence[Event]) -> None:
    if not events:
        return
    old = system.files.read(HISTORY) or b""
    if len(old) > LONG:
        old = old[len(old) // 2 :].partition(b"\n")[2]
    new = "".join(json.dumps(event.to_json()) + "\n" for event in folded(events))
    system.files.write(HISTORY, old + new.encode(), 0o600)


def folded(events: Sequence[Event]) -> list[Event]:
    """Many addresses that retire for one reason are one event."""
    found: list[Event] = []
    for (rule, what, why), group in groupby(events, key=lambda event: (event.rule, event.what, event.why)):
        some = [*group]
        many = what == "retired" and len(some) > FEW
        found += [Event(some[0].time, rule, what, "", "", f"{len(some)} addresses: {why}")] if many else some
    return found


def history(system: System, limit: int = 50) -> list[Json]:
    """The latest events, newest first."""
    lines = (system.files.read(HISTORY) or b"").decode(errors="replace").splitlines()[-limit:]
    found: list[Json] = []
    for line in reversed(lines):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def note(system: System, text: str, listing: str) -> None:
    """What was loaded, and how the kernel lists it."""
    seen = {"text": digest(text.encode()), "listing": listing}
    system.files.write(PRINT, json.dumps(seen).encode(), 0o600)


def loaded_as(system: System, text: str) -> str | None:
    """How the kernel listed this text when it was loaded; None when that is not known."""
    data = system.files.read(PRINT)
    try:
        seen = json.loads(data) if data is not None else {}
    except ValueError:
        return None
    return str(seen.get("listing")) if seen.get("text") == digest(text.encode()) else None


def begin_trial(system: System, trial: Trial) -> None:
    rows: list[Json] = [[address, port] for address, port in sorted(trial.answered)]
    row = {"state": dict(trial.state), "answered": rows, "vantage": trial.vantage}
    system.files.write(TRIAL, json.dumps(row).encode(), 0o600)


def trial(system: System) -> Trial | None:
    """A change whose author died before it was known to be good."""
    data = system.files.read(TRIAL)
    try:
        seen = json.loads(data) if data is not None else None
        if seen is None:
            return None
        state_from_json(seen["state"])
        answered = frozenset((str(address), int(port)) for address, port in seen["answered"])
        return Trial(seen["state"], answered, bool(seen["vantage"]))
    except (ValueError, KeyError, TypeError):
        return None


def no_trial(system: System) -> None:
    system.files.remove(TRIAL)
