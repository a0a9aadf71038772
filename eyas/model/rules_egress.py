"""Rules about outgoing connections: pools that would take what is somebody's, rules that cannot do what they say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from eyas.core.errors import Diagnostic
from eyas.model.egress import Egress
from eyas.model.machines import Container, Fleet, Host
from eyas.model.reach import public_names
from eyas.model.values import nearest

Findings: TypeAlias = Iterator[Diagnostic]

SPARE = 16
"""How many times as many addresses as a pool has its range has at least: what is drawn anew must be hard to foresee,
and those that rest somewhere are not to be had there."""


NARROW = 63
"""Users and units of one container with rules of their own: what marks their packets can count so far."""


class Holder(NamedTuple):
    """Whose an address or a network is, and where that is said."""

    network: ipaddress.IPv6Network
    who: str
    where: str
    what: Literal["own", "sent from", "other"] = "other"

    @property
    def told(self) -> str:
        return f"{_short(self.network)} ({self.who}, {self.where})"


def egress(host: Host, fleet: Fleet) -> Findings:
    """All rules of this page."""
    for container in host.containers:
        yield from _together(container)
        for rule in container.egress:
            yield from _families(rule, container, host)
            yield from _destinations(rule, container, host)
            yield from _proxied(rule, container, host)
            yield from _fixed(rule, container, host, fleet)
    yield from _settings(host)
    if any(rule.pool for container in host.containers for rule in container.egress):
        yield from _range(host, fleet)


def stable(host: Host, fleet: Fleet | None = None) -> list[Holder]:
    """Addresses within reach of the host's prefix that somebody has: none of them may ever be in a pool."""
    found = [] if fleet is None else [h for other in fleet.hosts if other is not host for h in _neighbour(other)]
    uplink, bridge = host.uplink, host.bridge
    if uplink.address6:
        own = ipaddress.IPv6Interface(uplink.address6).ip
        found.append(Holder(_single(own), f"the address of host {host.name}", uplink.origin, "own"))
    if uplink.gateway6:
        gateway = ipaddress.IPv6Address(uplink.gateway6)
        found.append(Holder(_single(gateway), f"the gateway of host {host.name}", uplink.origin))
    if bridge.network6:
        found.append(Holder(bridge.network6, f"the network of bridge {bridge.name}", bridge.origin))
    for container in host.containers:
        if container.ipv6:
            address = ipaddress.IPv6Address(container.ipv6)
            found.append(Holder(_single(address), f"the address of container {container.name}", container.statement))
        for rule in container.egress:
            if ":" in rule.address:
                who = f"the address that {container.name} leaves from by {rule.name}"
                found.append(Holder(_single(ipaddress.IPv6Address(rule.address)), who, rule.origin, "sent from"))
    return found


def _neighbour(other: Host) -> Iterator[Holder]:
    """What another host of the fleet has, as far as one on the same wire could take it."""
    if other.uplink.address6:
        own = ipaddress.IPv6Interface(other.uplink.address6).ip
        yield Holder(_single(own), f"the address of host {other.name}", other.uplink.origin)
    if other.bridge.network6:
        yield Holder(other.bridge.network6, f"the containers of host {other.name}", other.bridge.origin)
    pooled = any(rule.pool for container in other.containers for rule in container.egress)
    if pooled and other.uplink.range6:
        yield Holder(other.uplink.range6, f"the pools of host {other.name}", other.uplink.origin)


def _single(address: ipaddress.IPv6Address) -> ipaddress.IPv6Network:
    return ipaddress.IPv6Network(address)


def _short(network: ipaddress.IPv6Network) -> str:
    return str(network.network_address if network.prefixlen == 128 else network)


def _range(host: Host, fleet: Fleet) -> Findings:
    """Where pools draw from: within the prefix, nobody else's, and large enough."""
    uplink = host.uplink
    prefix, drawn = uplink.network6, uplink.range6
    if prefix is None:
        return  # said of each rule
    what = f"cannot draw addresses from {uplink.pool6 or drawn or prefix}"
    if drawn is None:
        why = "it is no IPv6 network" if uplink.pool6 else f"{prefix} is one address, no prefix"
        yield uplink.diagnostic("pool6" if uplink.pool6 else "address6", f"{what}: {why}", _halves(prefix))
        return
    if not drawn.subnet_of(prefix):
        why = f"it is outside {prefix}, the prefix of uplink {uplink.interface}"
        yield uplink.diagnostic("pool6", f"{what}: {why}", _halves(prefix))
    for holder in stable(host, fleet):
        # One that rules send from is left out of every pool, wherever it is.
        if drawn.overlaps(holder.network) and holder.what != "sent from":
            half = "" if uplink.pool6 else ", the upper half of the prefix"
            hint = _free(host, fleet) or "no part of the prefix is free"
            yield uplink.diagnostic("pool6", f"{what}{half}: {holder.told} is in it", hint)
    yield from _room(host, drawn)


