"""`eyas logs NAME`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.inside import host_of, known, replace
from eyas.core import paths

LINES = 50


def run(context: Context, *, name: str, follow: bool = False, lines: int | None = None, unit: str | None = None) -> int:
    """Show a container's journal. It lies on the host under the container's machine id, which derives from names, so
    it is found also when the container is gone."""
    from eyas.render.container import machine_id

    fleet = known(context, name)
    folder = paths.journal(machine_id(host_of(context, fleet), name))
    argv = ["journalctl", f"--directory={folder}", "--no-hostname", f"--lines={lines if lines is not None else LINES}"]
    argv += [*(["--follow"] if follow else ["--no-pager"]), *([f"--unit={unit}"] if unit else [])]
    replace(context, fleet, argv)
