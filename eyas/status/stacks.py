"""Compose stacks of containers, as their own programs tell of them (``eyas-compose state NAME``). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from eyas.core.words import Fields, Json

FIRST, LAST = "/etc/eyas/compose/", "/stack.json"


def declared(fields: Fields) -> list[str]:
    """The stacks of a container, by the files of its layer."""
    files = fields.get("files")
    paths = [str(path) for path in files] if isinstance(files, dict) else []
    return sorted(p[len(FIRST) : -len(LAST)] for p in paths if p.startswith(FIRST) and p.endswith(LAST))


def read(name: str, said: str) -> dict[str, Json]:
    """What a stack's program said; a stack that says nothing has that as its error."""
    try:
        found = json.loads(said)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return {"name": name, "error": "it does not say how it is", "services": [], "waiting": [], "volumes": []}
    return found


def ill(stack: Mapping[str, Json]) -> list[str]:
    """What is wrong with a stack, in words: ``stack wiki: web is unhealthy (restarted 3 times)``."""
    lead = f"stack {stack.get('name')}"
    found = [f"{lead}: {stack['error']}"] if stack.get("error") else []
    for row in rows(stack):
        if not row.get("ready"):
            tail = f" ({_times(row)})" if row.get("restarts") else ""
            found.append(f"{lead}: {row.get('name')} {state(row)}{tail}")
    return found


def rows(stack: Mapping[str, Json]) -> list[dict[str, Json]]:
    services = stack.get("services")
    return [row for row in services if isinstance(row, dict)] if isinstance(services, list) else []


def state(row: Mapping[str, Json]) -> str:
    """``is unhealthy``, ``has exited (3)``."""
    if row.get("state") == "exited":
        return f"has exited ({row.get('exit')})"
    return f"is {row['health'] if row.get('state') == 'running' and row.get('health') else row.get('state')}"


def _times(row: Mapping[str, Json]) -> str:
    times = row.get("restarts")
    return f"started again {times} time{'' if times == 1 else 's'}"


def lines(container: str, stacks: Sequence[Mapping[str, Json]]) -> list[str]:
    """What status shows of the stacks of a container, beside what is wrong: who is well, who waits, what is left."""
    found = []
    for stack in stacks:
        well = [str(row.get("name")) for row in rows(stack) if row.get("ready")]
        found.append(f"{container}: stack {stack.get('name')}: {len(rows(stack))} services, well: {_names(well)}")
        # One that comes up each time and ends soon is mostly seen while it runs.
        found += [
            f"{container}: stack {stack.get('name')}: {row.get('name')} {state(row)}, {_times(row)} of late"
            for row in rows(stack)
            if row.get("ready") and row.get("restarts")
        ]
        for key, words in (("waiting", "change waits for a running job"), ("volumes", "volume is declared no more")):
            names = stack.get(key)
            found += [
                f"{container}: stack {stack.get('name')}: {name}: {words}"
                for name in (names if isinstance(names, list) else [])
            ]
    return found


def _names(names: Sequence[str], most: int = 30) -> str:
    shown = ", ".join(names[:most]) or "none"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
