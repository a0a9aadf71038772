"""One container of the definitions as the resources that a host holds for it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from eyas.core.words import Fields, Json, Resource
from eyas.kind.slots import machine
from eyas.model import Bind, Container, Host, Limits, Place, Probe, System, User
from eyas.model.generations import beside
from eyas.render import egress
from eyas.render.accounts import owners
from eyas.render.certificates import seen_bind
from eyas.render.entries import layer_digest, manifest
from eyas.render.layer import layer_entries
from eyas.render.refs import Names

MACHINE_IDS = uuid.UUID("6d0c5f0e-2f0b-5e39-9d7e-6579617321e0")  # name space of machine ids (RFC 9562, version 5)


class Built(Protocol):
    """What rendering needs of a built image."""

    @property
    def commit(self) -> str: ...
    @property
    def packages(self) -> Mapping[str, str]: ...


def machine_id(host: str, name: str) -> str:
    """A machine-id(5) that is the same for every root of one container: derived from names, so it needs no memory."""
    return uuid.uuid5(MACHINE_IDS, f"{host}/{name}").hex


def limits_fields(limits: Limits) -> dict[str, Json]:
    """Declared limits by the words of the spec; what is not declared is absent."""
    found: dict[str, Json] = {
        "memory_max": limits.memory,
        "memory_high": limits.memory_high,
        "cpu_quota": limits.cpu_quota,
        "cpu_weight": limits.cpu_weight,
        "io_weight": limits.io_weight,
        "tasks_max": limits.tasks,
    }
    return {key: value for key, value in found.items() if value is not None}


def bind_fields(facts: Mapping[str, Any], users: Sequence[User], binds: Sequence[Bind]) -> list[Json]:
    """Binds with owners as numbers; an owner nobody has in the container is a DefinitionError."""
    fields: list[Json] = []
    for bind in binds:
        owner, group = owners(facts, users, bind)
        fields.append(
            {
                **({"carry": True} if bind.carry else {}),
                **({"size": bind.size} if bind.size else {}),
                "source": str(bind.source),
                "target": str(bind.target),
                "readonly": bind.readonly,
                "persistent": bind.persistent,
                "owner": owner,
                "group": group,
                "mode": bind.mode,
            }
        )
    return sorted(fields, key=lambda b: str(b["target"]) if isinstance(b, dict) else "")


def probe_fields(probe: Probe) -> dict[str, Json]:
    raw: dict[str, Json] = {
        "type": probe.type,
        "port": probe.port,
        "path": probe.path,
        "status": probe.status,
        "contains": probe.contains,
        "argv": list(probe.argv) if probe.argv else None,
        "unit": probe.unit_name,
        "timeout": probe.timeout,
    }
    return {key: value for key, value in raw.items() if value is not None}


def spec_fields(
    host: Host, where: Place, container: Container, system: System, built: Built, packages: Sequence[str]
) -> dict[str, Json]:
    """The fields of ``container:NAME`` except those that come from the configuration layer."""
    return {
        "name": container.name,
        "description": container.description or f"container {container.name} of {host.name}",
        "address4": where.address4,
        "gateway4": where.gateway4,
        "address6": where.address6,
        "gateway6": where.gateway6,
        "bridge": host.bridge.name,
        "uid_base": where.uid_base,
        "machine_id": machine_id(host.name, container.name),
        "image": container.image.name,
        "packages": {name: built.packages.get(name, "") for name in sorted(packages)},
        "tree": built.commit,
        "root_size": container.root.size,
        "root_backing": container.root.backing,
        "grants": [*sorted(system.grants)],
        "limits": limits_fields(container.limits),
        "stop_timeout": round(container.stop_timeout),
        "start_timeout": round(container.start_timeout),
        "hold": container.hold,
        "drain": container.drain,
        "settle": container.settle,
        "after": [*sorted(container.after)],
        "needs": [*sorted(container.needs)],
        "restart_with": [*sorted(container.restart_with)],
        "probes": [probe_fields(p) for p in system.probes],
        "autostart": container.autostart,
        **generation_fields(host, where, container),
    }


def generation_fields(host: Host, where: Place, container: Container) -> dict[str, Json]:
    """What a spec says of generations side by side (`eyas.kind.slots`): nothing, in a fleet without any."""
    found: dict[str, Json] = {}
    twice = [name for name in container.edges if (other := host.container(name)) and other.stateless]
    if twice:
        found["twice"] = [*sorted(twice)]
    if container.stateless:
        more = beside(container.address, where.address6.partition("/")[0] if where.address6 else None)
        found["stateless"] = True
        found["beside"] = {**more._asdict(), "machine_id": machine_id(host.name, machine(container.name, "b"))}
    return found


def container_resources(
    spec: dict[str, Json], container: Container, system: System, facts: Mapping[str, Any], names: Names
) -> list[Resource]:
    """Tree, layer, identity, persistent directories and the container itself."""
    users = tuple(system.users)
    # Where a function of the user's own makes several containers, the line that called it tells them apart.
    name, origin = container.name, container.statement or container.origin
    own = egress.entries(container, system, facts)
    entries = layer_entries(spec, system, facts, users, names, untrusted=container.untrusted, more=own)
    layer = layer_digest(entries)
    spec["binds"] = [*seen_bind(name, system), *egress.seen_bind(container), *bind_fields(facts, users, system.binds)]
    spec["layer"] = layer
    spec["files"] = manifest(entries)
    listed: list[Json] = list(entries)
    found = [
        Resource(f"tree:{spec['tree']}", "tree", "host", {"commit": spec["tree"]}, container.image.origin),
        Resource(f"layer:{layer}", "layer", name, {"container": name, "digest": layer, "entries": listed}, origin),
        Resource(f"identity:{name}", "identity", name, {}, origin),
        Resource(f"container:{name}", "container", name, spec, origin),
    ]
    for bind in spec["binds"] if isinstance(spec["binds"], list) else []:
        assert isinstance(bind, dict)
        if bind["persistent"]:
            fields: Fields = {key: bind[key] for key in ("owner", "group", "mode")}
            if bind.get("size"):
                found.append(Resource(f"disk:{bind['source']}", "disk", name, {"size": bind["size"], **fields}, origin))
            found.append(Resource(f"directory:{bind['source']}", "directory", name, fields, origin))
    return found
