"""Containers, hosts and the fleet."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator, Field

from eyas.core.words import Impact
from eyas.model.answers import Backend
from eyas.model.base import MARK, Thing, Unknown
from eyas.model.egress import Egress
from eyas.model.files import Environment, File, Files, Link, Unit, Units, User
from eyas.model.images import Image
from eyas.model.pieces import Bind, Grant, Probe, System
from eyas.model.values import (
    Address4,
    Address6,
    Bytes,
    Count,
    Made,
    Many,
    Name,
    Package,
    Patience,
    Processors,
    Seconds,
    Weight,
    Words,
    refuse,
    several,
)
from eyas.model.wiring import Bridge, Forward, Open, Partners, Uplink

FIRST_UID = 65536 * 8192
"""User ids of containers start here; each container has 65536, by its place in the network."""


class Root(Thing):
    """The writable layer over a container's image: discarded at every stop."""

    size: Annotated[Bytes, Impact.restart] = Field(2 << 30, description="cap; a full root gets 'no space', nobody else")
    backing: Annotated[Literal["ram", "disk"], Impact.restart] = Field(
        "ram", description="where it is kept; what is written in RAM counts as memory of the container"
    )

    if TYPE_CHECKING:

        def __init__(self, *, size: str | int = "2G", backing: Literal["ram", "disk"] = "ram") -> None: ...


class Limits(Thing):
    """What a container can use at most; None is no limit. systemd.resource-control(5)."""

    memory: Annotated[Bytes | None, Impact.live] = Field(None, description="beyond this, the largest process is killed")
    memory_high: Annotated[Bytes | None, Impact.live] = Field(None, description="beyond this, it is slowed down")
    cpus: Annotated[Processors | None, Impact.live] = Field(None, description="processors; 0.5 is half of one")
    cpu_weight: Annotated[Weight | None, Impact.live] = Field(
        None, description="share when processors are short, 100 is usual"
    )
    io_weight: Annotated[Weight | None, Impact.live] = Field(
        None, description="share when disks are short, 100 is usual"
    )
    tasks: Annotated[Count | None, Impact.live] = Field(None, description="processes and threads")

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            memory: str | int | None = None,
            memory_high: str | int | None = None,
            cpus: float | None = None,
            cpu_weight: int | None = None,
            io_weight: int | None = None,
            tasks: int | None = None,
        ) -> None: ...

    @property
    def cpu_quota(self) -> int | None:
        """Per cent of one processor: ``cpus=2`` is 200."""
        return None if self.cpus is None else max(1, round(self.cpus * 100))


def _edges(value: object) -> object:
    """Containers or their names, as names."""
    value = several([value] if isinstance(value, Container) else value)
    if not isinstance(value, tuple):
        return value
    names = [item.name if isinstance(item, Container | Unknown) else item for item in value]
    for name in names:
        if not isinstance(name, str):
            refuse("it takes containers or their names")
    return tuple(dict.fromkeys(name for name in names if name and MARK not in str(name)))


def _parts(value: object) -> object:
    """Parts; a function that returns one may stand for it."""
    value = several([value] if isinstance(value, System) else value)
    if not isinstance(value, tuple):
        return value
    made = [item() if callable(item) and not isinstance(item, type | Unknown) else item for item in value]
    return tuple(item for item in made if not isinstance(item, Unknown))


def _limits(value: object) -> object:
    return Limits() if value is None else value


def _ipv6(value: object) -> object:
    from eyas.model.values import ipv6

    return refuse("allowed is an IPv6 address, False for none, None for automatic") if value is True else ipv6(value)


Edges: TypeAlias = Annotated[tuple[Name, ...], BeforeValidator(_edges), Words("a list of containers or their names")]
Parts: TypeAlias = Annotated[tuple[Made[System], ...], BeforeValidator(_parts), Words("a list of parts (System)")]


