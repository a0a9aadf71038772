"""`eyas exec NAME -- COMMAND`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.inside import known, replace, run_inside


def run(context: Context, *, name: str, command: tuple[str, ...]) -> int:
    """Run a command in a container; ends with its exit status."""
    replace(context, known(context, name), run_inside(name, command, context))
