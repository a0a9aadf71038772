"""How connections leave a container: by which of the host's addresses, to which destinations.

Egress("sources", to=["github.com"], via=Pool(64))
Egress("tor", user="anna", via="socks5://10.0.5.9:9050")
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from eyas.core.words import Impact
from eyas.model.base import Thing
from eyas.model.values import Count, Many, Name, Seconds, Words, refuse

MOST = 4096
"""Addresses of one pool: all of them are written into the rules at each change."""
TICK = 10
"""Seconds from one look at a pool to the next: nothing shorter could be kept."""
LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
PROXIES = {"socks5": "socks5", "http": "http-connect"}
"""Scheme of a proxy's URL, and how it is spoken to."""


def _size(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and not 1 <= value <= MOST:
        why = (
            f"a pool has {MOST} addresses at most: all of them are loaded anew at each change, and a refusal costs one"
        )
        return refuse(why if value > MOST else "a pool has an address at least", "64 is plenty for a builder")
    return value


def _kept(value: object) -> object:
    """A duration that the host can keep."""
    from eyas.model.values import duration

    seconds = duration(value)
    if isinstance(seconds, int) and seconds < TICK:
        return refuse(f"it is looked at every {TICK} seconds: less cannot be kept", f'write "{TICK}s" or more')
    return seconds


Kept: TypeAlias = Annotated[int, BeforeValidator(_kept), Words(f"a duration ({TICK} seconds at least)")]


class Pool(Thing):
    """Addresses of the host's IPv6 prefix, drawn at random, that connections leave from; each rule has its own."""

    positional: ClassVar[tuple[str, ...]] = ("size",)

    size: Annotated[int, BeforeValidator(_size), Words(f"a number of addresses (1 to {MOST})"), Impact.live] = Field(
        16, description="how many are in use at one time"
    )
    life: Annotated[Kept, Impact.live] = Field(3600, description="after this, an address is replaced by another")
    uses: Annotated[Count | None, Impact.live] = Field(
        None, description="after about so many connections, too; looked at every 10 seconds"
    )
    per: Annotated[Literal["connection", "destination", "sticky"], Impact.live] = Field(
        "connection",
        description="what gets an address: each connection, each destination, or each destination for a while",
    )
    sticky: Annotated[Kept, Impact.live] = Field(600, description='how long a while is, with `per="sticky"`')
    rest: Annotated[Seconds, Impact.live] = Field(
        3600, description="how long an address that a destination refused is not used for it; doubled each time"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            size: int = 16,
            *,
            life: str | int = 3600,
            uses: int | None = None,
            per: Literal["connection", "destination", "sticky"] = "connection",
            sticky: str | int = 600,
            rest: str | int = 3600,
        ) -> None: ...


class Proxy(NamedTuple):
    """Where a proxy is: ``host`` is an address, or the name of a container."""

    kind: str
    host: str
    port: int


def proxy(url: str) -> Proxy | None:
    """The proxy of a URL, None when it is none that we know."""
    match = re.fullmatch(r"([a-z0-9]+)://(\[[0-9a-fA-F:]+\]|[^\s/:@\[\]]+):(\d{1,5})/?", url)
    if match is None or match[1] not in PROXIES or not 1 <= int(match[3]) <= 65535:
        return None
    return Proxy(PROXIES[match[1]], match[2].strip("[]"), int(match[3]))


def _proxy(url: str) -> object:
    scheme, _, rest = url.partition("://")
    if "@" in rest:
        return refuse("a proxy with a password would have it in the definitions", "let it know who asks by the address")
    if scheme not in PROXIES:
        hint = f'write "{next(iter(PROXIES))}://{rest or "10.0.5.9:1080"}"'
        return refuse(f"a proxy is spoken to by {' or '.join(PROXIES)}, not by {scheme}", hint)
    if proxy(url) is None:
        return refuse("a proxy has an address or the name of a container, and a port", f'write "{scheme}://tor:1080"')
    return url.rstrip("/")


def _via(value: object) -> object:
    if isinstance(value, Pool) or value == "default":
        return value
    if isinstance(value, str) and "://" in value:
        return _proxy(value)
    if isinstance(value, str):
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            pass
    return refuse(
        'it is no way out: allowed is a Pool, "default", an address of the host, or the URL of a proxy',
        "write via=Pool(64)" if isinstance(value, int) else "",
    )


def _destination(value: object) -> object:
    """A name of DNS, or a network in its canonical form."""
    if not isinstance(value, str):
        return value
    if "://" in value:
        host = value.partition("://")[2].partition("/")[0]
        return refuse("a destination is a name or a network, not a URL", f'write "{host}"' if host else "")
    if "*" in value:
        why = "a name with a wildcard cannot be looked up: nobody tells which names there are below it"
        return refuse(why, "name each one, or give the network that they are in")
    if re.fullmatch(r"[0-9.]+(/.*)?|[0-9a-fA-F:.]*:.*", value):
        return _network(value)
    name = value.lower().rstrip(".")
    if name != value:
        return refuse("a destination is named in lower case, without a dot at the end", f'write "{name}"')
    if len(name) > 253 or not re.fullmatch(rf"{LABEL}(\.{LABEL})+", name):
        return refuse("it is no name of DNS, and no network", 'write it like "github.com" or "2001:db8::/32"')
    return name


def _network(value: str) -> object:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        try:
            inner = str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            return refuse("it is no network or address", 'write it like "192.0.2.0/24", "2001:db8::/32" or "192.0.2.7"')
        return refuse("it is an address within a network, not the network", f'write "{inner}"')
    if network.prefixlen and (network.is_loopback or network.is_link_local or network.is_multicast):
        return refuse("nothing that is sent there leaves the host by its uplink")
    return str(network)


def _service(value: object) -> object:
    """``"443/tcp"`` of 443; ``"53/udp"`` as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value}/tcp"
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d{1,5})(?:/(tcp|udp))?", value)
    if match is None or not 1 <= int(match[1]) <= 65535:
        return refuse("a port is between 1 and 65535, with /udp where it is not TCP", 'write 443 or "53/udp"')
    return f"{int(match[1])}/{match[2] or 'tcp'}"


def _process(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"([A-Za-z0-9:_.\\@-]{1,246}\.service)?", value):
        return refuse("connections are told apart by users and services", f'write "{value.partition(".")[0]}.service"')
    return value


def _user(value: object) -> object:
    from eyas.model.values import user_name

    return user_name(value) if value else value


Via: TypeAlias = Annotated[
    Any, BeforeValidator(_via), Words('a Pool, "default", an address of the host, or the URL of a proxy')
]
Destination: TypeAlias = Annotated[
    str, BeforeValidator(_destination), Words("a name or a network", "names and networks")
]
Service: TypeAlias = Annotated[str, BeforeValidator(_service), Words('a port, or text such as "53/udp"', "ports")]


class Egress(Thing):
    """How connections of a container to some destinations leave the host. The first rule that fits counts."""

    positional: ClassVar[tuple[str, ...]] = ("name",)

    name: Annotated[Name, Impact.live] = Field(description="what it is called, for `eyas egress` and logs")
    to: Annotated[Many[Destination], Impact.live] = Field(
        (), description="destinations by name, looked up again and again, or by network; everything when it is empty"
    )
    ports: Annotated[Many[Service], Impact.live] = Field(
        (), description='ports, of TCP unless it says `"53/udp"`; all when it is empty'
    )
    via: Annotated[Via, Impact.live] = Field(
        default_factory=Pool, description="a pool, the usual way, one address of the host, or a proxy"
    )
    user: Annotated[str, BeforeValidator(_user), Words("the name of a user"), Impact.live] = Field(
        "", description="only connections of this user of the container", validate_default=False
    )
    unit: Annotated[str, BeforeValidator(_process), Words("the name of a service"), Impact.live] = Field(
        "", description="only connections of this service in the container", validate_default=False
    )
    ipv4: Annotated[Literal["allowed", "refused"], Impact.live] = Field(
        "allowed",
        description="refused: connections by IPv4 to names that have IPv6 too are reset, so that programs take IPv6",
    )
    ceiling: Annotated[Count | None, Impact.live] = Field(
        None, description="new connections an hour, to each destination, that cannot be exceeded"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            *,
            to: Iterable[str] = (),
            ports: Iterable[int | str] = (),
            via: Pool | str = ...,
            user: str = "",
            unit: str = "",
            ipv4: Literal["allowed", "refused"] = "allowed",
            ceiling: int | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _whole(self) -> Egress:
        if self.user and self.unit:
            refuse("a connection is known by its user or by its unit, not by both", "make two rules")
        if self.proxy and any(port.endswith("/udp") for port in self.ports):
            refuse("a proxy takes TCP only", "leave the ports of UDP to another rule")
        return self

    @property
    def pool(self) -> Pool | None:
        return self.via if isinstance(self.via, Pool) else None

    @property
    def proxy(self) -> Proxy | None:
        return proxy(self.via) if isinstance(self.via, str) and "://" in self.via else None

    @property
    def address(self) -> str:
        """The one address of the host that it leaves from; '' for every other way."""
        return self.via if isinstance(self.via, str) and self.via != "default" and "://" not in self.via else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The destinations that have to be looked up."""
        return tuple(item for item in self.to if "/" not in item)

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(item for item in self.to if "/" in item)
