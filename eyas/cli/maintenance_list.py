"""`eyas maintenance list`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.crossing import Crossing
from eyas.cli.maintenance import show
from eyas.cli.session import Session


def run(context: Context, *, json: bool = False) -> int:
    """List what is under maintenance."""
    with Session(context) as session:
        crossing = Crossing(session)
        found = crossing.flags()
        session.listener.close()
        show(context, crossing.declared, found, json=json)
    return 0
