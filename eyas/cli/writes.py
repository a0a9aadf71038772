"""`eyas writes NAME`: what a container wrote outside its persistent paths, and a restart would lose."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from eyas.cli.context import Context
from eyas.cli.inside import host_of, known
from eyas.cli.session import transport
from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.words import Json

FORMAT = 1
# systemd-nspawn and root-up put these there at every start: nobody would miss them.
MADE_AT_START = ("/etc/resolv.conf", "/etc/machine-id", "/etc/hostname")


@dataclass(frozen=True)
class Written:
    """One path. ``what`` is file, link, directory or deleted; ``size`` in bytes; ``at`` in seconds since the epoch."""

    path: str
    what: str
    size: int
    at: float

    def to_json(self) -> dict[str, Json]:
        return dict(vars(self))


def run(context: Context, *, name: str, json: bool = False) -> int:
    """List what the writable layer of a running container holds, without what eyas wrote there itself."""
    from eyas.host.command import run as run_command

    fleet = known(context, name)
    way = transport(context, fleet, host_of(context, fleet))
    layer = f"{paths.WRITABLE}/{name}"
    for upper in (f"{layer}/raw/upper", f"{layer}/rw/upper"):
        argv = ["find", upper, "-mindepth", "1", "-printf", "%y %s %T@ %P\\0"]
        found = run_command(way.command(argv), check=False, timeout=120)
        if found.code == 0:
            break
    else:
        raise Failed(f"cannot list what {name} wrote: it does not run", "a container that stops loses it")
    ours = run_command(way.command(["cat", paths.spec(name)]), check=False)
    items = written(found.text, _declared(ours.text if ours.code == 0 else ""))
    if json:
        context.write_json({"version": FORMAT, "name": name, "written": [item.to_json() for item in items]})
    else:
        context.write(text(name, items, time.time()))
    return 0


def _declared(spec: str) -> set[str]:
    """Paths of the container's configuration: a live change writes them into the layer, and a restart keeps them."""
    import json

    try:
        files = json.loads(spec).get("files", {})
    except (ValueError, AttributeError):
        return set()
    return set(files) if isinstance(files, dict) else set()


def written(listing: str, declared: set[str]) -> list[Written]:
    """The listing of find(1) as values, by path; a directory only when nothing in it is listed."""
    kinds = {"f": "file", "l": "link", "d": "directory", "c": "deleted"}
    found: list[Written] = []
    for line in listing.split("\0"):
        kind, size, at, path = (*line.split(" ", 3), "", "", "")[:4] if line.count(" ") >= 3 else ("", "", "", "")
        full = f"/{path}"
        if kind in kinds and full not in declared and full not in MADE_AT_START:
            found.append(Written(full, kinds[kind], int(size) if kind == "f" else 0, float(at)))
    above: set[str] = set()
    for path in (*(item.path for item in found), *declared):
        parent = path.rpartition("/")[0]
        while parent and parent not in above:
            above.add(parent)
            parent = parent.rpartition("/")[0]
    return sorted((i for i in found if i.what != "directory" or i.path not in above), key=lambda item: item.path)


def text(name: str, items: Sequence[Written], now: float) -> str:
    """The list for people."""
    from eyas.cli.view.text import Column, count, size, span, table

    if not items:
        return f"{name} wrote nothing outside its persistent paths."
    columns = (Column("SIZE", right=True), Column("AGE", right=True), Column("WHAT"),
               Column("PATH", flexible=True, least=40))  # fmt: skip
    rows = [[size(i.size) if i.what == "file" else "-", span(max(0.0, now - i.at)), i.what, i.path] for i in items]
    total = sum(item.size for item in items)
    return f"{table(columns, rows, 120)}\n{count(len(items), 'path')}, {size(total)}: a restart of {name} loses them."