class Container(Thing):
    """A systemd-nspawn machine: an image, parts that make it do something, and its place on the host."""

    positional: ClassVar[tuple[str, ...]] = ("name", "address", "image")

    name: Annotated[Name, Impact.replace] = Field(description="name of the machine; a new name is another container")
    address: Annotated[Address4, Impact.restart] = Field(description="IPv4 address in the bridge's network")
    image: Annotated[Made[Image], Impact.restart] = Field(description="what its root is made of")
    parts: Annotated[Parts, Impact.restart] = Field(
        (), description="what it does; the cost is that of the fields of the part that change"
    )
    ipv6: Annotated[Address6 | Literal[False] | None, BeforeValidator(_ipv6), Impact.restart] = Field(
        None, description="IPv6 address; None is one made of the bridge's network and the IPv4 address; False is none"
    )
    binds: Annotated[Many[Made[Bind]], Impact.live] = Field((), description="host paths shown in it")
    limits: Annotated[Made[Limits], BeforeValidator(_limits), Impact.live] = Field(
        default_factory=Limits, description="what it can use at most"
    )
    root: Annotated[Made[Root], Impact.restart] = Field(default_factory=Root, description="its writable layer")
    forwards: Annotated[Many[Made[Forward]], Impact.live] = Field((), description="ports of the host that lead to it")
    uses: Annotated[Partners, Impact.live] = Field(
        (), description="containers, or ports of them, that it may talk to; beside the world and what its parts say"
    )
    untrusted: Annotated[bool, Impact.live] = Field(
        False, description="it may talk to the world only: to no other container, and not to the host"
    )
    egress: Annotated[Many[Made[Egress]], Impact.live] = Field(
        (), description="how its connections to the world leave the host, where that is not the usual way"
    )
    grants: Annotated[Many[Grant], Impact.restart] = Field((), description="what it needs beyond the default")
    after: Annotated[Edges, Impact.live] = Field((), description="it starts when these are ready")
    needs: Annotated[Edges, Impact.live] = Field((), description="as after; it also starts them, and stops with them")
    restart_with: Annotated[Edges, Impact.live] = Field((), description="as after; it also restarts when these do")
    probes: Annotated[Many[Made[Probe]], Impact.live] = Field((), description="how we know that it works")
    users: Annotated[Many[Made[User]], Impact.live] = Field((), description="users in it")
    packages: Annotated[Many[Package], Impact.restart] = Field((), description="Debian packages beyond image and parts")
    files: Annotated[Files, Impact.live] = Field(
        default_factory=dict, description="files by path; text means File(text). See File for units that follow"
    )
    units: Annotated[Units, Impact.restart_unit] = Field(
        default_factory=dict, description="systemd units by name; text means Unit(text)"
    )
    environment: Annotated[Environment, Impact.restart_unit] = Field(
        default_factory=dict, description="variables of services, by service; nothing secret, for anybody can read them"
    )
    stop_timeout: Annotated[Seconds, Impact.live] = Field(10, description="how long a clean stop may take")
    start_timeout: Annotated[Seconds, Impact.live] = Field(120, description="how long it may take to be up")
    hold: Annotated[Patience, Impact.live] = Field(
        30, description="how long new connections may wait while it restarts; 0 lets none wait"
    )
    drain: Annotated[Patience, Impact.live] = Field(
        10, description="how long requests under way may go on before it stops"
    )
    settle: Annotated[Patience, Impact.live] = Field(
        2, description="how long it has to stay healthy after a restart before the next step"
    )
    stateless: Annotated[bool, Impact.restart] = Field(
        False,
        description="it can run twice: instead of being restarted, it is replaced by another that starts beside it",
    )
    autostart: Annotated[bool, Impact.live] = Field(True, description="start it at boot")
    description: Annotated[str, Impact.live] = Field("", description="what it is for, in listings")

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            address: str,
            image: Image,
            *,
            parts: Iterable[Any] = (),
            ipv6: str | Literal[False] | None = None,
            binds: Iterable[Bind] = (),
            limits: Limits | None = ...,
            root: Root = ...,
            forwards: Iterable[Forward] = (),
            uses: Iterable[Container | Backend | str] = (),
            untrusted: bool = False,
            egress: Iterable[Egress] = (),
            grants: Iterable[str] = (),
            after: Iterable[Container | str] = (),
            needs: Iterable[Container | str] = (),
            restart_with: Iterable[Container | str] = (),
            probes: Iterable[Probe] = (),
            users: Iterable[User] = (),
            packages: Iterable[str] = (),
            files: Mapping[str, str | bytes | File | Link] = ...,
            units: Mapping[str, str | Unit] = ...,
            environment: Mapping[str, Mapping[str, str | float]] = ...,
            stop_timeout: str | int = 10,
            start_timeout: str | int = 120,
            hold: str | int = 30,
            drain: str | int = 10,
            settle: str | int = 2,
            stateless: bool = False,
            autostart: bool = True,
            description: str = "",
        ) -> None: ...

    @property
    def spot(self) -> str:
        return self.statement

    def port(self, port: int) -> Backend:
        """A port of this container, for others to refer to."""
        return Backend(self.name, port, address=self.address, hold=self.hold)

    @property
    def edges(self) -> tuple[str, ...]:
        """Everything that it starts after."""
        return tuple(dict.fromkeys((*self.after, *self.needs, *self.restart_with)))


