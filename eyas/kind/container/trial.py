"""New files of a running container, tried before anything changes.

A part that knows how gives its container a unit ``eyas-try-X`` beside the unit X that reloads when files change: before
a run begins, the files that change are put beside the old ones in the running container, and that unit looks at them,
with those that stay as they are and with what is installed there. When it says no, nothing has happened yet, and
nobody who serves has seen them.

The files stand in ``/var/lib/eyas-try/X/root``; ``list`` beside it says what is put and what goes. The unit takes them
away. What it says against them it writes to ``/var/lib/eyas-try/X.said``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Entry, System
from eyas.core.words import Fields, Plan
from eyas.kind.common import entry, table
from eyas.kind.container.disk import name_of
from eyas.kind.container.health import state_of
from eyas.kind.container.live import reloading
from eyas.kind.container.text import id_base, tables, words

PLACE = "/var/lib/eyas-try"
UNITS = "/etc/systemd/system/"
TIME = 60.0
"""Seconds that a look may take."""


class Trial:
    """A `try_all` under way, in a thread of its own: what it waits for is done by others."""

    def __init__(self, system: System, plan: Plan) -> None:
        self._problems: list[BaseException] = []
        self._thread: threading.Thread | None = None
        if any((step.kind, step.verb) == ("container", "live") for step in plan.steps):
            _parts = system.units, system.files, system.containers  # made once, and by one of us
            self._thread = threading.Thread(target=self._try, args=(system, plan))
            self._thread.start()

    def _try(self, system: System, plan: Plan) -> None:
        try:
            try_all(system, plan)
        except BaseException as problem:
            self._problems.append(problem)

    def wait(self) -> None:
        """Until it is over; raises what it raised."""
        if self._thread is not None:
            self._thread.join()
        if self._problems:
            raise self._problems[0]


def try_all(system: System, plan: Plan) -> None:
    """Try what the plan would change in running containers. Failed with what the program says, and nothing is
    changed."""
    made = {text(step.args, "digest"): step.args for step in plan.steps if (step.kind, step.verb) == ("layer", "make")}
    for step in plan.steps:
        if (step.kind, step.verb) == ("container", "live"):
            old, new = table(step.args["old"]), table(step.args["new"])
            for unit in triable(old, new):
                _try(system, name_of(step), unit, old, new, made.get(str(new["layer"])))


def triable(old: Fields, new: Fields) -> list[str]:
    """Units that would reload, and that something in the running container can try beforehand."""
    before = table(old.get("files"))
    return [unit for unit in reloading(old, new) if f"{UNITS}eyas-try-{unit}" in before]


def _try(system: System, name: str, unit: str, old: Fields, new: Fields, layer: Fields | None) -> None:
    if not state_of(system, name).running:
        return
    before, after = table(old.get("files")), table(new.get("files"))
    contents = _contents(system, layer, str(new["layer"]))
    # Other files, too: what X reads may name them. Units are for systemd.
    put = [path for path, row in sorted(after.items()) if row != before.get(path) and not path.startswith(UNITS)]
    gone = [
        path for path, row in sorted(before.items()) if unit in words(table(row).get("reload")) and path not in after
    ]
    place, entries = f"{PLACE}/{unit}", list[Entry]()
    for path in put:
        found = contents(path)
        if found is not None and found.type == "file":
            entries.append(Entry(f"{place}/root{path}", "file", found.mode, found.uid, found.gid, found.data))
    listed = [f"put {e.path.removeprefix(f'{place}/root')}" for e in entries] + [f"drop {path}" for path in gone]
    entries.append(Entry(f"{place}/list", "file", 0o644, data="".join(f"{row}\n" for row in listed).encode()))
    system.containers.edit(name, id_base(new), entries, [f"{place}.said"])
    try:
        system.units.start([f"eyas-try-{unit}"], timeout=TIME, machine=name)
    except Failed:
        said = system.containers.read(name, f"{place}.said", id_base(new))
        if said is None:
            return  # it could not look: the reload itself says what is wrong, and is undone
        why = " ".join(said.data.decode(errors="replace").split())
        raise Failed(
            f"cannot use the new files of {unit} in {name}: {why}",
            "nothing was changed; it goes on with what it has",
        ) from None


def _contents(system: System, layer: Fields | None, digest: str) -> Callable[[str], Entry | None]:
    """How to look up a file of a layer: in the plan that makes it, or on disk where it is there already."""
    if layer is not None:
        rows = {str(row["path"]): row for row in tables(layer.get("entries"))}
        return lambda path: entry(rows[path]) if path in rows else None

    def read(path: str) -> Entry | None:
        data = system.files.read(f"{paths.layer(digest)}/root{path}")
        return Entry(path, "file", 0o644, data=data) if data is not None else None

    return read


def text(fields: Fields, key: str) -> str:
    return str(fields.get(key) or "")
