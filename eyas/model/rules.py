"""Rules across objects: everything that single values cannot know. All findings at once, each at the user's line."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from eyas.core.errors import Diagnostic
from eyas.model.files import Link
from eyas.model.machines import FIRST_UID, Container, Fleet, Host
from eyas.model.merge import merge
from eyas.model.origin import split
from eyas.model.reach import said
from eyas.model.rules_certificates import certificates
from eyas.model.rules_data import DATA_RULES
from eyas.model.rules_egress import egress
from eyas.model.rules_network import NETWORK_RULES, way_in
from eyas.model.rules_sites import sites
from eyas.model.rules_stateless import stateless
from eyas.model.sites import Site
from eyas.model.values import nearest

Findings: TypeAlias = Iterator[Diagnostic]
Rule: TypeAlias = Callable[[Host], Findings]


def check(fleet: Fleet, unknown: Iterable[str] = (), *, advice: bool = True) -> list[Diagnostic]:
    """Everything that is wrong with a fleet (severity ``error``) or looks wrong (``warning``), in a fixed order.

    ``unknown`` names containers that could not be made and are reported elsewhere: references to them are no news.
    ``advice``: also what only looks forgotten, where nothing else is wrong.
    """
    unknown = frozenset(unknown)
    known = fleet.hosts or not unknown
    findings = list(_hosts(fleet)) if known else []
    for host in fleet.hosts:
        for rule in (*RULES, *DATA_RULES, *NETWORK_RULES):
            findings += rule(host)
        findings += egress(host, fleet)
        findings += _references(host, fleet, unknown)
        findings += _texts(host, fleet, unknown)
    if advice and not any(finding.severity == "error" for finding in findings):
        findings += [finding for host in fleet.hosts for finding in way_in(host)]
    return sorted(dict.fromkeys(findings), key=lambda d: (d.file, d.line, d.severity))


def _hosts(fleet: Fleet) -> Findings:
    if not fleet.hosts:
        yield fleet.diagnostic("hosts", "cannot do anything with this fleet: it has no host", "write Fleet(Host(...))")
    names: dict[str, Host] = {}
    addresses: dict[str, Host] = {}
    for host in fleet.hosts:
        first = names.setdefault(host.name, host)
        if first is not host:
            yield host.diagnostic("name", f"cannot have two hosts named {host.name}: the first is at {first.statement}")
        for address in (host.uplink.address, host.uplink.address6):
            if address is None:
                continue
            first = addresses.setdefault(address.partition("/")[0], host)
            if first is not host:
                yield host.uplink.diagnostic(
                    "address",
                    f"cannot give {address} to host {host.name}: host {first.name} ({first.statement}) has it",
                )


def _names(host: Host) -> Findings:
    seen: dict[str, Container] = {}
    for container in host.containers:
        name = container.name
        first = seen.setdefault(name, container)
        if first is container and name not in ("host", "localhost", host.name):
            continue
        if first is not container:
            why, hint = f"the first is at {first.statement}", "a name is given once on a host"
            yield container.diagnostic("name", f"cannot have two containers named {name}: {why}", hint)
        else:
            yield container.diagnostic(
                "name", f"cannot name a container {name}: that means the host", "choose another name"
            )


def _addresses(host: Host) -> Findings:
    """IPv4: inside the bridge's network, nobody else's."""
    network, bridge = host.bridge.network, ipaddress.IPv4Interface(host.bridge.address).ip
    taken: dict[str, Container] = {}
    for container in host.containers:
        address = ipaddress.IPv4Address(container.address)
        first = taken.setdefault(container.address, container)
        why, hint = "", ""
        if address not in network:
            why = f"it is outside {network}, the network of bridge {host.bridge.name} ({host.bridge.origin})"
            hint = _free(host)
        elif address == bridge:
            why = f"it is the host's own on bridge {host.bridge.name} ({host.bridge.origin})"
        elif address in (network.network_address, network.broadcast_address):
            which = "network" if address == network.network_address else "broadcast"
            why = f"it is the {which} address of {network}"
        elif int(address) - int(network.network_address) >= (1 << 16) - FIRST_UID // 65536:
            why = "its user ids would be beyond 2^32: containers live in the first 57343 addresses of a network"
        elif first is not container and first.name != container.name:
            why, hint = f"container {first.name} ({first.statement}) has it", _free(host)
        if why:
            yield container.diagnostic("address", f"cannot give {address} to container {container.name}: {why}", hint)


def _free(host: Host) -> str:
    taken = {container.address for container in host.containers} | {host.bridge.address.partition("/")[0]}
    free = next((str(a) for a in host.bridge.network.hosts() if str(a) not in taken), "")
    return f"{free} is free" if free else ""


def _addresses6(host: Host) -> Findings:
    network = host.bridge.network6
    taken: dict[str, Container] = {}
    for container in host.containers:
        if network is None:
            if container.ipv6:
                why = f"bridge {host.bridge.name} ({host.bridge.origin}) has no IPv6 network"
                message = f"cannot give {container.ipv6} to container {container.name}: {why}"
                yield container.diagnostic("ipv6", message, 'write Bridge(..., "fd00:5::1/64")')
            continue
        if ipaddress.IPv4Address(container.address) not in host.bridge.network and container.ipv6 is None:
            continue  # reported as IPv4
        place = host.place(container)
        if place.address6 is None:
            continue
        address = ipaddress.IPv6Address(place.address6.partition("/")[0])
        first = taken.setdefault(str(address), container)
        why = ""
        if address not in network:
            why = f"it is outside {network}, the network of bridge {host.bridge.name} ({host.bridge.origin})"
        elif address == ipaddress.IPv6Interface(str(host.bridge.address6)).ip and container.ipv6:
            why = f"it is the host's own on bridge {host.bridge.name} ({host.bridge.origin})"
        elif first is not container and first.address != container.address:
            why = f"container {first.name} ({first.statement}) has it"
        if why:
            yield container.diagnostic("ipv6", f"cannot give {address} to container {container.name}: {why}")


def _networks(host: Host) -> Findings:
    uplink, bridge = host.uplink, host.bridge
    outside = ipaddress.IPv4Interface(uplink.address).network
    if outside.overlaps(bridge.network):
        message = (
            f"cannot use {bridge.network} for bridge {bridge.name}: it overlaps {outside} of uplink {uplink.interface}"
        )
        yield bridge.diagnostic("address", message, "choose a private network such as 10.0.5.1/24")
    if uplink.interface == bridge.name:
        yield bridge.diagnostic("name", f"cannot name the bridge {bridge.name}: the uplink is named so")
    if uplink.gateway and outside.prefixlen < 32 and ipaddress.IPv4Address(uplink.gateway) not in outside:
        message = f"gateway {uplink.gateway} is outside {outside}, the network of uplink {uplink.interface}"
        yield uplink.diagnostic("gateway", message, "", "warning")


def _ports(host: Host) -> Findings:
    taken: dict[tuple[str, int], Container] = {}
    for container in host.containers:
        for forward in container.forwards:
            key = (forward.proto, forward.port)
            first = taken.get(key)
            if first is None:
                taken[key] = container
                continue
            who = "it does so already" if first is container else f"container {first.name} ({first.statement}) has it"
            message = (
                f"cannot forward port {forward.port}/{forward.proto} of the host to container {container.name}: {who}"
            )
            yield forward.diagnostic("port", message, "a port of the host leads to one container")


def _order(host: Host) -> Findings:
    """Loops in the start order, each named once, from the container that comes first in the definitions."""
    edges = {c.name: [e for e in c.edges if host.container(e)] for c in host.containers}
    done: set[str] = set()
    for start in edges:
        loop = _loop(start, edges, done)
        done.add(start)
        if loop:
            done |= set(loop)
            container = host.container(start)
            assert container is not None
            chain = " after ".join([*loop, start])
            field = next(f for f in ("after", "needs", "restart_with") if loop[1 % len(loop)] in getattr(container, f))
            message = f"cannot start {start}: the start order is a loop ({chain})"
            yield container.diagnostic(field, message, "take one of these edges away")


def _loop(start: str, edges: dict[str, list[str]], done: set[str]) -> list[str]:
    """The shortest way from a container over its edges back to itself, without those that are done."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for name in edges[way[-1]]:
            if name == start:
                return way
            if name not in seen and name not in done:
                seen.add(name)
                ways.append([*way, name])
    return []


