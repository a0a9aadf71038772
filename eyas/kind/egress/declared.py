"""What definitions say about outgoing connections, as typed values out of the resource's JSON. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from eyas.core.words import Fields, Json


@dataclass(frozen=True)
class Pool:
    """How many addresses, and when one is replaced: after ``life`` seconds, after ``uses`` connections (0: never), or
    when a destination refuses it, at which it rests for ``rest`` seconds then, and twice as long each further time.

    ``per``: connection (each leaves from any of them), destination (all that go to one address leave from the same),
    sticky (the same, for ``sticky`` seconds).
    """

    size: int
    life: int
    uses: int
    per: str
    sticky: int
    rest: int


@dataclass(frozen=True)
class Rule:
    """Connections of one container (``sources``, of each family) to some destinations (all, when neither names nor
    networks are said), and how they leave."""

    name: str
    container: str
    sources4: tuple[str, ...]
    sources6: tuple[str, ...]
    names: tuple[str, ...]
    networks: tuple[str, ...]
    ports: tuple[tuple[str, int], ...]
    via: str  # default, address, pool, proxy
    address4: str
    address6: str
    pool: Pool | None
    ipv4: str  # allowed, refused (to destinations that have IPv6 too)
    ceiling: int  # new connections an hour to each destination; 0 is none
    relay: int = 0  # port of the host that leads to a proxy; 0 is none
    mark: int = 0  # DSCP by which the container's own rules tell a user or a unit apart; 0 is everybody

    @property
    def everywhere(self) -> bool:
        return not self.names and not self.networks

    def networks_of(self, family: int) -> tuple[str, ...]:
        return tuple(network for network in self.networks if (":" in network) is (family == 6))

    def sources(self, family: int) -> tuple[str, ...]:
        return self.sources4 if family == 4 else self.sources6


@dataclass(frozen=True)
class Declared:
    """All of a host."""

    uplink: str
    address6: str
    prefix6: str
    gateway6: str
    range: str
    mode: str  # find, routed, on-link
    never: tuple[str, ...]
    inbound: tuple[tuple[str, int], ...]
    vantage: tuple[str, ...]
    resolver: str
    rules: tuple[Rule, ...]

    @property
    def pools(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.pool is not None)

    @property
    def containers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.container for rule in self.rules))

    @property
    def network(self) -> ipaddress.IPv6Network | None:
        return ipaddress.IPv6Network(self.range) if self.range else None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.names))

    def rule(self, name: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)


def declared(fields: Fields) -> Declared:
    """Of the fields of ``egress:eyas``. ValueError or KeyError when they are those of another version."""
    return Declared(
        uplink=str(fields["uplink"]),
        address6=str(fields["address6"]),
        prefix6=str(fields["prefix6"]),
        gateway6=str(fields["gateway6"]),
        range=str(fields["range"]),
        mode=str(fields["mode"]),
        never=_words(fields["never"]),
        inbound=tuple((str(row[0]), _number(row[1])) for row in _lists(fields["inbound"])),
        vantage=_words(fields["vantage"]),
        resolver=str(fields.get("resolver", "")),
        rules=tuple(_rule(row) for row in _tables(fields["rules"])),
    )


def _rule(row: Mapping[str, Json]) -> Rule:
    pool = row["pool"]
    return Rule(
        name=str(row["name"]),
        container=str(row["container"]),
        sources4=_words(row["sources4"]),
        sources6=_words(row["sources6"]),
        names=_words(row["names"]),
        networks=_words(row["networks"]),
        ports=tuple((str(port[0]), _number(port[1])) for port in _lists(row["ports"])),
        via=str(row["via"]),
        address4=str(row["address4"]),
        address6=str(row["address6"]),
        pool=_pool(pool) if isinstance(pool, dict) and pool else None,
        ipv4=str(row["ipv4"]),
        ceiling=_number(row["ceiling"]),
        relay=_number(proxy.get("local", 0)) if isinstance(proxy := row.get("proxy"), dict) else 0,
        mark=_number(row.get("mark", 0)),
    )


def _pool(row: Mapping[str, Json]) -> Pool:
    size, life, uses, sticky, rest = (_number(row[key]) for key in ("size", "life", "uses", "sticky", "rest"))
    return Pool(size, life, uses, str(row["per"]), sticky, rest)


def _number(value: Json) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _words(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _lists(value: Json) -> list[list[Json]]:
    return [item for item in value if isinstance(item, list)] if isinstance(value, list) else []


def _tables(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
