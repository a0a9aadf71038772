"""`eyas shell NAME`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.inside import known, replace_inside


def run(context: Context, *, name: str, user: str | None = None) -> int:
    """Open a login shell in a container (machinectl(1), "shell")."""
    who = user or "root"
    replace_inside(
        context, known(context, name), name, lambda machine: ["machinectl", "--quiet", "shell", f"{who}@{machine}"]
    )
