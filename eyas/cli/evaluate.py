"""Definitions to what a host should hold: load, check, lock, build, render, in this order, and keep the outcome.

`evaluate` is the whole way; `eyas.cli.cached` is the one around it, when nothing has changed since.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyas import image
from eyas.cli import cached, needed, pins
from eyas.cli.cached import Wanted
from eyas.cli.support import support
from eyas.core.errors import DefinitionError, Diagnostic
from eyas.core.events import Event, Listener, silent
from eyas.model import Container, Fleet, Host, Loaded, System, check, load, merged
from eyas.model.cache import Recorder
from eyas.render import desired, recipe
from eyas.status.declared import declared

LOCK = "eyas.lock"


@dataclass(frozen=True)
class Definitions:
    """A fleet that has no errors, with the recipe of each container's image by (host, container)."""

    folder: Path
    loaded: Loaded
    warnings: tuple[Diagnostic, ...]
    recipes: Mapping[tuple[str, str], image.Recipe]

    @property
    def fleet(self) -> Fleet:
        return self.loaded.fleet

    @property
    def lock_path(self) -> Path:
        return self.folder / LOCK

    def distinct(self) -> list[image.Recipe]:
        """Every recipe once, by name."""
        return [r for _, r in sorted({r.name: r for r in self.recipes.values()}.items())]

    def host(self, name: str) -> Host:
        return next(host for host in self.fleet.hosts if host.name == name)


def read(fleet: str) -> Definitions:
    """Load and check a fleet. Raises DefinitionError with every error (and the warnings beside them)."""
    loaded = load(Path(fleet))
    findings = check(loaded.fleet)
    if any(finding.severity == "error" for finding in findings):
        raise DefinitionError(findings)
    hosts = {host.name: [container.name for container in host.containers] for host in loaded.fleet.hosts}
    cached.store_names(fleet, hosts)
    return Definitions(Path(fleet), loaded, tuple(findings), _recipes(loaded.fleet, Path(fleet)))


def _recipes(fleet: Fleet, folder: Path) -> dict[tuple[str, str], image.Recipe]:
    """The recipe of every container; where two hosts have containers of one name that differ, the host's name is put
    before, because a lock knows images by name."""
    found = {
        (host.name, container.name): _absolute(recipe(container, merged(container)), folder)
        for host in fleet.hosts
        for container in host.containers
    }
    first: dict[str, image.Recipe] = {}
    for made in found.values():
        first.setdefault(made.name, made)
    return {
        (host, container): made if first[made.name] == made else dataclasses.replace(made, name=f"{host}-{made.name}")
        for (host, container), made in found.items()
    }


def _absolute(made: image.Recipe, folder: Path) -> image.Recipe:
    """A tarball's path in the definitions is relative to the fleet's directory."""
    return dataclasses.replace(made, tarball=str(folder / made.tarball)) if made.tarball else made


def locked(definitions: Definitions, listener: Listener = silent) -> image.Lock:
    """The lock with an answer for every image; versions of new images are chosen, and written to eyas.lock."""
    lock = image.read_lock(definitions.lock_path)
    recipes = definitions.distinct()
    missing = [r.name for r in recipes if not lock.holds(r)]
    if missing:
        listener(Event("resolve", "eyas.lock", f"choosing versions for {', '.join(missing)}"))
        lock = image.resolve(recipes, lock, image.cache_dir(), listener)
        image.write_lock(definitions.lock_path, lock)
        listener(Event("resolve", "eyas.lock", f"written, with {', '.join(missing)}"))
    exact = pins.pinned(lock, pins.named(containers(definitions)), listener)
    if exact != lock:
        image.write_lock(definitions.lock_path, exact)
    return exact


def build(definitions: Definitions, lock: image.Lock, jobs: int, listener: Listener) -> dict[str, image.Built]:
    """Build what is missing; every image by key. No gc of another fleet removes them from now on."""
    needed.note(definitions.folder, definitions.distinct(), lock)
    return image.build(definitions.distinct(), lock, image.state_dir(), image.cache_dir(), jobs, listener)


def evaluate(definitions: Definitions, host: str, jobs: int = 0, listener: Listener = silent) -> Wanted:
    """What a host should hold, with all images built; kept for the next command."""
    lock = locked(definitions, listener)
    build(definitions, lock, jobs, listener)
    with Recorder() as seen:
        # Read again under the eyes of the recorder: what this depends on besides the definitions.
        lock = image.read_lock(definitions.lock_path)
        wanted = _wanted(definitions, definitions.host(host), lock)
    dependencies = [*definitions.loaded.dependencies, *seen.dependencies()]
    cached.store_declared(str(definitions.folder), host, declared(definitions.host(host)).to_json())
    cached.store(str(definitions.folder), wanted, dependencies)
    return wanted


@dataclass(frozen=True)
class Ready:
    """A built image, as rendering wants it (`eyas.render.Image`)."""

    built: image.Built
    facts: Mapping[str, Any]
    packages: Sequence[str]


def _wanted(definitions: Definitions, host: Host, lock: image.Lock) -> Wanted:
    state = image.state_dir()
    systems: dict[str, System] = {}
    images: dict[str, Ready] = {}
    commits: dict[str, str] = {}
    names: dict[str, str] = {}
    for container in host.containers:
        key = image.key(definitions.recipes[host.name, container.name], lock)
        built = image.lookup(state, key)
        assert built is not None, "images are built before they are looked up"
        systems[container.name] = pins.with_pins(merged(container), lock.pins)
        images[container.name] = Ready(built, image.facts(state, key), systems[container.name].packages)
        commits[built.commit] = key
        names[container.name] = str(built.os.get("PRETTY_NAME") or "")
    scripts, units = support()
    resources = desired(host, systems, images, scripts, units)
    return Wanted(host.name, resources, commits, names, definitions.warnings)


def containers(definitions: Definitions) -> list[Container]:
    """Every container of the fleet."""
    return [container for host in definitions.fleet.hosts for container in host.containers]
