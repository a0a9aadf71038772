"""Who may talk to whom: what definitions say (``uses``) and what follows from them (sites, clients). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from eyas.model.machines import Container, Host
from eyas.model.merge import merge


class Use(NamedTuple):
    """A container may open connections to a port of another one; to all of it where there is no port."""

    client: str
    server: str
    port: int | None
    origin: str


def uses(host: Host) -> tuple[Use, ...]:
    """All of a host, each once, in a fixed order; only between containers that are there."""
    names = {container.name for container in host.containers}
    found: dict[tuple[str, str, int], Use] = {}
    for container in host.containers:
        for use in said(container):
            if use.client != use.server and {use.client, use.server} <= names:
                found.setdefault((use.client, use.server, use.port or 0), use)
    return tuple(use for _, use in sorted(found.items()))


def said(container: Container, *, sites: bool = True) -> Iterator[Use]:
    """What a container with its parts says of itself and others, whether it makes sense or not."""
    system = merge(container)[0]
    name, here = container.name, container.statement or container.origin
    for used in system.uses:
        if isinstance(used, str):
            yield Use(name, used, None, here)
        else:
            yield Use(name, used.container, used.port, used.origin or here)
    for client in system.clients:
        yield Use(client.container, name, client.port, client.origin or here)
    for site in system.sites if sites else ():
        for backend in site.backends:
            yield Use(name, backend.container, backend.port, site.origin)


def public_names(host: Host) -> dict[str, str]:
    """The names of all sites that the host serves, each with the container that does; a wildcard is no name."""
    found = {
        name: container.name
        for container in host.containers
        for site in merge(container)[0].sites
        for name in (site.name, *site.aliases)
        if not name.startswith("*")
    }
    return dict(sorted(found.items()))