def _references(host: Host, fleet: Fleet, unknown: frozenset[str]) -> Findings:
    """Names of containers that edges and sites refer to."""
    names = [container.name for container in host.containers]
    served: dict[str, tuple[Container, Site]] = {}
    for container in host.containers:
        for field in ("after", "needs", "restart_with"):
            for name in getattr(container, field):
                if name not in names and name not in unknown:
                    what = f"cannot let {container.name} start after {name}"
                    why, hint = _nowhere(name, host, fleet)
                    yield container.diagnostic(field, f"{what}: {why}", hint)
        for use in said(container, sites=False):
            for name in {use.client, use.server} - {*names, *unknown}:
                why, hint = _nowhere(name, host, fleet)
                message = f"cannot let {use.client} use {use.server}: {why}"
                yield Diagnostic(*split(use.origin), "Container.uses", message, hint)
        for site in merge(container)[0].sites:
            for backend in site.backends:
                if backend.container not in names and backend.container not in unknown:
                    why, hint = _nowhere(backend.container, host, fleet)
                    message = f"cannot serve {site.name} from container {backend.container}: {why}"
                    yield site.diagnostic("to" if backend is site.to else "locations", message, hint)
            for name in (site.name, *site.aliases):
                if name in served:
                    where, first = served[name]
                    message = f"cannot serve {name} by {container.name}: {where.name} does already ({first.origin})"
                    yield site.diagnostic("name", message, "a name is served once on a host")
                served.setdefault(name, (container, site))


