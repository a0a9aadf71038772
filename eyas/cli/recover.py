"""`eyas recover`: end a run that was interrupted."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.session import Session

FORMAT = 1


def run(context: Context, *, accept: bool = False, json: bool = False) -> int:
    """Finish the open run or put it back; 5 when a person is needed."""
    with Session(context) as session, session.listener:
        outcome = session.talk().recover(session.listener, accept=accept)
    if json:
        context.write_json({"version": FORMAT, "outcome": outcome.to_json() if outcome else None})
    elif outcome is None:
        context.write("No run was interrupted.")
    else:
        from eyas.cli.view.outcome import ENDED

        context.write(f"Run {outcome.run}: {ENDED[outcome.result]}.")
        for line in (*outcome.hands, *outcome.warnings):
            context.write(f"  {line}")
        if outcome.hint:
            context.tell(f"hint: {outcome.hint}")
    return 5 if outcome is not None and outcome.hands and not accept else 0
