"""`eyas lab shell HOST`."""

from __future__ import annotations

from pathlib import Path

from eyas.cli.context import Context
from eyas.cli.inside import become


def run(context: Context, *, name: str) -> int:
    """Open a shell on a host of the lab or on its internet."""
    from eyas.lab import find

    become(find(Path(context.fleet())).shell(name))
