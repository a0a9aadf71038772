"""Where a host is after the way back, as somebody who was waked by it wants to know."""

from __future__ import annotations

import time
from collections.abc import Mapping

from eyas.core.errors import EyasError
from eyas.core.system import System
from eyas.core.words import Json, Resource
from eyas.kind import kind_of


def where_now(before: Mapping[str, str], system: System) -> tuple[str, ...]:
    """One line for each container that does not run as it did, and one for all others. ``before``: the invocation of
    each container that ran before the run. Nothing when the host cannot be asked."""
    try:
        now = {resource.name: _state(resource) for resource in kind_of("container").observe(system)}
    except EyasError:
        return ()
    lines = []
    for name, invocation in before.items():
        state = now.get(name, {})
        if not state.get("invocation"):
            lines.append(f"{name} does not run, and did before")
        elif state["invocation"] != invocation:
            lines.append(f"{name} runs with its old root since {_clock(state.get('since'))}")
    others = [name for name, invocation in before.items() if now.get(name, {}).get("invocation") == invocation]
    if others:
        rest = "nothing else was touched" if lines else "no container was restarted or stopped"
        lines.append(f"{rest}: {len(others)} of {len(before)} run as they did")
    return tuple(lines)


def _state(resource: Resource) -> dict[str, Json]:
    state = resource.fields.get("state")
    return state if isinstance(state, dict) else {}


def _clock(since: Json) -> str:
    """The host's own time of day."""
    return time.strftime("%H:%M:%S", time.localtime(since if isinstance(since, int | float) else None))
