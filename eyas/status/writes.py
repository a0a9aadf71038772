"""The lines that would make what a container wrote persistent: binds that fit those which it has already. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from eyas.core.words import Json
from eyas.core.written import Written
from eyas.model import Container, Host, merged

DATA = "/data"  # where data goes on a host of which no definition tells


@dataclass(frozen=True)
class Proposal:
    """One bind to add. ``origin`` is the line of the container; ``paths`` what it would keep, ``units`` who writes
    there."""

    target: str
    source: str
    line: str
    origin: str
    paths: tuple[str, ...]
    units: tuple[str, ...] = ()
    size: int = 0

    def to_json(self) -> dict[str, Json]:
        return {
            "target": self.target,
            "source": self.source,
            "line": self.line,
            "origin": self.origin,
            "paths": list(self.paths),
            "units": list(self.units),
            "size": self.size,
        }


def proposals(
    host: Host, container: Container, items: Sequence[Written], places: Iterable[Mapping[str, Json]]
) -> list[Proposal]:
    """A bind for each folder that data was written into, the largest first. ``places`` are the folders as they are now
    (`eyas.kind.writes.Place`)."""
    manners = {str(place["path"]): place for place in places}
    taken = {bind.source for bind in merged(container).binds}
    base = data_folder(host, container)
    found = []
    for target in sorted({item.place for item in items if item.place and not item.rule}):
        mine = [item for item in items if item.place == target and not item.rule]
        source = _source(base, target, taken)
        taken.add(source)
        found.append(
            Proposal(
                target,
                source,
                bind_line(source, target, manners.get(target, {})),
                container.statement or container.origin,
                tuple(item.path for item in mine),
                tuple(sorted({item.unit for item in mine if item.unit})),
                sum(item.size for item in mine),
            )
        )
    return sorted(found, key=lambda proposal: (-proposal.size, proposal.target))


def bind_line(source: str, target: str, manners: Mapping[str, Json]) -> str:
    """The bind as it stands in a definition; owner and mode only where they are not the usual ones."""
    words = [f'"{source}"', f'"{target}"', "persistent=True", "carry=True"]
    for key in ("owner", "group"):
        name = str(manners.get(key) or "root")
        if name != "root":
            words.append(f"{key}={name}" if name.isdigit() else f'{key}="{name}"')
    mode = manners.get("mode", 0o755)
    if isinstance(mode, int) and mode != 0o755:
        words.append(f"mode=0o{mode:o}")
    return f"Bind({', '.join(words)})"


def data_folder(host: Host, container: Container) -> str:
    """Where the data of a container is kept on its host: as its binds have it, or as those of its neighbours."""
    own = [folder for bind in merged(container).binds if bind.persistent and (folder := _named(bind.source, container))]
    if own:
        return max(sorted(set(own)), key=own.count)
    for other in host.containers:
        for bind in merged(other).binds if other is not container else ():
            folder = _named(bind.source, other) if bind.persistent else ""
            if folder:
                return str(PurePosixPath(folder).parent / container.name)
    return f"{DATA}/{container.name}"


def _named(source: str, container: Container) -> str:
    """The part of a path that ends with the container's name, '' when none does."""
    names = source.split("/")
    return "/".join(names[: names.index(container.name) + 1]) if container.name in names else ""


def _source(base: str, target: str, taken: Iterable[str]) -> str:
    """A folder for a target: its last name, or all of it where that is taken."""
    short = f"{base}/{target.rpartition('/')[2]}"
    return short if short not in taken else f"{base}/{target.strip('/').replace('/', '-')}"
