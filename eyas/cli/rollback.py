"""`eyas rollback`: a new run towards what an older one had made of the host. The definitions are not asked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eyas.cli.cached import Wanted, store_runs
from eyas.cli.context import Context
from eyas.cli.made import Made
from eyas.cli.session import Session
from eyas.core.errors import Failed, UsageError
from eyas.core.words import Json, Plan, Resource

if TYPE_CHECKING:
    from eyas.remote.transport import Connection

FORMAT = 1
DIFFERENCES = 3
RUNS = 1000  # so many are looked through for the one that is named
Past = Mapping[str, Json]


def run(
    context: Context,
    *,
    run_id: str | None = None,
    yes: bool = False,
    only_plan: bool = False,
    exit_code: bool = False,
    confirm_within: int | None = None,
    json: bool = False,
) -> int:
    """Plan towards the state of a run (by default the one before the last that was kept), and apply that."""
    from eyas.cli.apply import carry_out, show

    if exit_code and not only_plan:
        raise UsageError("cannot tell differences by the exit status of a rollback", "give --plan with --exit-code")
    with Session(context) as session:
        session.connect()
        if not only_plan:
            session.mended = session.mend()
        made = goal(session, run_id)
        if only_plan:
            session.listener.close()
            if json:
                context.write_json({**made.plan.to_json(), **made.to_json()})
            else:
                show(context, made)
            return DIFFERENCES if exit_code and made.plan else 0
        code = carry_out(context, session, made, yes=yes, json=json, within=confirm_within)
    if code == 0 and not json:
        context.tell("The definitions were not changed: eyas plan shows how they differ from the host now.")
    return code


def goal(session: Session, run_id: str | None) -> Made:
    """The plan back to a run. Failed when what it needs is no longer there."""
    from eyas.plan import plan

    actual = session.observed().resources
    connection = session.connect()
    past, desired = chosen(session.fleet, connection, run_id)
    wanted = _with_programs(desired)
    commits = _commits(session, wanted, actual)
    refuse_gone(str(past["run"]), wanted, actual, commits)
    goal_ = Wanted(session.host, wanted, commits, {})
    made = session.foresee(plan(wanted, actual, session.host), goal_)
    return Made(made, goal_, f"rollback to {past['run']}", (), _remarks(past, made))


def chosen(fleet: str, connection: Connection, run_id: str | None) -> tuple[Past, dict[str, Resource]]:
    """The run to go back to, with what it wanted."""
    runs = connection.history(RUNS)
    store_runs(fleet, runs)
    if run_id is not None:
        past = named(runs, run_id)
        return past, connection.desired(str(past["run"]))
    kept = [run for run in runs if run.get("result") == "kept"]
    if not kept:
        raise Failed("cannot go back: no run has changed this host yet")
    now = _essence(connection.desired(str(kept[0]["run"])))
    for run in kept[1:]:  # one that only mended what was changed by hand has led to the same state
        desired = connection.desired(str(run["run"]))
        if _essence(desired) != now:
            return run, desired
    raise Failed(
        f"cannot go back: run {kept[0]['run']} is the oldest state that is kept", "eyas history lists all that there is"
    )


def named(runs: Sequence[Past], run_id: str) -> Past:
    """The run of this id; its beginning or its end is enough. UsageError when it is not one run, or led nowhere."""
    found = [item for item in runs if str(item["run"]).startswith(run_id) or str(item["run"]).endswith(f"-{run_id}")]
    if len(found) != 1:
        said = "no run has this id" if not found else f"{len(found)} runs begin with it"
        raise UsageError(f"cannot go back to run {run_id}: {said}", "list them with: eyas history")
    if found[0].get("result") != "kept":
        kept = next((str(item["run"]) for item in runs if item.get("result") == "kept"), "")
        raise UsageError(
            f"cannot go back to run {found[0]['run']}: it was not kept ({found[0].get('result')})",
            f"the last one that was kept is {kept}" if kept else "list them with: eyas history",
        )
    return found[0]


def _essence(desired: Mapping[str, Resource]) -> dict[str, Mapping[str, Json]]:
    """A state without the lines of the definitions that asked for it."""
    return {id_: resource.fields for id_, resource in desired.items()}


def _with_programs(desired: Mapping[str, Resource]) -> dict[str, Resource]:
    """A state of then with the programs and boot units of this version of eyas: it writes what they read."""
    from eyas.cli.support import support
    from eyas.plan.part import own
    from eyas.render.host import support_resources

    theirs = {id_: resource for id_, resource in desired.items() if not own(id_)}
    if len(theirs) == len(desired):
        return theirs  # a host that was emptied
    origin = next((resource.origin for id_, resource in desired.items() if own(id_)), "")
    return theirs | {resource.id: resource for resource in support_resources(*support(), origin)}


def _commits(session: Session, wanted: Mapping[str, Resource], actual: Mapping[str, Resource]) -> dict[str, str]:
    """Trees that are not on the host any more, and can be had from its store or from ours: commit to key."""
    missing = {id_.partition(":")[2] for id_ in wanted if id_.startswith("tree:") and id_ not in actual}
    if not missing:
        return {}
    from eyas.core import paths
    from eyas.image import refs, state_dir

    root = session.connect().transport.root
    known = {commit: key for key, commit in refs(state_dir()).items()}
    if root is not None:
        known |= dict.fromkeys(refs(root / paths.STATE.lstrip("/")).values(), "")
    return {commit: known[commit] for commit in missing if commit in known}


def refuse_gone(
    run_id: str, wanted: Mapping[str, Resource], actual: Mapping[str, Resource], commits: Mapping[str, str]
) -> None:
    """Failed, with names, when trees or layers that the state stands on are gone."""
    gone = []
    for resource in wanted.values():
        if resource.kind != "container":
            continue
        for kind in ("tree", "layer"):
            name = str(resource.fields.get(kind))
            if f"{kind}:{name}" not in actual and name not in commits:
                gone.append(f"the {kind} {name[:12]} of {resource.name}")
    if gone:
        raise Failed(
            f"cannot go back to run {run_id}: {', '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone from the host "
            "(eyas gc removes what only old runs need)",
            "take the definitions and eyas.lock of that time from version control, and run: eyas apply; "
            "eyas history lists later runs",
        )


def _remarks(past: Past, plan: Plan) -> tuple[str, ...]:
    at = past.get("at")
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if isinstance(at, int | float) and at else "unknown time"
    who = f", by {past['who']}" if past.get("who") else ""
    if not plan:
        return (f"The host is as run {past['run']} left it ({when}{who}).",)
    return (f"Back to what run {past['run']} had made of the host ({when}{who}).",)
