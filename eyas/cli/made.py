"""What one apply is about to do: the plan, the state it leads to, and what it leaves as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eyas.cli.cached import Wanted
from eyas.cli.session import Session
from eyas.core.errors import UsageError
from eyas.core.words import Json, Plan, Resource

if TYPE_CHECKING:
    from eyas.plan.part import Left
    from eyas.remote.transport import Connection

HOST = "host"


@dataclass(frozen=True)
class Made:
    """``note`` is how the history calls it, '' for a plain apply; ``left`` is what differs and stays so, ``remarks``
    lines about it for people."""

    plan: Plan
    wanted: Wanted
    note: str = ""
    left: tuple[Left, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """What is added to the JSON of a plan or an apply."""
        return {"note": self.note, "left": [left.to_json() for left in self.left]} if self.note else {}


def make(session: Session, *, only: Sequence[str] = (), boot: bool = False, jobs: int = 0, mend: bool = False) -> Made:
    """The plan for the session's host, or for the part of it that these names are; with ``boot`` for its next boot."""
    plan, wanted = session.planned(jobs, mend=mend)
    made = Made(plan, wanted)
    if only:
        made = _part(session, made, only)
    return _prepared(session, made) if boot and (made.plan or not only) else made


def _prepared(session: Session, made: Made) -> Made:
    from eyas.plan.boot import at_boot

    found = at_boot(made.plan, made.wanted.resources, session.observed().resources)
    note = ", ".join(words for words in (made.note, "for the next boot") if words)
    lines = [f"Left out: {each.id.replace(':', ' ', 1)}: {each.why}." for each in found.left]
    wanted = replace(made.wanted, resources=found.desired)
    return Made(found.plan, wanted, note, (*made.left, *found.left), (*made.remarks, *lines))


def only_names(only: bool, names: Sequence[str]) -> Sequence[str]:
    """The names that a command line gives with --only. UsageError when one came without the other."""
    if only and not names:
        raise UsageError("cannot tell what --only means: it names nothing", "name containers, or: host")
    if names and not only:
        raise UsageError(
            f"cannot apply {' '.join(names)} alone without being told so", f"give: --only {' '.join(names)}"
        )
    return list(dict.fromkeys(names))


def _part(session: Session, made: Made, names: Sequence[str]) -> Made:
    from eyas.plan.part import part

    actual = session.observed().resources
    known = {r.owner for resources in (made.wanted.resources, actual) for r in resources.values()} | {HOST}
    for name in names:
        check_name(name, sorted(known))
    last = last_desired(session.connect())
    found = part(made.wanted.resources, actual, last, session.host, names)
    wanted = replace(made.wanted, resources=found.desired)
    remarks = (*left_lines(found.left), *_absent(found.desired, actual, names))
    return Made(session.foresee(found.plan, wanted), wanted, f"only {', '.join(names)}", found.left, remarks)


def check_name(name: str, known: Sequence[str]) -> None:
    """UsageError for a name that nobody has, with the nearest one."""
    if name in known:
        return
    import difflib

    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    raise UsageError(f"cannot apply {name} alone: neither a container nor the host is called so", hint)


def last_desired(connection: Connection) -> dict[str, Resource]:
    """What the last kept run wanted the host to hold; empty when there was none."""
    for run in connection.history(50):
        if run.get("result") == "kept":
            return connection.desired(str(run["run"]))
    return {}


def left_lines(left: Sequence[Left]) -> list[str]:
    """What stays as it is, in words: owners with counts, then what needs a reason."""
    counts: dict[str, int] = {}
    for each in left:
        counts[each.owner] = counts.get(each.owner, 0) + 1
    if not counts:
        return []
    from eyas.cli.view.text import count

    owners = sorted(counts, key=lambda owner: (owner == HOST, owner))
    told = ", ".join(f"{owner} ({count(counts[owner], 'change')})" for owner in owners)
    lines = [f"Left as it is: {told}."]
    lines += [f"  {each.id.partition(':')[0]}: {each.why}" for each in left if each.why]
    return lines


def _absent(desired: Mapping[str, Resource], actual: Mapping[str, Resource], names: Sequence[str]) -> list[str]:
    """Containers that a chosen one needs or starts after, and that are not on the host."""
    lines = []
    for name in names:
        container = desired.get(f"container:{name}")
        fields = container.fields if container is not None else {}
        for key, said in (("needs", "needs"), ("after", "starts after"), ("restart_with", "restarts with")):
            others = fields.get(key)
            for other in others if isinstance(others, list) else []:
                if f"container:{other}" not in actual and other not in names:
                    lines.append(f"{name} {said} {other}, which is not on the host and is left out.")
    return lines
