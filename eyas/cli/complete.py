"""What the shell completes: names of containers and hosts, from what the last evaluation noted down; and runs, from
the last look at a history.

No definitions are loaded for it: a key press must not run code, nor wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from eyas.cli.place import find_fleet, noted, noted_runs
from eyas.core.errors import EyasError


def completer(what: str) -> Callable[..., list[str]]:
    """The completion function of typer for one kind of word."""
    if what == "folders":
        return _folders

    def complete(ctx: Any, incomplete: str) -> list[str]:
        given = ctx.find_root().params.get("directory")
        try:
            fleet = find_fleet(given or os.environ.get("EYAS_FLEET"))
        except EyasError:
            return []
        names = {**noted(fleet), "runs": noted_runs(fleet)}
        more = {"lab": [*names.get("hosts", []), "internet"], "owners": [*names.get("containers", []), "host"]}
        words = more.get(what, names.get(what, []))
        return [word for word in words if word.startswith(incomplete)]

    return complete


def _folders(incomplete: str) -> list[str]:
    folder, _, start = incomplete.rpartition("/")
    base = (folder or "/") if "/" in incomplete else "."
    try:
        names = sorted(e.name for e in os.scandir(base) if e.is_dir() and e.name.startswith(start))
    except OSError:
        return []
    return [f"{folder}/{name}/" if "/" in incomplete else f"{name}/" for name in names]
