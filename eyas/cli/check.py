"""`eyas check`: all findings about the definitions."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.core.errors import DefinitionError

FORMAT = 1


def run(context: Context, *, json: bool = False) -> int:
    """Print every finding; 2 when one of them is an error."""
    from eyas.cli.evaluate import read
    from eyas.cli.view.text import count

    fleet = context.fleet()
    if not json:
        definitions = read(fleet)
        context.warn(definitions.warnings)
        hosts = definitions.fleet.hosts
        containers = sum(len(host.containers) for host in hosts)
        context.write(
            f"{count(len(hosts), 'host')}, {count(containers, 'container')}, "
            f"{count(len(definitions.distinct()), 'image')}: {count(len(definitions.warnings), 'warning')}, no errors."
        )
        return 0
    try:
        found, code = read(fleet).warnings, 0
    except DefinitionError as error:
        found, code = error.diagnostics, error.exit_code
    context.write_json({"version": FORMAT, "findings": [dict(vars(finding)) for finding in found]})
    return code
