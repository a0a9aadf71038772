"""Between two runs: which certificates there are, which have to be renewed, and that one is not to be trusted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from eyas.core import paths
from eyas.core.errors import EyasError, Failed, UsageError
from eyas.core.system import System
from eyas.core.words import Fields, Json
from eyas.kind.certificate import issue, place

PAUSE = 6 * 3600.0
"""Seconds after a failure until the next try, twice as many after each further one, at most `LONGEST`: authorities
count failures too."""
LONGEST = 48 * 3600.0


def listing(system: System) -> list[Json]:
    """All certificates of this host, with what is known of them; no key."""
    found: list[Json] = []
    for name in place.names(system):
        fields = place.settings(system, name)
        if fields is None:
            continue
        known, state = place.about(system, name), _state(system, name)
        pair = place.current(system, name)
        found.append(
            {
                "name": name,
                "names": fields.get("names"),
                "covers": known.get("names"),
                "users": [*place.users(fields)],
                "reloads": {container: [*units] for container, units in place.users(fields).items()},
                "authority": fields.get("directory"),
                "challenge": "http" if issue.by_http(fields) else "dns",
                "placeholder": pair.startswith(place.SELF) or not pair,
                "issuer": known.get("issuer"),
                "serial": known.get("serial"),
                "not_before": known.get("not_before"),
                "not_after": known.get("not_after"),
                "renewal": when(system, name),
                "tried": state.get("tried"),
                "error": state.get("error") or None,
            }
        )
    return found


def when(system: System, name: str) -> float | None:
    """When it is to be renewed; None when there is nothing to renew."""
    known, state = place.about(system, name), _state(system, name)
    if not known:
        return None
    if not place.current(system, name).startswith(place.MADE):
        return place.number(known.get("not_before"))
    own = place.renewal(known, name)
    suggested = place.number(state.get("suggested"))
    return min(own, suggested) if suggested else own


def renew_due(system: System, now: float | None = None) -> dict[str, str]:
    """What the timer does: renew all whose time has come; by name what went wrong."""
    now = time.time() if now is None else now
    mine = {name: fields for name in place.names(system) if (fields := place.settings(system, name)) is not None}
    _ask_when(system, mine)
    unseen = {name: fields for name, fields in mine.items() if not issue.told(system, name)}
    with suppress(EyasError):
        issue.tell(system, unseen)
    return issue.attempt(system, {name: f for name, f in mine.items() if _wanted(system, name, f, now)})


def _wanted(system: System, name: str, fields: Fields, now: float) -> bool:
    state, time_ = _state(system, name), when(system, name)
    failures = int(place.number(state.get("failures")))
    if failures and now < place.number(state.get("tried")) + min(LONGEST, PAUSE * 2 ** (failures - 1)) - 60:
        return False
    return time_ is None or now >= time_ or not place.good(place.about(system, name), fields)


def _ask_when(system: System, mine: Mapping[str, Fields]) -> None:
    """What authorities suggest, where the library can ask: they know when they have to revoke what they issued."""
    orders = [
        issue.order(fields, name, pair)
        for name, fields in mine.items()
        if (pair := place.current(system, name)).startswith(place.MADE)
    ]
    try:
        times = system.certificates.suggest(orders)
    except EyasError:
        return
    for name, suggested in times.items():
        issue.note_more(system, name, {"suggested": suggested})


def renew(system: System, names: Sequence[str]) -> dict[str, str]:
    """Renew these now, whatever their time; all when none is named. By name what went wrong."""
    mine = {name: fields for name in place.names(system) if (fields := place.settings(system, name)) is not None}
    unknown = [name for name in names if name not in mine]
    if unknown:
        raise _unknown(unknown[0], mine)
    return issue.attempt(system, {name: mine[name] for name in names or mine}, anew=True)


def revoke(system: System, name: str) -> None:
    """Tell the authority not to trust the pair in use any more, and put another in its place: without it, what serves
    the names could not go on. Failed when the authority refuses one or the other."""
    fields = place.settings(system, name)
    if fields is None:
        raise _unknown(name, place.names(system))
    pair = place.current(system, name)
    if not pair.startswith(place.MADE):
        raise Failed(f"cannot revoke certificate {name}: it has none yet", "eyas certificates shows it")
    old = issue.order(fields, name, pair)
    authority = place.about(system, name).get("directory") or fields.get("directory")
    kept = f"{place.SPARE}/.revoked"
    system.files.mkdir(place.SPARE, 0o700)
    system.files.remove_tree(kept)
    system.files.mkdir(kept, 0o700)
    system.files.link(f"{paths.certificate(name)}/{pair}/fullchain.pem", f"{kept}/fullchain.pem")
    try:
        errors = issue.attempt(system, {name: fields}, anew=True)
        if errors:
            raise Failed(
                f"cannot revoke certificate {name}: no other takes its place: {errors[name]}", "nothing changed"
            )
        errors = system.certificates.revoke([{**old, "directory": authority, "folder": kept}])
    finally:
        system.files.remove_tree(kept)
    if errors:
        raise Failed(
            f"cannot revoke certificate {name}: {errors[name]}",
            "another one is in use already; the old one is still good",
        )


def _unknown(name: str, known: Iterable[str]) -> UsageError:
    there = ", ".join(sorted(known)) or "none"
    return UsageError(f"cannot find certificate {name}", f"there are: {there}")


def _state(system: System, name: str) -> dict[str, Json]:
    return place.read_json(system, f"{paths.certificate(name)}/state.json")
