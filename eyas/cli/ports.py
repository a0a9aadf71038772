"""`eyas ports`: what is declared, crossed with who listens."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.crossing import Crossing
from eyas.cli.session import Session

WRONG = 1


def run(context: Context, *, json: bool = False) -> int:
    """Show the ports; 1 when something does not fit."""
    from eyas.status.ports import cross

    with Session(context) as session:
        crossing = Crossing(session)
        made = cross(crossing.declared, crossing.seen())
        session.listener.close()
    if json:
        context.write_json(made.to_json())
    else:
        from eyas.cli.view.ports import ports_text

        context.write(ports_text(made, context.width(), context.paint()))
    return WRONG if any(finding.severity == "error" for finding in made.findings) else 0