REFERENCE = re.compile(r"@\{([A-Za-z0-9_-]+)\.([a-z0-9_]+)\??\}")
ATTRIBUTES = ("address", "address6", "name")


def _texts(host: Host, fleet: Fleet, unknown: frozenset[str]) -> Findings:
    """References to containers in files and units: ``@{postgres.address}``."""
    for container in host.containers:
        system = merge(container)[0]
        for path, thing in (*system.files.items(), *system.units.items()):
            text = thing.target if isinstance(thing, Link) else thing.content
            for name, attribute in sorted(set(REFERENCE.findall(text))) if isinstance(text, str) else ():
                what = f"cannot fill @{{{name}.{attribute}}} in {path} of container {container.name}"
                if attribute not in ATTRIBUTES:
                    near = nearest(attribute, ATTRIBUTES)
                    hint = f'did you mean "{near}"?' if near else ""
                    allowed = ", ".join(ATTRIBUTES)
                    yield thing.diagnostic("content", f"{what}: what can be asked is {allowed}", hint)
                elif not host.container(name) and name not in unknown:
                    why, hint = _nowhere(name, host, fleet)
                    yield thing.diagnostic("content", f"{what}: {why}", hint)


def _nowhere(name: str, host: Host, fleet: Fleet) -> tuple[str, str]:
    """Why there is no such container to refer to, and a hint."""
    other = next((h.name for h in fleet.hosts if h is not host and h.container(name)), "")
    if other:
        return f"it is on host {other}, not on {host.name}", "containers refer to others of their host"
    near = nearest(name, [container.name for container in host.containers])
    hint = f'did you mean "{near}"?' if near else "add it to the containers of the host"
    return f"host {host.name} has no such container", hint


RULES: tuple[Rule, ...] = (_names, _addresses, _addresses6, _networks, _ports, _order, stateless, sites, certificates)
