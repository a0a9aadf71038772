"""Fleet to Desired: every resource that one host should hold. Pure: the same definitions give the same resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.core.words import Json, Resource, digest
from eyas.model import Host, System
from eyas.render.certificates import certificate_resources
from eyas.render.container import Built, container_resources, spec_fields
from eyas.render.egress import egress_resources
from eyas.render.host import (
    firewall_resource,
    hosts_text,
    network_resources,
    own_resources,
    support_resources,
)
from eyas.render.refs import Names


class Image(Protocol):
    """A built image with what the configuration layer must know of it (passwd, group, shadow, gshadow, units)."""

    @property
    def built(self) -> Built: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def packages(self) -> Sequence[str]: ...


def desired(
    host: Host,
    systems: Mapping[str, System],
    images: Mapping[str, Image],
    scripts: Mapping[str, str],
    units: Mapping[str, str],
) -> dict[str, Resource]:
    """All resources of one host of the definitions, by id.

    ``systems`` are the merged parts and ``images`` the built images, both by container name; ``scripts`` and
    ``units`` are eyas's own programs and boot units, by file name. Raises DefinitionError when something refers to
    nothing (a name in a file, an owner of a bind).
    """
    places = {c.name: host.place(c) for c in host.containers}
    names = Names(
        {
            name: {
                "name": name,
                "address": where.address4.split("/", 1)[0],
                **({"address6": where.address6.split("/", 1)[0]} if where.address6 else {}),
            }
            for name, where in places.items()
        }
    )
    found: list[Resource] = [*support_resources(scripts, units, host.origin)]
    found += network_resources(host.bridge, host.origin, any(c.stateless for c in host.containers))
    found.append(Resource("names:hosts", "names", "host", {"content": hosts_text(host, places)}, host.origin))
    found.append(firewall_resource(host, places))
    problems: list[Diagnostic] = []
    try:
        found += own_resources(host, names)
    except DefinitionError as error:
        problems += error.diagnostics
    for container in host.containers:
        image = images[container.name]
        try:
            spec = spec_fields(
                host,
                places[container.name],
                container,
                systems[container.name],
                image.built,
                image.packages,
            )
            found += container_resources(spec, container, systems[container.name], image.facts, names)
        except DefinitionError as error:
            problems += error.diagnostics
    if problems:
        raise DefinitionError(problems)
    found += certificate_resources(host, systems)
    found += egress_resources(host, places, systems, {name: image.facts for name, image in images.items()})
    return {resource.id: resource for resource in found}


def desired_digest(resources: Mapping[str, Resource]) -> str:
    """One name for a whole desired state; origins do not count, because moving a line changes nothing on a host."""
    body: dict[str, Json] = {id_: dict(resource.fields) for id_, resource in resources.items()}
    return digest(body)
