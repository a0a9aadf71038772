"""How hosts and containers are wired: uplink, bridge, forwards, open ports, and who uses whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from eyas.core.words import Impact
from eyas.model.answers import Backend
from eyas.model.base import MARK, Thing, Unknown
from eyas.model.values import (
    Address4,
    Address6,
    Interface,
    Made,
    Many,
    Name,
    Network4,
    Network6,
    Port,
    Words,
    refuse,
    several,
)


def _uses(value: object) -> object:
    """Containers, their names, or ports of them: names and backends."""
    value = several([value] if isinstance(value, Backend) or hasattr(value, "forwards") else value)
    if not isinstance(value, tuple):
        return value
    made: list[object] = []
    for item in value:
        name = getattr(item, "name", item) if hasattr(item, "forwards") or isinstance(item, Unknown) else item
        if not isinstance(name, str | Backend):
            refuse("it takes containers, their names, or ports of them", 'write uses=[postgres.port(5432), "redis"]')
        made.append(name)
    return tuple(dict.fromkeys(item for item in made if not (isinstance(item, str) and (not item or MARK in item))))


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        return refuse("it is no network or address", 'write it like "198.51.100.0/24" or "2001:db8::/32"')


Partners: TypeAlias = Annotated[
    tuple[Name | Made[Backend], ...],
    BeforeValidator(_uses),
    Words("a list of containers, their names, or ports of them"),
]
Network: TypeAlias = Annotated[str, BeforeValidator(_network), Words("a network or an address", "networks")]


class Forward(Thing):
    """A port of the host that leads to the container, for both address families."""

    positional: ClassVar[tuple[str, ...]] = ("port", "proto")

    port: Annotated[Port, Impact.live] = Field(description="port of the host")
    proto: Annotated[Literal["tcp", "udp"], Impact.live] = Field("tcp", description="protocol")
    to: Annotated[Port | None, Impact.live] = Field(None, description="port of the container; None is the same one")
    reflect: Annotated[bool, Impact.live] = Field(
        True, description="reachable by the host's public address from the host and the containers too"
    )

    if TYPE_CHECKING:

        def __init__(
            self, port: int, proto: Literal["tcp", "udp"] = "tcp", *, to: int | None = None, reflect: bool = True
        ) -> None: ...

    @property
    def target(self) -> int:
        """Port in the container."""
        return self.to or self.port


class Open(Thing):
    """A port of the host itself that the outside may ask for, by both address families."""

    positional: ClassVar[tuple[str, ...]] = ("port", "proto")

    port: Annotated[Port, Impact.live] = Field(description="port of the host")
    proto: Annotated[Literal["tcp", "udp"], Impact.live] = Field("tcp", description="protocol")
    sources: Annotated[Many[Network], Impact.live] = Field(
        (), description="who may ask, as networks or addresses; everybody when it is empty"
    )

    if TYPE_CHECKING:

        def __init__(self, port: int, proto: Literal["tcp", "udp"] = "tcp", *, sources: Iterable[str] = ()) -> None: ...


class Client(Thing):
    """Another container that uses a port of the one that says so: what a part knows of those it serves."""

    positional: ClassVar[tuple[str, ...]] = ("container", "port")

    container: Annotated[Name, Impact.live] = Field(description="name of the other container")
    port: Annotated[Port, Impact.live] = Field(description="port of the one that says so")

    if TYPE_CHECKING:

        def __init__(self, container: str, port: int) -> None: ...


class Uplink(Thing):
    """The interface by which a host reaches the world. Described, not configured."""

    positional: ClassVar[tuple[str, ...]] = ("interface", "address", "address6")

    interface: Annotated[Interface, Impact.live] = Field(description="name of the interface")
    address: Annotated[Network4, Impact.live] = Field(description="public IPv4 address with prefix length")
    address6: Annotated[Network6 | None, Impact.live] = Field(
        None, description="public IPv6 address with prefix length"
    )
    gateway: Annotated[Address4 | None, Impact.live] = Field(None, description="IPv4 gateway")
    gateway6: Annotated[Address6 | None, Impact.live] = Field(None, description="IPv6 gateway")
    pool6: Annotated[Network | None, Impact.live] = Field(
        None, description="IPv6 network that pools draw addresses from; None is the upper half of the prefix"
    )
    prefix6: Annotated[Literal["routed", "on-link"] | None, Impact.live] = Field(
        None, description="how the IPv6 prefix is given by the provider; None finds it out"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            interface: str,
            address: str,
            address6: str | None = None,
            *,
            gateway: str | None = None,
            gateway6: str | None = None,
            pool6: str | None = None,
            prefix6: Literal["routed", "on-link"] | None = None,
        ) -> None: ...

    @property
    def network6(self) -> ipaddress.IPv6Network | None:
        """The prefix that the host has of its provider."""
        return ipaddress.IPv6Interface(self.address6).network if self.address6 else None

    @property
    def range6(self) -> ipaddress.IPv6Network | None:
        """The network that pools draw from; None where there is none."""
        if self.pool6:
            network = ipaddress.ip_network(self.pool6)
            return network if isinstance(network, ipaddress.IPv6Network) else None
        prefix = self.network6
        return [*prefix.subnets(1)][1] if prefix and prefix.prefixlen < 128 else None


class Bridge(Thing):
    """The network of the containers of a host."""

    positional: ClassVar[tuple[str, ...]] = ("name", "address", "address6")

    name: Annotated[Interface, Impact.restart] = Field(description="name of the bridge")
    address: Annotated[Network4, Impact.restart] = Field(
        description="the host's IPv4 address in it, with prefix length"
    )
    address6: Annotated[Network6 | None, Impact.restart] = Field(
        None, description="the host's IPv6 address in it, with prefix length; containers get theirs from it"
    )

    if TYPE_CHECKING:

        def __init__(self, name: str, address: str, address6: str | None = None) -> None: ...

    @property
    def network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Interface(self.address).network

    @property
    def network6(self) -> ipaddress.IPv6Network | None:
        return ipaddress.IPv6Interface(self.address6).network if self.address6 else None
