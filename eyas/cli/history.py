"""`eyas history`: the runs that changed a host."""

from __future__ import annotations

import time

from eyas.cli.context import Context
from eyas.cli.session import Session
from eyas.core.errors import UsageError

FORMAT = 1


def run(context: Context, *, run_id: str | None = None, json: bool = False) -> int:
    """List runs, the newest first, or show one."""
    from eyas.cli.view.outcome import history_text, run_text

    with Session(context) as session:
        runs = session.talk().history(1000 if run_id else 50)
    if run_id is not None:
        found = [item for item in runs if str(item.get("run", "")).startswith(run_id)]
        if len(found) != 1:
            known = "no run has this id" if not found else f"{len(found)} runs begin with it"
            raise UsageError(f"cannot show run {run_id}: {known}", "list them with: eyas history")
        if json:
            context.write_json({"version": FORMAT, "run": found[0]})
        else:
            context.write(run_text(found[0]))
        return 0
    if json:
        context.write_json({"version": FORMAT, "runs": list(runs)})
    else:
        context.write(history_text(runs, time.time(), context.width(), context.paint()))
    return 0
