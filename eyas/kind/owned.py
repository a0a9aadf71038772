"""What eyas owns that does not say so by its name: accounts, packages, plain files, kernel settings, directories.

One file on the host, ids and what was there before. It says whose a thing is, never how it is: that is asked of the
host each time. A claim is written before its deed, so that a crash leaves at most a claim on nothing.

    {"version": 1, "ids": {"file:/etc/motd": {"owner": "host", "before": {...}}}, "left": ["/var/log/journal/..."]}
"""

from __future__ import annotations

import json

from eyas.core import paths
from eyas.core.errors import Stuck
from eyas.core.system import System
from eyas.core.words import Json

Table = dict[str, Json]


def read(system: System) -> Table:
    """The whole table. Stuck when it cannot be understood: guessing would take away what others own."""
    data = system.files.read(paths.OWNED)
    if data is None:
        return {"version": 1, "ids": {}, "left": []}
    try:
        table = json.loads(data)
        if table["version"] != 1 or not isinstance(table["ids"], dict):
            raise ValueError("unknown version")
    except (ValueError, KeyError, TypeError) as error:
        raise Stuck(
            f"cannot read {paths.OWNED}: {error}", "put it back from a backup; it says what eyas may remove"
        ) from None
    return dict(table)


def ids(system: System, kind: str) -> dict[str, Table]:
    """Owned things of one kind: id to what was noted at the claim."""
    table = read(system)["ids"]
    assert isinstance(table, dict)
    return {id_: note for id_, note in table.items() if id_.startswith(f"{kind}:") and isinstance(note, dict)}


def claim(system: System, id_: str, note: Table, *, replace: bool = False) -> None:
    """Own a thing. What was noted at an earlier claim stays (it tells what was before us) unless told to replace."""
    table = read(system)
    known = table["ids"]
    assert isinstance(known, dict)
    if id_ not in known or (replace and known[id_] != note):
        table["ids"] = {**known, id_: note}
        _write(system, table)


def restore(system: System, id_: str, note: Json) -> None:
    """Put a claim back to what it was: a note, or None for no claim."""
    if isinstance(note, dict):
        claim(system, id_, note, replace=True)
    else:
        release(system, id_)


def release(system: System, id_: str) -> None:
    table = read(system)
    known = table["ids"]
    assert isinstance(known, dict)
    if id_ in known:
        table["ids"] = {key: note for key, note in known.items() if key != id_}
        _write(system, table)


def _left(table: Table) -> list[str]:
    left = table.get("left")
    return [str(path) for path in left] if isinstance(left, list) else []


def leave(system: System, left: list[str]) -> None:
    """Note data that stays on the host although nothing declares it any more."""
    table = read(system)
    known = _left(table)
    both = sorted({*known, *left})
    if both != known:
        table["left"] = [*both]
        _write(system, table)


def left(system: System) -> list[Json]:
    """Data paths that stay on the host although nothing declares them any more."""
    return [*_left(read(system))]


def restore_left(system: System, paths: Json) -> None:
    """Put the list of `left` back to what it was."""
    table = read(system)
    if isinstance(paths, list) and paths != _left(table):
        table["left"] = paths
        _write(system, table)


def back_in_use(system: System, used: list[str]) -> None:
    """The opposite of `leave`, when somebody declares a path again."""
    table = read(system)
    known = _left(table)
    rest = [path for path in known if path not in used]
    if rest != known:
        table["left"] = [*rest]
        _write(system, table)


def _write(system: System, table: Table) -> None:
    if not table["ids"] and not table["left"]:
        system.files.remove(paths.OWNED)
        return
    text = json.dumps(table, indent=1, sort_keys=True) + "\n"
    system.files.write(paths.OWNED, text.encode(), 0o600)
