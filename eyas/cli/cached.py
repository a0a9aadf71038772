"""What an evaluation of the definitions found, kept between commands: the way without loading any definition.

    .eyas/cache/<host>.json           what the host should hold, without the contents of layers; see `eyas.model.cache`
    .eyas/cache/<host>.layers.json    the contents of its layers, read only when something has to be done
    .eyas/cache/runs                  ids of runs: for completion
    .eyas/cache/names                 names of hosts and containers: for completion, and to know whom to ask first

A file is used while everything that it was made from is as it was: the definitions and all they read, eyas.lock, the
records of the builds, eyas itself. Standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eyas.cli.place import CACHE, KEPT_FORMAT, NAMES, RUNS, kept_path, names_text
from eyas.core.errors import Diagnostic
from eyas.core.words import Json, Resource
from eyas.model import cache


@dataclass(frozen=True)
class Wanted:
    """What one host should be. ``resources`` may lack the entries of layers; ``complete`` gives them all.

    ``commits`` are the commits of its trees with the keys of their builds, ``systems`` the operating system of each
    container in words (os-release(5), PRETTY_NAME).
    """

    host: str
    resources: dict[str, Resource]
    commits: Mapping[str, str]
    systems: Mapping[str, str]
    warnings: tuple[Diagnostic, ...] = ()

    def without_entries(self) -> Wanted:
        lean = {id_: _lean(resource) for id_, resource in self.resources.items()}
        return Wanted(self.host, lean, self.commits, self.systems, self.warnings)


def _lean(resource: Resource) -> Resource:
    if resource.kind != "layer":
        return resource
    fields = {key: value for key, value in resource.fields.items() if key != "entries"}
    return Resource(resource.id, resource.kind, resource.owner, fields, resource.origin)


def load(fleet: str, host: str) -> Wanted | None:
    """What was kept for a host, None when there is nothing or it is no longer true."""
    kept = cache.load_cached(kept_path(fleet, host), cache.program_key())
    if kept is None:
        return None
    try:
        data = json.loads(kept)
        if data["format"] != KEPT_FORMAT:
            return None
        return Wanted(
            data["host"],
            {item["id"]: Resource.from_json(item) for item in data["resources"]},
            data["commits"],
            data["systems"],
            tuple(Diagnostic(**item) for item in data["warnings"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def complete(fleet: str, wanted: Wanted) -> Wanted | None:
    """The same with the entries of its layers, None when they are not kept."""
    if all("entries" in r.fields for r in wanted.resources.values() if r.kind == "layer"):
        return wanted
    try:
        with open(_layers(fleet, wanted.host), encoding="utf-8") as file:
            entries = json.load(file)
        resources = {
            id_: Resource(r.id, r.kind, r.owner, {**r.fields, "entries": entries[id_]}, r.origin)
            if r.kind == "layer"
            else r
            for id_, r in wanted.resources.items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Wanted(wanted.host, resources, wanted.commits, wanted.systems, wanted.warnings)


def store(fleet: str, wanted: Wanted, dependencies: list[cache.Dependency]) -> None:
    """Keep what a full evaluation found. That it cannot be kept is no error: the next command evaluates again."""
    layers: dict[str, Json] = {
        id_: r.fields["entries"] for id_, r in wanted.resources.items() if r.kind == "layer" and "entries" in r.fields
    }
    # The contents first: whoever finds the other file must find these.
    if not _write(_layers(fleet, wanted.host), json.dumps(layers)):
        return
    lean = wanted.without_entries()
    data = {
        "format": KEPT_FORMAT,
        "host": wanted.host,
        "resources": [resource.to_json() for resource in lean.resources.values()],
        "commits": dict(wanted.commits),
        "systems": dict(wanted.systems),
        "warnings": [vars(warning) for warning in wanted.warnings],
    }
    cache.store(kept_path(fleet, wanted.host), cache.program_key(), dependencies, json.dumps(data).encode())


def store_declared(fleet: str, host: str, value: Mapping[str, Json]) -> None:
    """Keep what a host's definitions say of ports and sites (`eyas.status.declared`), for commands that look at it
    without loading them."""
    _write(_declared(fleet, host), json.dumps(value))


def load_declared(fleet: str, host: str) -> dict[str, Json] | None:
    """That, None when there is nothing. It is as fresh as what `load` gives."""
    try:
        with open(_declared(fleet, host), encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def store_names(fleet: str, hosts: Mapping[str, list[str]]) -> None:
    """Note the names of hosts, each with its containers."""
    _write(os.path.join(fleet, CACHE, NAMES), names_text(hosts))


def store_runs(fleet: str, runs: Iterable[Mapping[str, Json]]) -> None:
    """Note the ids of runs that were kept, the newest first: for completion."""
    kept = [str(run.get("run")) for run in runs if run.get("result") == "kept"]
    _write(os.path.join(fleet, CACHE, RUNS), "".join(f"runs {id_}\n" for id_ in kept))


def forget(fleet: str, host: str) -> None:
    """Drop what was kept for a host."""
    for path in (kept_path(fleet, host), _layers(fleet, host)):
        try:
            os.unlink(path)
        except OSError:
            continue


def _declared(fleet: str, host: str) -> str:
    return os.path.join(fleet, CACHE, f"{host}.declared.json")


def _layers(fleet: str, host: str) -> str:
    return os.path.join(fleet, CACHE, f"{host}.layers.json")


def _write(path: str, text: str) -> bool:
    """Write a file for its owner alone, whole or not at all: definitions can hold secrets."""
    from eyas.host.disk import write_whole

    try:
        make_folder(os.path.dirname(path))
        write_whole(path, text, 0o600, sync=False, shared=True)
    except OSError:
        return False
    return True


def make_folder(folder: str) -> None:
    """Make the folder of the cache, for its owner alone, and keep it out of version control."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    ignore = os.path.join(os.path.dirname(folder), ".gitignore")
    if not os.path.exists(ignore):
        with open(ignore, "w", encoding="utf-8") as file:
            file.write("*\n")
