"""Parts merge: everything that a container is given, as one System. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model.base import Thing
from eyas.model.egress_marks import marks
from eyas.model.files import File, Link, Unit
from eyas.model.machines import Container
from eyas.model.origin import split
from eyas.model.pieces import System

T = TypeVar("T", bound=Any)

LISTS = (
    "packages", "npm", "pip", "tmpfiles", "enable", "mask", "binds", "probes", "grants", "sites", "certificates",
    "uses", "clients", "noise", "checks",
)  # fmt: skip


def merged(container: Container) -> System:
    """Everything of image, parts and container in one System, which knows who asked for what (``origins``).

    Raises DefinitionError when two of them disagree about one file, unit or user.
    """
    system, findings = merge(container)
    if findings:
        raise DefinitionError(findings)
    return system


def merge(container: Container) -> tuple[System, list[Diagnostic]]:
    """As ``merged``, with the disagreements beside it; the first to speak wins."""
    cached: tuple[System, list[Diagnostic]] | None = container.__dict__.get("_merged")
    if cached is None:
        cached = container.__dict__["_merged"] = _merge(container)
    return cached


def _merge(container: Container) -> tuple[System, list[Diagnostic]]:
    image, own = container.image, _own(container)
    base = System(packages=image.packages, npm=image.npm, pip=image.pip)
    base.__dict__["_origins"] = image.origins
    told = marks(container.egress)
    systems = (base, *container.parts, own, *([told] if told else []))
    findings: list[Diagnostic] = []
    origins: dict[str, str] = {}
    for system in systems:
        for key, origin in system.origins.items():
            origins.setdefault(key, origin)
    files = _agree(((p, f) for s in systems for p, f in s.files.items()), "files", container, findings)
    units = _agree(((n, u) for s in systems for n, u in s.units.items()), "units", container, findings)
    users = _agree(((u.name, u) for s in systems for u in s.users), "users", container, findings)
    origins |= {f"file:{path}": file.origin for path, file in files.items()}
    origins |= {f"unit:{name}": unit.origin for name, unit in units.items()}
    environment = _environment(systems, container, findings)
    lists: dict[str, Any] = {name: _union(item for s in systems for item in getattr(s, name)) for name in LISTS}
    total = System.model_construct(
        files=files, units=units, environment=environment, users=tuple(users.values()), **lists
    )
    total.__dict__.update({"_origin": container.origin, "_statement": container.statement, "_origins": origins})
    return total, findings


def _own(container: Container) -> System:
    """The container's own pieces as a part."""
    fields = ("packages", "files", "units", "environment", "users", "binds", "probes", "grants", "uses")
    values: dict[str, Any] = {name: getattr(container, name) for name in fields}
    own = System.model_construct(**values)
    own.__dict__.update({"_origin": container.origin, "_statement": container.statement})
    return own


def _union(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))


def _environment(
    systems: Iterable[System], container: Container, findings: list[Diagnostic]
) -> dict[str, dict[str, str]]:
    """The variables of each service; one that gets two values is refused."""
    chosen: dict[str, dict[str, str]] = {}
    origins: dict[tuple[str, str], str] = {}
    for system in systems:
        for unit, variables in system.environment.items():
            for key, value in variables.items():
                first = origins.setdefault((unit, key), system.origin)
                if chosen.setdefault(unit, {}).setdefault(key, value) != value:
                    findings.append(
                        Diagnostic(
                            *split(system.origin),
                            "System.environment",
                            f"cannot set {key} of {unit} in container {container.name} ({container.statement}): "
                            f"it is set at {first} and at {system.origin}, to different values",
                            "leave one out",
                        )
                    )
    return chosen


def _agree(
    pairs: Iterable[tuple[str, T]], field: str, container: Container, findings: list[Diagnostic]
) -> dict[str, T]:
    """One value for each name; those that differ are refused unless the later one says that it overrides."""
    chosen: dict[str, T] = {}
    for name, thing in pairs:
        first = chosen.setdefault(name, thing)
        if first is thing or _same(first, thing):
            continue
        if getattr(thing, "override", False):
            chosen[name] = thing
        elif not getattr(first, "override", False):
            findings.append(_conflict(name, first, thing, field, container))
    return chosen


def _same(one: Thing, other: Thing) -> bool:
    """Equal but for what says who wins."""
    fields = [name for name in type(one).model_fields if name != "override"]
    return type(one) is type(other) and all(getattr(one, name) == getattr(other, name) for name in fields)


def _conflict(name: str, first: Thing, second: Thing, field: str, container: Container) -> Diagnostic:
    what = {"files": f"the file {name}", "units": f"the unit {name}", "users": f"the user {name}"}[field]
    differing = [f for f in type(second).model_fields if getattr(first, f, None) != getattr(second, f, None)]
    return Diagnostic(
        *split(second.origin),
        f"System.{field}",
        f"cannot put {what} into container {container.name} ({container.statement}): "
        f"it is declared at {first.origin} and at {second.origin}, and they differ in {' and '.join(differing)}",
        f"leave one out, or write {type(second).__name__}(..., override=True) for the one that shall win"
        if isinstance(second, File | Link | Unit)
        else "declare the user once and share the object",
    )
