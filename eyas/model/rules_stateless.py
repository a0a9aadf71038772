"""Rules of containers that can run twice (``stateless=True``), and of what their second generation needs of a host."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TypeAlias

from eyas.core.errors import Diagnostic
from eyas.model.files import Link
from eyas.model.generations import LONGEST6, NETWORK, beside
from eyas.model.machines import Container, Host
from eyas.model.merge import merge

Findings: TypeAlias = Iterator[Diagnostic]

ALONE = {"loop": "the devices of this grant are the same ones for both"}
"""Grants that two generations cannot have at once."""


def stateless(host: Host) -> Findings:
    """What cannot be had twice."""
    chosen = [container for container in host.containers if container.stateless]
    for container in chosen:
        yield from _twice(container)
    if chosen:
        yield from _networks(host, chosen[0])
        yield from _addresses6(host)
    names = {container.name for container in chosen}
    for container in host.containers:
        for field in ("needs", "restart_with"):
            for name in sorted(names & set(getattr(container, field))):
                verb = "need" if field == "needs" else "restart with"
                message = f"cannot let {container.name} {verb} {name}: that is stateless, and never restarts"
                yield container.diagnostic(field, message, f"write after=[{name}]: it runs from the boot on")


def _twice(container: Container) -> Findings:
    system, name = merge(container)[0], container.name
    what = f"container {name} is stateless, so that two of it may run at once"
    for bind in system.binds:
        if bind.persistent and not bind.shared and not bind.readonly:
            message = f"cannot keep data of container {name} in {bind.source}: {what}"
            hint = "say Bind(..., shared=True) if both may write to it at once, or leave out stateless=True"
            yield bind.diagnostic("persistent", message, hint)
    for grant in system.grants:
        if grant in ALONE:
            message = f"cannot grant {grant} to container {name}: {what}, and {ALONE[grant]}"
            yield container.diagnostic("grants", message, "leave out one of the two")
    for path, thing in (*system.files.items(), *system.units.items()):
        text = thing.target if isinstance(thing, Link) else thing.content
        if isinstance(text, str) and f"@{{{name}.address" in text:
            message = (
                f"{path} of container {name} has its own address in it: {what}, and the second one does not have "
                f"this address, only its clients use it"
            )
            yield thing.diagnostic("content", message, "let programs listen on all addresses", "warning")


def _networks(host: Host, container: Container) -> Findings:
    """The second generations live in networks of their own."""
    uplink, bridge = host.uplink, host.bridge
    why = f"the second generation of {container.name} ({container.statement}) has its address there"
    for thing, network, what in (
        (bridge, bridge.network, f"bridge {bridge.name}"),
        (uplink, ipaddress.IPv4Interface(uplink.address).network, f"uplink {uplink.interface}"),
    ):
        if network.overlaps(NETWORK):
            message = f"cannot use {network} for {what}: it overlaps {NETWORK}, and {why}"
            yield thing.diagnostic("address", message, "leave out stateless=True, or choose another network")
    network6 = bridge.network6
    if network6 is not None and network6.prefixlen > LONGEST6:
        message = f"cannot use {network6} for bridge {bridge.name}: {why}, beyond a /{network6.prefixlen}"
        yield bridge.diagnostic("address6", message, f"a network of containers has a prefix of {LONGEST6} bits")


def _addresses6(host: Host) -> Findings:
    """IPv6 addresses that somebody asked for, and a second generation has already."""
    if host.bridge.network6 is None:
        return
    taken: dict[str, Container] = {}
    for container in host.containers:
        if container.stateless and ipaddress.IPv4Address(container.address) in host.bridge.network:
            address6 = host.place(container).address6
            more = beside(container.address, address6.partition("/")[0]) if address6 else None
            for address in (more.address6, more.probe6) if more else ():
                taken[str(address).partition("/")[0]] = container
    for container in host.containers:
        owner = taken.get(str(container.ipv6))
        if owner is not None:
            message = (
                f"cannot give {container.ipv6} to container {container.name}: generations of {owner.name} "
                f"({owner.statement}) use it"
            )
            yield container.diagnostic("ipv6", message, "choose one with a lower interface identifier")
