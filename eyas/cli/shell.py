"""`eyas shell NAME`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.inside import known, replace_inside


def run(context: Context, *, name: str, user: str | None = None) -> int:
    """Open a login shell in a container (machinectl(1), "shell")."""
    replace_inside(context, known(context, name), name, ["machinectl", "--quiet", "shell", f"{user or 'root'}@{name}"])
