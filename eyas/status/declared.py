"""What a host's definitions say about names, ports and who talks to whom, as one flat value to cross with what is seen.

Pure, and JSON on both sides: a command that needs no definitions otherwise reads it from what was kept of them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eyas.core.words import Json
from eyas.model import Backend, Container, Host, Link, System, merged
from eyas.model.base import Thing
from eyas.model.reach import uses

HTTPS = 443


@dataclass(frozen=True)
class Way:
    """A port of the host that leads to a container (`Forward`), or that the host itself has open (`Open`), with
    ``container`` '' then."""

    proto: str
    port: int
    container: str = ""
    to: int = 0
    reflect: bool = True
    sources: tuple[str, ...] = ()
    origin: str = ""

    @property
    def label(self) -> str:
        return f"{self.port}/{self.proto}"


@dataclass(frozen=True)
class Served:
    """A site. ``ports`` are those with TLS; ``to`` is who answers its root, as (container, port, whether by TLS), None
    for files, redirects and the like; ``backends`` all that it leads to. ``public``: not for a tunnel only.
    ``logged``: requests are in the front's access log. ``guarded``: not everybody gets what the backend says."""

    name: str
    names: tuple[str, ...]
    front: str
    ports: tuple[int, ...] = (HTTPS,)
    to: tuple[str, int, bool] | None = None
    backends: tuple[tuple[str, int], ...] = ()
    public: bool = True
    logged: bool = True
    guarded: bool = False
    origin: str = ""


@dataclass(frozen=True)
class Use:
    """A container that talks to another one, on a port (0: on any)."""

    by: str
    container: str
    port: int
    origin: str = ""