def _room(host: Host, drawn: ipaddress.IPv6Network) -> Findings:
    """Each rule has addresses of its own: the range has to have them all, and many more."""
    total = 0
    for container in host.containers:
        for rule in container.egress:
            if rule.pool is None:
                continue
            total += rule.pool.size
            if total * SPARE > drawn.num_addresses:
                several = f", {total} with those before it" if total > rule.pool.size else ""
                message = (
                    f"cannot give a pool of {rule.pool.size} addresses to {container.name}{several}: {drawn} has "
                    f"{drawn.num_addresses}, and a pool takes a range of {SPARE} times its size"
                )
                most = drawn.num_addresses // SPARE
                hint = f"{most} fit into it, or choose a larger pool6 of the uplink" if most else "choose another pool6"
                yield rule.diagnostic("via", message, hint)
                return


def _halves(prefix: ipaddress.IPv6Network) -> str:
    if prefix.prefixlen >= 128 - 8:
        return 'ask the provider for the whole prefix, usually a /64: address6="2001:db8:5:1::2/64"'
    return f'leave it out, or write pool6="{[*prefix.subnets(1)][1]}"'


def _free(host: Host, fleet: Fleet) -> str:
    """A part of the prefix that is nobody's, as a hint."""
    prefix = host.uplink.network6
    taken = [holder.network for holder in stable(host, fleet)]
    for length in (1, 2, 3, 4) if prefix and prefix.prefixlen <= 120 else ():
        assert prefix is not None
        for part in reversed([*prefix.subnets(length)]):
            if not any(part.overlaps(network) for network in taken):
                return f'write Uplink(..., pool6="{part}")'
    return ""


def _families(rule: Egress, container: Container, host: Host) -> Findings:
    """A pool is of IPv6, which the host, its bridge and the container have to have."""
    if not rule.pool and ":" not in rule.address and rule.ipv4 == "allowed":
        return
    field = "via" if rule.pool or rule.address else "ipv4"
    does = f"give a pool of addresses to {container.name}" if rule.pool else f"let {container.name} leave by IPv6"
    if rule.ipv4 == "refused" and field == "ipv4":
        does = f"refuse IPv4 to {container.name}"
    why, hint = "", ""
    if host.uplink.address6 is None:
        why = f"uplink {host.uplink.interface} ({host.uplink.origin}) has no IPv6 address"
        hint = 'write Uplink(..., "2001:db8:5:1::2/64"), with the prefix of the provider'
    elif host.bridge.network6 is None:
        why = f"bridge {host.bridge.name} ({host.bridge.origin}) has no IPv6 network"
        hint = 'write Bridge(..., "fd00:5::1/64")'
    elif container.ipv6 is False:
        why, hint = "it has no IPv6 address (ipv6=False)", "leave ipv6=False out"
    if why:
        yield rule.diagnostic(field, f"cannot {does}: {why}", hint)
    elif rule.ipv4 == "refused" and not rule.names:
        message = f'ipv4="refused" of rule {rule.name} does nothing: only of names is it known whether they have both'
        yield rule.diagnostic("ipv4", message, 'name destinations, as in to=["github.com"]', "warning")


def _destinations(rule: Egress, container: Container, host: Host) -> Findings:
    """Only what leaves by the uplink can be led."""
    inside = [network for network in (host.bridge.network, host.bridge.network6) if network]
    for network in rule.networks:
        other = ipaddress.ip_network(network)
        mine = next((n for n in inside if n.version == other.version and n.supernet_of(other)), None)  # type: ignore[arg-type]
        if mine is not None:
            message = (
                f"cannot lead connections of {container.name} to {network}: that is in {mine}, the bridge's network"
            )
            yield rule.diagnostic("to", message, "to another container they do not leave the host")
    served = public_names(host)
    for name in (name for name in rule.names if name in served):
        message = f"{name} is served by this host: connections to it never leave, and {rule.name} does nothing for them"
        yield rule.diagnostic("to", message, "leave it out", "warning")


