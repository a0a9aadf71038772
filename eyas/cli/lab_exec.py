"""`eyas lab exec HOST -- COMMAND`."""

from __future__ import annotations

from pathlib import Path

from eyas.cli.context import Context
from eyas.cli.inside import become


def run(context: Context, *, name: str, command: tuple[str, ...]) -> int:
    """Run a command on a host of the lab or on its internet; ends with its exit status."""
    from eyas.lab import find

    become(find(Path(context.fleet())).command(name, command))