@dataclass(frozen=True)
class Home:
    """A container: its addresses, what it is known to listen on by its probes, the units that definitions name."""

    name: str
    address4: str
    address6: str
    origin: str
    untrusted: bool = False
    docker: bool = False
    ports: tuple[int, ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Typed:
    """An address of the containers' network that somebody typed into a file of a container."""

    container: str
    path: str
    address: str
    origin: str


@dataclass(frozen=True)
class Declared:
    """Everything of one host."""

    host: str
    origin: str
    public: tuple[str, ...]
    networks: tuple[str, ...]
    gateways: tuple[str, ...]
    homes: tuple[Home, ...] = ()
    ways: tuple[Way, ...] = ()
    sites: tuple[Served, ...] = ()
    uses: tuple[Use, ...] = ()
    typed: tuple[Typed, ...] = ()

    @property
    def home(self) -> dict[str, Home]:
        return {home.name: home for home in self.homes}

    @property
    def fronts(self) -> tuple[str, ...]:
        """Containers that serve sites to the world."""
        return tuple(dict.fromkeys(site.front for site in self.sites))

    @property
    def forwards(self) -> tuple[Way, ...]:
        return tuple(way for way in self.ways if way.container)

    @property
    def opens(self) -> tuple[Way, ...]:
        return tuple(way for way in self.ways if not way.container)

    def owner(self, address: str) -> str:
        """The container that has an address, '' for nobody."""
        return next((home.name for home in self.homes if address in (home.address4, home.address6)), "")

    def inner(self, address: str) -> bool:
        """Whether an address is of the containers' network (and not the host's own there)."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        inside = any(found in ipaddress.ip_network(network) for network in self.networks)
        return inside and address not in self.gateways

    def to_json(self) -> dict[str, Json]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Declared:
        """Raises KeyError, TypeError or ValueError for anything else."""
        rows: dict[str, type] = {"homes": Home, "ways": Way, "sites": Served, "uses": Use, "typed": Typed}
        values = {key: _tuple(value) for key, value in data.items() if key not in rows}
        values |= {
            key: tuple(kind(**{name: _tuple(value) for name, value in row.items()}) for row in data[key])
            for key, kind in rows.items()
        }
        return cls(**values)


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def declared(host: Host) -> Declared:
    """What the definitions of a host say."""
    uplink, bridge = host.uplink, host.bridge
    systems = {container.name: merged(container) for container in host.containers}
    inner = [str(address) for address in (bridge.address, bridge.address6) if address]
    networks = tuple(str(ipaddress.ip_interface(address).network) for address in inner)
    whole = Declared(
        host.name,
        host.origin,
        tuple(str(address).split("/", 1)[0] for address in (uplink.address, uplink.address6) if address),
        networks,
        tuple(address.split("/", 1)[0] for address in inner),
        homes=tuple(_home(host, container, systems[container.name]) for container in host.containers),
        ways=tuple(_ways(host)),
        sites=tuple(site for container in host.containers for site in _sites(container, systems[container.name])),
        uses=tuple(Use(use.client, use.server, use.port or 0, use.origin) for use in uses(host)),
    )
    found = (t for c in host.containers for t in typed(c, systems[c.name], whole))
    return Declared(**{**vars(whole), "typed": tuple(found)})


def _home(host: Host, container: Container, system: System) -> Home:
    place = host.place(container)
    hooks = {
        unit for file in system.files.values() if not isinstance(file, Link) for unit in (*file.reload, *file.restart)
    }
    return Home(
        container.name,
        place.address4.split("/", 1)[0],
        place.address6.split("/", 1)[0] if place.address6 else "",
        container.statement or container.origin,  # a function of the user's own may make several
        container.untrusted,
        "docker" in system.grants,
        tuple(sorted({probe.port for probe in system.probes if probe.port})),
        tuple(sorted({*hooks, *system.units, *system.enable, *system.environment})),
    )


def line(thing: Thing) -> str:
    """The line that a thing stands in."""
    return thing.origin or thing.statement


def _ways(host: Host) -> Iterator[Way]:
    for container in host.containers:
        for forward in container.forwards:
            yield Way(
                forward.proto, forward.port, container.name, forward.target, forward.reflect, origin=line(forward)
            )
    for each in host.open:
        yield Way(each.proto, each.port, sources=tuple(each.sources), origin=line(each))


def _sites(container: Container, system: System) -> Iterator[Served]:
    for site in system.sites:
        root = next((place for place in site.places if place.match == "prefix" and place.path == "/"), None)
        to = getattr(root.answer, "to", None) if root is not None else None
        first = to if isinstance(to, Backend) else None
        yield Served(
            site.name,
            site.names,
            container.name,
            (HTTPS, *(port for port in site.tls_ports if port != HTTPS)),
            (first.container, first.port, bool(getattr(root.answer, "https", False))) if first and root else None,
            tuple((backend.container, backend.port) for backend in site.backends),
            site.listen == "public",
            site.access_log is not False and (root is None or root.access_log is not False),
            _guarded(site) or (root is not None and _guarded(root)),
            line(site),
        )


def _guarded(thing: Any) -> bool:
    """Whether not everybody gets an answer of the backend."""
    return bool(thing.allow or thing.deny or thing.login or thing.identity or getattr(thing, "client_ca", None))


def typed(container: Container, system: System, whole: Declared) -> Iterator[Typed]:
    """Addresses of containers in texts that people wrote for this one; references (``@{postgres.address}``) are none.
    Networks (``10.0.5.0/24``) are left alone: those are meant as they stand."""
    raw = {  # in raw lines of a site, that is the line to be mended
        address: line(place)
        for site in system.sites
        for place in (site, *site.places)
        for address in addresses(place.extra)
    }
    things = [*system.files.items(), *system.units.items()]
    for path, thing in things:
        text = thing.target if isinstance(thing, Link) else thing.content
        for address in addresses(text) if isinstance(text, str) else ():
            if whole.inner(address):
                yield Typed(container.name, path, address, raw.get(address) or line(thing))
    for unit, variables in system.environment.items():
        for key, value in variables.items():
            for address in addresses(value):
                if whole.inner(address):
                    yield Typed(container.name, f"{key} of {unit}", address, line(container))


TOKEN = re.compile(r"(?<![\w.:])[0-9A-Fa-f:]*[.:][0-9A-Fa-f:.]*[0-9A-Fa-f]+(?:/\d+)?(?!\w)")


def addresses(text: str) -> list[str]:
    """Addresses in a text, each once; with a prefix length only where it says that one address is meant."""
    found: dict[str, None] = {}
    for line_ in text.splitlines():
        if line_.lstrip().startswith(("#", "//", ";")):
            continue
        for token in TOKEN.findall(line_):
            word, _, length = token.partition("/")
            if word.count(".") == 3:  # an IPv4 address, perhaps with a port behind it
                word = word.partition(":")[0]
            if length and length != ("128" if ":" in word else "32"):
                continue
            try:
                found.setdefault(str(ipaddress.ip_address(word)))
            except ValueError:
                continue
    return [*found]
