"""`eyas apply`: make the host what the definitions say."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.made import Made, make, only_names
from eyas.cli.session import Session
from eyas.cli.view.plan import plan_text, question
from eyas.core.errors import EyasError, Failed, UsageError
from eyas.core.words import Action, Impact, Json, Plan

FORMAT = 1
WITHIN = 30  # seconds


def run(
    context: Context,
    *,
    names: tuple[str, ...] = (),
    only: bool = False,
    boot: bool = False,
    yes: bool = False,
    jobs: int | None = None,
    confirm_within: int | None = None,
    json: bool = False,
) -> int:
    """Plan, ask when something restarts, apply, and prove that the rest was left alone."""
    chosen = only_names(only, names)
    with Session(context) as session:
        made = make(session, only=chosen, boot=boot, jobs=jobs or 0, mend=True)
        # What only waits for a boot cuts nobody off now.
        within = 0 if boot else confirm_within
        code = carry_out(context, session, made, yes=yes, json=json, within=within)
    if boot and code == 0 and made.plan and not json:
        context.tell(f"Prepared: takes effect at the next boot of {made.plan.host}; until then eyas status lists it.")
    return code


def carry_out(
    context: Context, session: Session, made: Made, *, yes: bool, json: bool, within: int | None = None
) -> int:
    """Show a plan, ask, do it, tell how it ended; the exit code. ``within``: seconds for a fresh connection to confirm
    what may cut ours."""
    plan, confirm = made.plan, WITHIN if within is None else within
    session.listener.close()
    if session.mended is not None:
        from eyas.cli.view.outcome import ENDED

        context.tell(f"Run {session.mended.run} had been interrupted: {ENDED[session.mended.result]}.")
    if not json:
        context.warn(made.wanted.warnings)
        show(context, made)
    for line in _risky(plan, confirm):
        context.tell(line)
    if not plan:
        if json:
            context.write_json({"version": FORMAT, "plan": plan.to_json(), "outcome": None, **made.to_json()})
        return 0
    if not yes and not _agreed(context, plan):
        context.tell("Nothing was changed.")
        return 1
    outcome = _apply(session, made, confirm)
    if context.lab and outcome.get("result") == "kept" and not made.note:
        _tell_lab(session)
    return _end(context, made, outcome, json)


def show(context: Context, made: Made) -> None:
    """The plan as people read it, and what it leaves out."""
    plan = made.plan
    if plan or not made.note:
        context.write(plan_text(plan, context.width(), context.paint(), context.verbose))
    else:
        context.write(f"{plan.host}: nothing to do ({made.note}).")
    for line in made.remarks:
        context.write(line)


def _risky(plan: Plan, confirm: int) -> list[str]:
    """What to say of a plan that may cut the connection of whoever asks for it."""
    from eyas.apply.risk import risks

    found = ", ".join(risks(plan).values())
    if not found or plan.impact is Impact.reboot:
        return []
    if confirm:
        return [f"May cut your connection ({found}): goes back unless a fresh one confirms it within {confirm} s."]
    return [f"warning: may cut your connection ({found}), and nothing goes back by itself (--confirm-within 0)."]


def _agreed(context: Context, plan: Plan) -> bool:
    """Whether a person says yes to what somebody will notice. Nobody is asked when nothing restarts."""
    names = sorted(set(plan.restarts()))
    if not names:
        return True
    if not context.interactive():
        raise UsageError(
            f"cannot ask whether {', '.join(names)} may restart: no terminal to ask on",
            "look at the plan, then give --yes",
        )
    context.err.write(f"{question(plan)} [y/N] ")
    context.err.flush()
    return context.input.readline().strip().lower() in ("y", "yes")


def _apply(session: Session, made: Made, confirm: int) -> dict[str, Json]:
    from eyas.cli.session import ship

    connection = session.connect()
    missing = [c.id.split(":", 1)[1] for c in made.plan.changes if c.kind == "tree" and c.action is Action.create]
    trees = [commit for commit in missing if made.wanted.commits.get(commit)]  # without a key: it is there already
    with session.listener:
        ship(made.wanted, trees, connection.transport, session.listener)
        seen = session.observed().resources
        wanted = made.wanted.without_entries()  # what the host has to write is in the plan
        try:
            outcome = connection.apply(
                made.plan, wanted.resources, session.listener, seen=seen, note=made.note, confirm=confirm
            )
        except Failed as error:
            raise _placed(session, error) from None
    return outcome.to_json()


def _placed(session: Session, error: Failed) -> Failed:
    """The same, with the line of the definitions where a file of the front was refused."""
    from eyas.cli.placed import placed

    where = placed(error.message, lambda: session.definitions.fleet)
    return Failed(f"{where}: {error.message}", error.hint) if where else error


def _tell_lab(session: Session) -> None:
    """Let the lab's internet know the sites that are there now."""
    from eyas.cli.lab_up import furnish
    from eyas.cli.session import lab

    furnish(lab(session.fleet), session.definitions.fleet)


def _end(context: Context, made: Made, outcome: dict[str, Json], json: bool) -> int:
    """Show how it ended; the exit code of the outcome."""
    from eyas.cli.view.outcome import outcome_error, outcome_text

    plan = made.plan
    code = outcome.get("exit_code", 1)
    number = code if isinstance(code, int) else 1
    if json:
        context.write_json({"version": FORMAT, "plan": plan.to_json(), "outcome": outcome, **made.to_json()})
    else:
        context.write(outcome_text(outcome, plan, context.paint()))
    message, hint = outcome_error(outcome)
    if message:
        error = EyasError(message, hint)
        error.exit_code = number
        raise error
    return number
