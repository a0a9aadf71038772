"""`eyas plan`: what apply would do."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.session import Session
from eyas.cli.view.plan import plan_text

DIFFERENCES = 3


def run(context: Context, *, json: bool = False, exit_code: bool = False) -> int:
    """Show the plan; 3 when there are differences and that was asked for."""
    with Session(context) as session:
        plan, wanted = session.planned()
        session.listener.close()
        if json:
            context.write_json(plan.to_json())
        else:
            context.warn(wanted.warnings)
            context.write(plan_text(plan, context.width(), context.paint(), context.verbose))
        return DIFFERENCES if exit_code and plan else 0
