"""What running containers wrote beyond what eyas and their definitions put there: whose it is, and which of it is new.

A restart loses all of it. What was told before an earlier restart is noted for each container
(`eyas.core.paths.accepted`), so that a plan speaks of each loss once, and again only when it went away in between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Fields, Json, Loss
from eyas.core.written import Listing, Noise, Writers, Written, attributed, place_of
from eyas.kind.common import table
from eyas.kind.container.text import id_base, tables, words
from eyas.kind.slots import machine_now, own, slot_of

NOTED = 200  # paths that are remembered for a container, and told of a loss
INFO = "/var/lib/dpkg/info"
MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/")  # packages may still name files without the /usr in front


@dataclass(frozen=True)
class Place:
    """A folder in a container that a bind would keep: its owner and mode as they are now, names as inside."""

    path: str
    owner: str
    group: str
    mode: int

    def to_json(self) -> dict[str, Json]:
        return dict(vars(self))


@dataclass(frozen=True)
class Report:
    """What ``writes`` answers for one container."""

    listing: Listing
    places: tuple[Place, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "written": [item.to_json() for item in self.listing.items],
            "noise": [{"rule": r, "count": n, "size": size} for r, (n, size) in self.listing.noise.items()],
            "more": self.listing.more,
            "places": [place.to_json() for place in self.places],
        }


def listing(system: System, name: str, noise: Sequence[str] | None = None, *, everything: bool = False) -> Listing:
    """What a running container wrote; ``noise`` are patterns of its parts, None those of its spec. Failed when it does
    not run."""
    spec = running_spec(system, name)
    lowers = [f"{paths.layer(str(spec['layer']))}/root", paths.tree(str(spec["tree"]))]
    rules = Noise(words(spec.get("noise")) if noise is None else noise)
    return system.containers.written(name, lowers, _made(spec), rules, everything=everything)


def running_spec(system: System, name: str) -> dict[str, Json]:
    """The spec that is in effect; Failed when the container does not run."""
    print_ = table(json.loads(system.files.read(paths.print_of(name)) or b"{}"))
    spec = table(print_.get("spec"))
    if not spec:
        raise Failed(f"cannot list what {name} wrote: it does not run", "a container that stops loses it")
    return spec


def _made(spec: Fields) -> list[str]:
    """Mount points: systemd-nspawn makes them in the root where it has none."""
    return [str(bind.get("target") or bind["source"]) for bind in tables(spec.get("binds"))] + [
        "/run", "/tmp", "/proc", "/sys", "/dev", "/etc/ssh/eyas",  # noqa: S108
        paths.journal(str(own(spec, "machine_id") or "")), *(["/etc/eyas/address"] if slot_of(spec) == "b" else []),
    ]  # fmt: skip


def report(system: System, name: str, noise: Sequence[str] | None = None, *, everything: bool = False) -> Report:
    """The listing with owners by name, the units that wrote, the packages that files belong to, and where binds would
    keep them."""
    name = machine_now(system.files, name)
    found = listing(system, name, noise, everything=everything)
    spec = running_spec(system, name)
    base = id_base(spec)
    users, groups = (_names(system, name, path, base) for path in ("/etc/passwd", "/etc/group"))
    writers = system.containers.writers(name, base) if found.items else Writers()
    owned = _packages(system, str(spec["tree"]), [i.folder for i in found.items if i.what != "new"])
    items = []
    for item in found.items:
        named = replace(
            item, owner=users.get(item.uid, ""), group=groups.get(item.gid, ""), package=owned.get(item.folder, "")
        )
        items.append(replace(attributed(named, writers), place=place_of(named, writers)))
    wanted = sorted({item.place for item in items if item.place and not item.rule})
    places = [_place(system, name, path, base, users, groups) for path in wanted]
    return Report(replace(found, items=items), tuple(place for place in places if place is not None))


def _names(system: System, name: str, path: str, base: int) -> dict[int, str]:
    """Ids to names, by a container's own passwd(5) or group(5)."""
    entry = system.containers.read(name, path, base)
    found: dict[int, str] = {}
    for line in (entry.data if entry is not None else b"").decode(errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdigit():
            found.setdefault(int(fields[2]), fields[0])
    return found


def _place(
    system: System, name: str, path: str, base: int, users: Mapping[int, str], groups: Mapping[int, str]
) -> Place | None:
    entry = system.containers.read(name, path, base)
    if entry is None or entry.type != "dir":
        return None
    return Place(path, users.get(entry.uid, str(entry.uid)), groups.get(entry.gid, str(entry.gid)), entry.mode)


def _packages(system: System, tree: str, wanted: Sequence[str]) -> dict[str, str]:
    """The packages that files belong to, as dpkg's lists in the tree say (dpkg-query(1))."""
    lines = {path.encode(): path for path in wanted}
    lines |= {path[4:].encode(): path for path in wanted if path.startswith("/usr/") and path[4:].startswith(MERGED)}
    found: dict[str, str] = {}
    folder = paths.tree(tree) + INFO
    for file in system.files.list(folder) if lines else []:
        if file.endswith(".list"):
            for line in lines.keys() & set((system.files.read(f"{folder}/{file}") or b"").split(b"\n")):
                found.setdefault(lines[line], file.removesuffix(".list").partition(":")[0])
    return found


# What a restart would lose


def losses(system: System, names: Sequence[str], noise: Mapping[str, Sequence[str]] | None = None) -> list[Loss]:
    """What a restart of these containers would lose, told apart by whether an earlier restart lost the same. One that
    does not run loses nothing."""
    found = []
    for name in names:
        try:
            items = listing(system, machine_now(system.files, name), (noise or {}).get(name)).items
        except Failed:
            continue
        known = accepted(system, name)
        new = [item for item in items if item.path not in known]
        again = tuple(item.path for item in items if item.path in known)
        if items:
            new.sort(key=lambda item: (-item.size, item.path))
            found.append(Loss(name, tuple(_said(item) for item in new[:NOTED]), again[:NOTED]))
    return found


def _said(item: Written) -> tuple[str, str, int]:
    return item.path, item.what, item.size


def accepted(system: System, name: str) -> set[str]:
    """Paths whose loss was told before an earlier restart."""
    try:
        data = json.loads(system.files.read(paths.accepted(name)) or b"{}")
    except ValueError:  # a note that nobody can read is none: the next plan tells all again
        return set()
    return set(words(table(data).get("paths")))


def accept(system: System, found: Sequence[Loss]) -> None:
    """Note what a restart has lost, after it was told."""
    for loss in found:
        now = [*(path for path, _what, _size in loss.new), *loss.again]
        data: dict[str, Json] = {"version": 1, "paths": [*sorted(now)]}
        if set(now) != accepted(system, loss.container):
            system.files.write(paths.accepted(loss.container), json.dumps(data).encode(), 0o600)