class Place(NamedTuple):
    """Where a container is in the network of its host; addresses with prefix length, gateways without."""

    address4: str
    gateway4: str
    address6: str | None
    gateway6: str | None
    uid_base: int


class Host(Thing):
    """A server, or a virtual one in a lab."""

    positional: ClassVar[tuple[str, ...]] = ("name", "uplink", "bridge", "containers")

    name: Annotated[Name, Impact.none] = Field(description="name of the host")
    uplink: Annotated[Made[Uplink], Impact.live] = Field(description="interface to the world")
    bridge: Annotated[Made[Bridge], Impact.restart] = Field(description="network of the containers")
    containers: Annotated[Many[Made[Container]], Impact.replace] = Field((), description="what runs on it")
    open: Annotated[Many[Made[Open]], Impact.live] = Field(
        (), description="ports of the host itself that the outside may ask for, such as that of SSH"
    )
    sysctls: Annotated[dict[str, str | int], Impact.live] = Field(default_factory=dict, description="kernel settings")
    packages: Annotated[Many[Package], Impact.live] = Field((), description="Debian packages of the host")
    files: Annotated[Files, Impact.live] = Field(
        default_factory=dict, description="files of the host by path; text means File(text)"
    )
    users: Annotated[Many[Made[User]], Impact.live] = Field((), description="users of the host")
    units: Annotated[Units, Impact.restart_unit] = Field(
        default_factory=dict, description="systemd units of the host; text means Unit(text)"
    )
    memory: Annotated[Bytes | None, Impact.none] = Field(
        None, description="how much it has; what its containers may hold at most is checked against it"
    )
    vantage: Annotated[Many[str], Impact.live] = Field(
        (), description="program and arguments on the host that ask for its ports from outside; see EGRESS"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            uplink: Uplink,
            bridge: Bridge,
            containers: Iterable[Container] = (),
            *,
            open: Iterable[Open] = (),
            sysctls: Mapping[str, str | int] = ...,
            packages: Iterable[str] = (),
            files: Mapping[str, str | bytes | File | Link] = ...,
            users: Iterable[User] = (),
            units: Mapping[str, str | Unit] = ...,
            memory: str | int | None = None,
            vantage: Iterable[str] = (),
        ) -> None: ...

    @property
    def spot(self) -> str:
        return self.statement

    def container(self, name: str) -> Container | None:
        """The container of this name, None when there is none."""
        return next((c for c in self.containers if c.name == name), None)

    def without(self, *names: str) -> Host:
        """The same host without these containers."""
        return self.with_(containers=tuple(c for c in self.containers if c.name not in names))

    def place(self, container: Container) -> Place:
        """Addresses and user ids of a container of this host, made from the bridge."""
        network, network6 = self.bridge.network, self.bridge.network6
        number = int(ipaddress.IPv4Address(container.address)) - int(network.network_address)
        address6 = _address6(container, number, network6) if network6 else None
        return Place(
            address4=f"{container.address}/{network.prefixlen}",
            gateway4=self.bridge.address.partition("/")[0],
            address6=f"{address6}/{network6.prefixlen}" if network6 and address6 else None,
            gateway6=str(self.bridge.address6).partition("/")[0] if address6 else None,
            uid_base=FIRST_UID + 65536 * number,
        )


def _address6(container: Container, number: int, network: ipaddress.IPv6Network) -> str | None:
    """The one that is asked for, or the bridge's network with the host part of the IPv4 address as it reads:
    10.0.5.50 in 10.0.5.0/24 becomes fd00:5::50."""
    if container.ipv6 is not None:
        return container.ipv6 or None
    digits = ".".join(str(byte) for byte in number.to_bytes(4, "big")).lstrip("0.")
    suffix = 0
    for group in digits.split("."):
        suffix = suffix << 16 | int(group or "0", 16)
    return str(network.network_address + suffix)


class Fleet(Thing):
    """All servers. ``fleet.py`` ends with ``fleet = Fleet(...)``."""

    variadic: ClassVar[str] = "hosts"

    hosts: Annotated[Many[Made[Host]], Impact.none] = Field((), description="the servers")

    if TYPE_CHECKING:

        def __init__(self, *hosts: Host) -> None: ...

    def host(self, name: str) -> Host | None:
        """The host of this name, None when there is none."""
        return next((h for h in self.hosts if h.name == name), None)
