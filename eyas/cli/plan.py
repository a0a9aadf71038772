"""`eyas plan`: what apply would do."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.made import make, only_names
from eyas.cli.session import Session

DIFFERENCES = 3


def run(
    context: Context,
    *,
    names: tuple[str, ...] = (),
    only: bool = False,
    boot: bool = False,
    json: bool = False,
    exit_code: bool = False,
) -> int:
    """Show the plan; 3 when there are differences and that was asked for."""
    chosen = only_names(only, names)
    with Session(context) as session:
        made = make(session, only=chosen, boot=boot)
        session.listener.close()
        if json:
            context.write_json({**made.plan.to_json(), **made.to_json()})
        else:
            from eyas.cli.apply import show

            context.warn(made.wanted.warnings)
            show(context, made)
        return DIFFERENCES if exit_code and made.plan else 0