def _proxied(rule: Egress, container: Container, host: Host) -> Findings:
    """A proxy that can be reached, and is not led to itself."""
    proxy = rule.proxy
    if proxy is None:
        return
    what = f"cannot send connections of {container.name} by {rule.via}"
    names = [other.name for other in host.containers]
    target = host.container(proxy.host) or next((c for c in host.containers if c.address == proxy.host), None)
    if target is container or (target is not None and target.name == container.name):
        yield rule.diagnostic("via", f"{what}: that is the container itself", "its own connections leave the usual way")
    elif ":" in proxy.host:
        yield rule.diagnostic("via", f"{what}: a proxy is asked by IPv4", "give its IPv4 address")
    elif target is None and not _literal(proxy.host):
        near = nearest(proxy.host, names)
        hint = f'did you mean "{near}"?' if near else "name a container of the host, or give an address"
        yield rule.diagnostic("via", f"{what}: {proxy.host} is no container of {host.name}, and no address", hint)


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _fixed(rule: Egress, container: Container, host: Host, fleet: Fleet) -> Findings:
    """One address: of the host's own prefix, and nobody else's."""
    if not rule.address:
        return
    what, uplink = f"cannot let {container.name} leave from {rule.address}", host.uplink
    address = ipaddress.ip_address(rule.address)
    if isinstance(address, ipaddress.IPv4Address):
        own = ipaddress.IPv4Interface(uplink.address).ip
        if address != own:
            why = f"the IPv4 address of uplink {uplink.interface} ({uplink.origin}) is {own}"
            yield rule.diagnostic("via", f"{what}: {why}", "a host has one; only its IPv6 prefix has more")
        return
    prefix = uplink.network6
    if prefix is None:
        return  # said of the families
    if address not in prefix:
        why = f"it is outside {prefix}, the prefix of uplink {uplink.interface} ({uplink.origin})"
        yield rule.diagnostic(
            "via", f"{what}: {why}", f'write an address of it, like "{prefix[0x77 % prefix.num_addresses]}"'
        )
        return
    for holder in stable(host, fleet):
        if address in holder.network and holder.what == "other":
            yield rule.diagnostic("via", f"{what}: it is in use ({holder.who}, {holder.where})", "choose another")


def _together(container: Container) -> Findings:
    """Rules of one container: a name each, and none that is never asked."""
    seen: dict[str, Egress] = {}
    narrow = [*{(rule.user, rule.unit): rule for rule in container.egress if rule.user or rule.unit}.values()]
    if len(narrow) > NARROW:
        message = f"cannot tell apart more than {NARROW} users and units of {container.name} by egress rules"
        yield narrow[NARROW].diagnostic("name", message, "the packets have six bits for it")
    for number, rule in enumerate(container.egress):
        first = seen.setdefault(rule.name, rule)
        if first is not rule:
            message = (
                f"cannot have two egress rules named {rule.name} in {container.name}: the first is at {first.origin}"
            )
            yield rule.diagnostic("name", message, "a name is given once in a container")
        whole = [other for other in container.egress[:number] if not (other.partial or rule.partial)]
        before = next((other for other in whole if _covers(other, rule)), None)
        if before is not None:
            message = (
                f"egress rule {rule.name} of {container.name} never counts: {before.name} ({before.origin}) comes "
                "first, and has all that it has"
            )
            yield rule.diagnostic("to", message, "put the more exact one first", "warning")


def _covers(first: Egress, second: Egress) -> bool:
    """Whether whatever fits the second fits the first."""
    if first.user not in ("", second.user) or first.unit not in ("", second.unit):
        return False
    if first.ports and not (second.ports and {*second.ports} <= {*first.ports}):
        return False
    if not first.to:
        return True
    return bool(second.to) and all(item in first.to or _within(item, first.networks) for item in second.to)


def _within(item: str, networks: tuple[str, ...]) -> bool:
    if "/" not in item:
        return False
    inner = ipaddress.ip_network(item)
    outer = [network for network in map(ipaddress.ip_network, networks) if network.version == inner.version]
    return any(inner.subnet_of(network) for network in outer)  # type: ignore[arg-type]


def _settings(host: Host) -> Findings:
    """What a host says of egress without any rule that asks for it."""
    if any(container.egress for container in host.containers):
        return
    message = f"of host {host.name} means nothing: no container has egress"
    if host.vantage:
        yield host.diagnostic("vantage", f"vantage {message}", "leave it out", "warning")
    for field in ("pool6", "prefix6"):
        if getattr(host.uplink, field):
            yield host.uplink.diagnostic(field, f"{field} {message}", "leave it out", "warning")
