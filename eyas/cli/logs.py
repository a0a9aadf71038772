"""`eyas logs NAME`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.inside import NAME, host_of, known, replace
from eyas.core import paths
from eyas.core.errors import UsageError

LINES = 50


def run(context: Context, *, name: str, follow: bool = False, lines: int | None = None, unit: str | None = None) -> int:
    """Show a container's journal. It lies on the host under the container's machine id, which derives from names, so
    it is found also when the container is gone."""
    from eyas.render.container import machine_id

    fleet = context.fleet()
    folder = paths.journal(machine_id(host_of(context, fleet), name))
    try:
        known(context, name)
    except UsageError:
        if not (NAME.fullmatch(name) and _left(context, fleet, folder)):
            raise
    argv = ["journalctl", f"--directory={folder}", "--no-hostname", f"--lines={lines if lines is not None else LINES}"]
    argv += [*(["--follow"] if follow else ["--no-pager"]), *([f"--unit={unit}"] if unit else [])]
    replace(context, fleet, argv)


def _left(context: Context, fleet: str, folder: str) -> bool:
    """Whether the host keeps this journal, of a container that is in no definition any more."""
    from eyas.cli.session import transport
    from eyas.host.command import run as run_command

    way = transport(context, fleet, host_of(context, fleet))
    return run_command(way.command(["test", "-d", folder]), check=False).code == 0
