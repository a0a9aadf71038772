"""Getting certificates and handing them out: what a run, the timer and the operator's command have in common."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from eyas.core import paths
from eyas.core.errors import EyasError, Failed
from eyas.core.system import System
from eyas.core.words import Fields, Json
from eyas.kind.certificate import place
from eyas.kind.common import table
from eyas.kind.slots import machine_now, probed

Wanted = Mapping[str, Fields]
"""Fields of certificates by name."""


def order(fields: Fields, name: str, pair: str) -> dict[str, Json]:
    """What `eyas.core.system.Certificates` is asked for."""
    asked = {key: fields.get(key) for key in ("names", "directory", "email", "ca", "challenge")}
    return {"name": name, "folder": f"{paths.certificate(name)}/{pair}", **asked}


def answering(system: System, wanted: Wanted) -> list[str]:
    """Containers of the host whose port 80 answers challenges right now."""
    fronts = sorted({front for fields in wanted.values() for front in place.words(fields.get("fronts"))})
    found = []
    for front in fronts:
        spec = table(place.read_json(system, paths.print_of(machine_now(system.files, front))).get("spec"))
        address = probed(spec)
        if address:
            place.make_shown(system, front)
            if system.certificates.answers(address, place.challenges(front)):
                found.append(front)
    return found


def by_http(fields: Fields) -> bool:
    return fields.get("challenge") == "http"


def obtain(system: System, wanted: Wanted, fronts: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """New pairs in their folders, not in use yet: (pair by name, why not by name)."""
    pairs = {name: place.fresh() for name in wanted}
    orders = [order(fields, name, pairs[name]) for name, fields in sorted(wanted.items())]
    web = [place.challenges(front) for front in fronts]
    errors = system.certificates.obtain(orders, web)
    return {name: pair for name, pair in pairs.items() if name not in errors}, errors


def placeholders(system: System, wanted: Wanted) -> dict[str, str]:
    """Pairs to start with, not in use yet."""
    pairs = {name: place.fresh(place.SELF) for name in wanted}
    errors = system.certificates.placeholder([order(fields, name, pairs[name]) for name, fields in wanted.items()])
    return {name: pair for name, pair in pairs.items() if name not in errors}


def hand_out(system: System, name: str, fields: Fields, pair: str) -> None:
    """Let a pair be the current one, on the host and in the containers that use it. Who serves the former one does so
    until it reads it anew (`tell`)."""
    if place.current(system, name).startswith(place.MADE):
        system.files.write(f"{paths.certificate(name)}/unseen", b"", 0o600)
    place.use(system, name, pair)
    place.show(system, name, [*place.users(fields)])


def tell(system: System, fields: Wanted) -> None:
    """Let all who use these certificates read them anew. Failed when somebody cannot; the others have read them."""
    failures = reload(system, fields)
    for name, one in fields.items():
        if not failures.keys() & place.users(one).keys():
            system.files.remove(f"{paths.certificate(name)}/unseen")
    if failures:
        raise Failed(next(iter(failures.values())), "the former certificate goes on being served there")


def reload(system: System, fields: Wanted) -> dict[str, str]:
    """Each unit once, however many of its certificates are new; by container what went wrong. Who does not run reads
    them when it starts."""
    units: dict[str, set[str]] = {}
    for one in fields.values():
        for container, readers in place.users(one).items():
            units.setdefault(container, set()).update(readers)
    failures = {}
    for container, each in sorted(units.items()):
        readers, machine = sorted(each), machine_now(system.files, container)
        if readers and system.files.stat(paths.print_of(machine)) is not None:
            try:
                system.units.reload(readers, machine=machine)
            except EyasError as error:
                failures[container] = error.message
    return failures


def told(system: System, name: str) -> bool:
    """Whether all have read the current one, as far as we know."""
    return system.files.stat(f"{paths.certificate(name)}/unseen") is None


def tidy(system: System, name: str, fields: Fields) -> None:
    """Pairs that are not in use any more go, here and where they were shown."""
    now = place.current(system, name)
    for entry in system.files.list(paths.certificate(name)):
        if entry.startswith((place.MADE, place.SELF)) and entry != now:
            system.files.remove_tree(f"{paths.certificate(name)}/{entry}")
    place.tidy_shown(system, name, [*place.users(fields)])


def note(system: System, name: str, error: str) -> None:
    """How the last try went: for status, and for the next one."""
    known = place.read_json(system, f"{paths.certificate(name)}/state.json")
    failures = int(place.number(known.get("failures"))) + 1 if error else 0
    body: dict[str, Json] = {"version": 1, "tried": time.time(), "error": error, "failures": failures}
    system.files.write(f"{paths.certificate(name)}/state.json", json.dumps(body).encode(), 0o600)


def note_more(system: System, name: str, more: Mapping[str, Json]) -> None:
    """Beside that: what an authority suggests."""
    path = f"{paths.certificate(name)}/state.json"
    known = place.read_json(system, path)
    if {**known, **more} != known:
        system.files.write(path, json.dumps({**known, **more}).encode(), 0o600)


def attempt(system: System, wanted: Wanted, *, anew: bool = False) -> dict[str, str]:
    """Renew these, and hand them out; by name what went wrong. Whatever goes wrong, the former ones stay in use. Pairs
    that were set aside are taken first, unless ``anew``."""
    before = {name: place.current(system, name) for name in wanted}
    pairs = {} if anew else {n: p for n, f in wanted.items() if (p := place.take_spare(system, n, f, time.time()))}
    need = {name: fields for name, fields in wanted.items() if name not in pairs}
    made, errors = _renewed(system, need)
    pairs |= made
    for name, pair in pairs.items():
        hand_out(system, name, wanted[name], pair)
    failures = reload(system, {name: wanted[name] for name in pairs})
    for name, pair in pairs.items():
        bad = [said for container, said in failures.items() if container in place.users(wanted[name])]
        if bad:
            errors[name] = bad[0]
        if bad and before[name]:
            place.use(system, name, before[name])
            place.show(system, name, [*place.users(wanted[name])])
            place.set_aside(system, name, pair)
        system.files.remove(f"{paths.certificate(name)}/unseen")
        tidy(system, name, wanted[name])
    for name in wanted:
        note(system, name, errors.get(name, ""))
    return errors


def _renewed(system: System, wanted: Wanted) -> tuple[dict[str, str], dict[str, str]]:
    """New pairs, not in use yet, and why not by name."""
    fronts = answering(system, wanted) if any(by_http(fields) for fields in wanted.values()) else []
    mute = {name for name, fields in wanted.items() if by_http(fields) and not fronts}
    errors = dict.fromkeys(mute, "nobody on this host answers challenges on port 80")
    able = {name: fields for name, fields in wanted.items() if name not in mute}
    try:
        pairs, refused = obtain(system, able, fronts)
    except EyasError as error:
        return {}, {**errors, **dict.fromkeys(able, error.message)}
    return pairs, {**errors, **refused}
