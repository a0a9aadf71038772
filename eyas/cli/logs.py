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
    from eyas.kind.slots import SLOTS, machine
    from eyas.render.container import machine_id

    fleet = context.fleet()
    host = host_of(context, fleet)
    ids = [machine_id(host, machine(name, slot)) for slot in SLOTS]
    folder = paths.journal(ids[0])
    try:
        known(context, name)
    except UsageError:
        if not (NAME.fullmatch(name) and _there(context, fleet, folder)):
            raise
    # Of a container that can run twice, what both generations say, as it came.
    two = _there(context, fleet, paths.journal(ids[1]))
    where = (
        [f"--directory={paths.JOURNAL}", *(f"_MACHINE_ID={id_}" for id_ in ids)] if two else [f"--directory={folder}"]
    )
    argv = ["journalctl", *where, "--no-hostname", f"--lines={lines if lines is not None else LINES}"]
    argv += [*(["--follow"] if follow else ["--no-pager"]), *([f"--unit={unit}"] if unit else [])]
    replace(context, fleet, argv)


def _there(context: Context, fleet: str, folder: str) -> bool:
    """Whether the host keeps this journal; also of a container that is in no definition any more."""
    from eyas.cli.session import transport
    from eyas.host.command import run as run_command

    way = transport(context, fleet, host_of(context, fleet))
    return run_command(way.command(["test", "-d", folder]), check=False).code == 0
