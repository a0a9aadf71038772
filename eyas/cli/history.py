"""`eyas history`: the runs that changed a host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from eyas.cli.cached import store_runs
from eyas.cli.context import Context
from eyas.cli.session import Session
from eyas.core.errors import UsageError

if TYPE_CHECKING:
    from eyas.remote.transport import Connection

FORMAT = 1


def run(context: Context, *, run_id: str | None = None, json: bool = False) -> int:
    """List runs, the newest first, or show one."""
    from eyas.cli.view.outcome import history_text

    with Session(context) as session:
        talk = session.talk()
        if run_id is not None:
            return _one(context, talk, run_id, json)
        runs = talk.history(50)
        store_runs(session.fleet, runs)
    if json:
        context.write_json({"version": FORMAT, "runs": list(runs)})
    else:
        context.write(history_text(runs, time.time(), context.width(), context.paint()))
    return 0


def _one(context: Context, talk: Connection, run_id: str, json: bool) -> int:
    """One run in full, with its plan; the beginning or the end of its id is enough."""
    from eyas.cli.view.outcome import run_text
    from eyas.cli.view.plan import plan_text

    runs = talk.history(1000)
    found = [item for item in runs if str(item["run"]).startswith(run_id) or str(item["run"]).endswith(f"-{run_id}")]
    if len(found) != 1:
        known = "no run has this id" if not found else f"{len(found)} runs begin with it"
        raise UsageError(f"cannot show run {run_id}: {known}", "list them with: eyas history")
    plan = talk.plan(str(found[0]["run"]))
    if json:
        context.write_json({"version": FORMAT, "run": found[0], "plan": plan.to_json()})
    else:
        context.write(run_text(found[0]))
        context.write("\n" + plan_text(plan, context.width(), context.paint(), context.verbose))
    return 0
