"""Data that begins with what a container has: copied from its root to the source of a new bind, at its restart.

The step leaves a list under /run for root-down, which copies when nothing of the container runs any more and its root
is still there (`eyas/kind/scripts/carry.sh`). Room for it is looked for before anything stops. The way back moves what
was copied into the run's folder, and leaves a list for root-up, which puts it into the fresh root: undone, the
container has what it had.
"""

from __future__ import annotations

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Fields, Json, Phase, Step
from eyas.kind.common import Deed, folder_of, integer, table
from eyas.kind.container.disk import name_of
from eyas.kind.container.health import state_of
from eyas.kind.container.text import id_base, tables

SPARE = 1 << 20  # bytes beyond the sum, and a twentieth: folders and extended attributes take room too


def steps_of(id_: str, want: Fields, have: Fields) -> list[Step]:
    """The steps for binds that are to begin with what the running container has at their targets."""
    before = {(bind.get("target"), bind["source"]) for bind in tables(have.get("binds"))}
    rows: list[Json] = [
        {"source": bind["source"], "target": bind["target"]}
        for bind in tables(want.get("binds"))
        if bind.get("carry") and (bind["target"], bind["source"]) not in before
    ]
    if not rows:
        return []
    args: dict[str, Json] = {"binds": rows, "base": id_base(have)}
    return [Step("container", "carry", id_, Phase.prepare, args), Step("container", "carried", id_, Phase.sweep)]


def _look(system: System, step: Step, folder: str) -> Json:
    """Which of them are to be carried: the source is empty or not there, the target is a folder."""
    name = name_of(step)
    rows: list[Json] = []
    for bind in tables(step.args.get("binds")) if state_of(system, name).running else []:
        source, target = str(bind["source"]), str(bind["target"])
        weight = system.containers.weigh(name, target)
        if weight is None or system.files.list(source):
            continue
        stat = system.files.stat(source)
        was: Json = {"owner": stat.uid, "group": stat.gid, "mode": stat.mode} if stat is not None else None
        rows.append({"source": source, "target": target, "size": weight, "was": was})
    return {"folder": folder, "carry": rows}


def _carry(system: System, step: Step, saved: Json) -> None:
    name, rows = name_of(step), tables(table(saved)["carry"])
    lines = []
    for row in rows:
        source, target, weight = str(row["source"]), str(row["target"]), integer(row["size"])
        if system.files.stat(source) is None:
            system.files.mkdir(source)
        room = system.files.free(source)
        if room < weight + weight // 20 + SPARE:
            raise Failed(
                f"cannot carry {target} of {name} to {source}: it has {weight} bytes, and there is room for {room}",
                f"make room, or leave carry=True out: {source} then begins empty",
            )
        lines.append(_line("disk", step, source, target))
    if lines:
        system.files.write(paths.carry(name), "".join(lines).encode(), 0o600)


def _line(kind: str, step: Step, folder: str, target: str) -> str:
    return f"{kind}\t{integer(step.args.get('base'))}\t{folder}\t{target}\n"


def _back(system: System, step: Step, saved: Json, _boot: bool) -> None:
    """Take away what was copied, into the run's folder, and let the next start put it where it was."""
    name = name_of(step)
    list_ = paths.carry(name)
    system.files.remove(list_)
    failed = system.files.read(f"{list_}.failed") is not None
    lines = []
    for number, row in enumerate(tables(table(saved)["carry"])):
        source, target = str(row["source"]), str(row["target"])
        kept = f"{folder_of(saved)}/{number}"
        _put_away(system, source, kept, table(row["was"]))
        if system.files.stat(kept) is not None:
            lines.append(_line("disk", step, kept, target))
        elif failed:
            lines.append(_line("root", step, f"{list_}.root{target}", target))
    if lines:
        system.files.write(f"{list_}.back", "".join(lines).encode(), 0o600)
    system.files.remove(f"{list_}.failed")


def _put_away(system: System, source: str, kept: str, was: Fields) -> None:
    """Empty a folder into another one; it may be a disk of its own, which cannot be moved as a whole."""
    names = system.files.list(source)
    stat = system.files.stat(source)
    if names and stat is not None:
        if system.files.stat(kept) is None:
            system.files.mkdir(kept, stat.mode, stat.uid, stat.gid)
        for name in names:
            system.files.rename(f"{source}/{name}", f"{kept}/{name}")
    if was and stat is not None:
        system.files.mkdir(source, integer(was["mode"]), integer(was["owner"]), integer(was["group"]))
    elif stat is not None:
        system.files.remove(source)


def _carried(system: System, step: Step, _saved: Json) -> None:
    """A list that nobody has used, because the container did not stop by us, must not be used at a later stop."""
    system.files.remove(paths.carry(name_of(step)))


carry = Deed(_carry, _look, _back)
carried = Deed(_carried)
