"""Definitions to what the packet filter knows of containers: addresses, ports of the bridge, rights."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.kind.slots import machine
from eyas.model import Container, Host, Place
from eyas.model.egress import Proxy
from eyas.model.generations import beside
from eyas.model.reach import uses
from eyas.render.policy import Member, Policy
from eyas.render.wire import Port

FIRST_RELAY = 10780
"""Ports of the host that lead to proxies begin here."""


def bare(address: str | None) -> str | None:
    """An address without its prefix length."""
    return address.split("/", 1)[0] if address else None


def policy_of(host: Host, places: Mapping[str, Place]) -> Policy:
    """Who may talk to whom on a host."""
    return Policy(
        tuple(_member(c, places[c.name]) for c in host.containers),
        tuple((use.client, use.server, use.port) for use in uses(host)),
        tuple((port.proto, port.port, port.sources) for port in host.open),
        tuple(a for a in (bare(host.bridge.address),) if a),
        tuple(a for a in (bare(host.bridge.address6),) if a),
        tuple((str(bare(host.bridge.address)), port) for port in relays(host).values()),
        str(host.uplink.range6 or "") if any(rule.pool for c in host.containers for rule in c.egress) else "",
    )


def relays(host: Host) -> dict[Proxy, int]:
    """The proxies that connections leave by, each with the port of the host that leads to it."""
    known = {rule.proxy for container in host.containers for rule in container.egress if rule.proxy is not None}
    return {proxy: FIRST_RELAY + number for number, proxy in enumerate(sorted(known))}


def _member(container: Container, where: Place) -> Member:
    four, six = [container.address], [a for a in (bare(where.address6),) if a]
    if container.stateless:
        more = beside(container.address, bare(where.address6))
        four.append(str(bare(more.address4)))
        six += [a for a in (bare(more.address6),) if a]
    return Member(container.name, container.address, bare(where.address6), tuple(four), tuple(six), container.untrusted)


def ports_of(host: Host, places: Mapping[str, Place]) -> list[Port]:
    """Every port of the bridge that a container may hang on; a stateless one has two."""
    found: list[Port] = []
    for container in host.containers:
        name, six = container.name, bare(places[container.name].address6)
        mine4, mine6 = [container.address], [six] if six else []
        if container.stateless:
            more = beside(container.address, six)
            second4, second6 = str(bare(more.address4)), bare(more.address6)
            found.append(Port(machine(name, "b"), name, second4, (second4,), (second6,) if second6 else ()))
            mine4.append(str(bare(more.probe4)))
            mine6 += [a for a in (bare(more.probe6),) if a]
        found.append(Port(name, name, container.address, tuple(mine4), tuple(mine6)))
    return found
