"""`eyas exec NAME -- COMMAND`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.inside import known, replace_inside, run_inside


def run(context: Context, *, name: str, command: tuple[str, ...]) -> int:
    """Run a command in a container; ends with its exit status."""
    replace_inside(context, known(context, name), name, lambda machine: run_inside(machine, command, context))
