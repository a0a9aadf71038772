"""One container of the definitions as the resources that a host holds for it."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.core.words import Fields, Json, Resource
from eyas.render.accounts import group_id, user_id
from eyas.render.entries import layer_digest, manifest
from eyas.render.firewall import host_part
from eyas.render.layer import layer_entries
from eyas.render.refs import Names

# Users of a namespace start here, times 65536: inside the range that systemd reserves for containers
# (UIDS.md of systemd: 524288 to 1879048191), above what its own allocation of hashed names usually takes.
UID_SLOT = 8192
MACHINE_IDS = uuid.UUID("6d0c5f0e-2f0b-5e39-9d7e-6579617321e0")  # name space of machine ids (RFC 9562, version 5)


class Built(Protocol):
    """What rendering needs of a built image."""

    @property
    def commit(self) -> str: ...
    @property
    def packages(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Place:
    """Where on the host's network a container stands; addresses with prefix lengths."""

    bridge: str
    address4: str
    gateway4: str
    address6: str | None
    gateway6: str | None


def place(bridge: Any, container: Any) -> Place:
    """The container's addresses in the bridge's networks. The IPv6 address, when not declared, repeats the last
    decimal digits of the IPv4 one as its host part, because people look for ``.50`` and ``::50`` together."""
    inside4 = ipaddress.ip_interface(str(bridge.address4))
    plain = str(container.address).split("/", 1)[0]
    address4 = f"{plain}/{inside4.network.prefixlen}"
    address6 = gateway6 = None
    if bridge.address6:
        inside6 = ipaddress.ip_interface(str(bridge.address6))
        own = getattr(container, "ipv6", None)
        text = str(own).split("/", 1)[0] if own else str(_same_digits(inside6, address4))
        address6, gateway6 = f"{text}/{inside6.network.prefixlen}", str(inside6.ip)
    return Place(bridge.name, address4, str(inside4.ip), address6, gateway6)


def _same_digits(
    inside6: ipaddress.IPv4Interface | ipaddress.IPv6Interface, address4: str
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    part = host_part(address4)
    number = int(str(part), 16) if part <= 9999 else part
    return inside6.network.network_address + number


def machine_id(host: str, name: str) -> str:
    """A machine-id(5) that is the same for every root of one container: derived from names, so it needs no memory."""
    return uuid.uuid5(MACHINE_IDS, f"{host}/{name}").hex


def limits_fields(limits: Any) -> dict[str, Json]:
    """Declared limits by the words of the spec; what is not declared is absent."""
    if limits is None:
        return {}
    found: dict[str, Json] = {
        "memory_max": limits.memory,
        "memory_high": limits.memory_high,
        "cpu_quota": None if limits.cpus is None else round(limits.cpus * 100),
        "cpu_weight": limits.cpu_weight,
        "io_weight": limits.io_weight,
        "tasks_max": limits.tasks,
    }
    return {key: value for key, value in found.items() if value is not None}


def bind_fields(facts: Mapping[str, Any], users: Sequence[Any], binds: Sequence[Any]) -> list[Json]:
    """Binds with owners as numbers; an owner nobody has in the container is a DefinitionError."""
    fields: list[Json] = []
    for bind in binds:
        owner, group = user_id(facts, users, bind.owner), group_id(facts, users, bind.group)
        if owner is None or group is None:
            missing, who = ("owner", bind.owner) if owner is None else ("group", bind.group)
            file, _, line = str(bind.origin).rpartition(":")
            raise DefinitionError(
                [
                    Diagnostic(
                        file,
                        int(line or 0),
                        missing,
                        f"no {missing} {who!r} in the container's packages or users",
                        "name a user that a package or the definition brings, or give the number",
                    )
                ]
            )
        fields.append(
            {
                "source": str(bind.source),
                "target": str(bind.target or bind.source),
                "readonly": bind.readonly,
                "persistent": bind.persistent,
                "owner": owner,
                "group": group,
                "mode": bind.mode,
            }
        )
    return sorted(fields, key=lambda b: str(b["target"]) if isinstance(b, dict) else "")


def probe_fields(probe: Any) -> dict[str, Json]:
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
    host: str, where: Place, container: Any, system: Any, built: Built, packages: Sequence[str]
) -> dict[str, Json]:
    """The fields of ``container:NAME`` except those that come from the configuration layer."""
    return {
        "name": container.name,
        "description": container.description or f"container {container.name} of {host}",
        "address4": where.address4,
        "gateway4": where.gateway4,
        "address6": where.address6,
        "gateway6": where.gateway6,
        "bridge": where.bridge,
        "uid_base": 65536 * (UID_SLOT + host_part(where.address4)),
        "machine_id": machine_id(host, container.name),
        "image": container.image.name,
        "packages": {name: built.packages.get(name, "") for name in sorted(packages)},
        "tree": built.commit,
        "root_size": container.root.size,
        "root_backing": container.root.backing,
        "grants": sorted({*container.grants, *system.grants}),
        "limits": limits_fields(container.limits),
        "stop_timeout": round(container.stop_timeout),
        "start_timeout": round(container.start_timeout),
        "after": sorted(container.after),
        "needs": sorted(container.needs),
        "restart_with": sorted(container.restart_with),
        "probes": [probe_fields(p) for p in (*container.probes, *system.probes)],
        "autostart": container.autostart,
    }


def container_resources(
    spec: dict[str, Json], container: Any, system: Any, facts: Mapping[str, Any], names: Names
) -> list[Resource]:
    """Tree, layer, identity, persistent directories and the container itself."""
    users = tuple(system.users)
    name, origin = container.name, container.origin
    entries = layer_entries(spec, system, facts, users, names)
    layer = layer_digest(entries)
    spec["binds"] = bind_fields(facts, users, (*container.binds, *system.binds))
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
            found.append(Resource(f"directory:{bind['source']}", "directory", name, fields, origin))
    return found
