"""Ports: what is declared, crossed with who listens. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from eyas.core.words import Json
from eyas.status.declared import HTTPS, Declared, Home, Served, Way
from eyas.status.findings import Finding, distinct

VERSION = 1
HOST = "host"
EPHEMERAL = 32768  # UDP ports that the kernel gives to clients begin here (ip_local_port_range, ip(7))
PLAIN = 80
LOOPBACK = "127.0.0.1"
Key: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class Listener:
    """Who listens on a port: a process and its unit, on which addresses."""

    process: str = ""
    unit: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        named = self.unit.removesuffix(".service") or self.process
        return named or "somebody"

    @property
    def hidden(self) -> bool:
        """Whether only its own container (or host) can reach it."""
        return all(_loopback(address) for address in self.addresses)

    @property
    def only4(self) -> bool:
        return all(":" not in address for address in self.addresses)


@dataclass(frozen=True)
class Port:
    """One port of a container or of the host. ``ways`` are ports of the host that lead to it, ``uses`` who is declared
    to use it otherwise; ``wrong`` is what does not fit."""

    place: str
    proto: str
    port: int
    listener: Listener | None
    ways: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    wrong: str = ""

    def to_json(self) -> dict[str, Json]:
        who = self.listener
        return {
            "place": self.place,
            "proto": self.proto,
            "port": self.port,
            "listener": {"process": who.process, "unit": who.unit, "addresses": [*who.addresses]} if who else None,
            "forwards": [*self.ways],
            "uses": [*self.uses],
            "wrong": self.wrong,
        }


@dataclass(frozen=True)
class Seen:
    """Who listens where. ``answering`` are ports of containers that were asked and accepted a connection, also where
    no socket was seen (what Docker translates without a proxy), ``silent`` those that did not. ``closed``: the host
    refuses what it is not opened for; ``outside``: TCP ports of the host that answered a client outside, None where
    nobody asked."""

    host: Mapping[Key, Listener]
    containers: Mapping[str, Mapping[Key, Listener]]
    answering: frozenset[tuple[str, int]] = frozenset()
    silent: frozenset[tuple[str, int]] = frozenset()
    closed: bool = False
    outside: frozenset[int] | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any], **more: Any) -> Seen:
        """From what the agent said to ``sockets``."""
        return cls(
            listeners(answer.get("host") or ()),
            {name: listeners(rows) for name, rows in (answer.get("containers") or {}).items()},
            **more,
        )


@dataclass(frozen=True)
class Ports:
    """All ports of a host and its containers, and what does not fit."""

    host: str
    rows: tuple[Port, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "version": VERSION,
            "host": self.host,
            "ports": [row.to_json() for row in self.rows],
            "findings": [finding.to_json() for finding in self.findings],
        }


def listeners(rows: Iterable[Mapping[str, Any]]) -> dict[Key, Listener]:
    """Sockets by port; the workers and addresses of one server as one listener."""
    found: dict[Key, Listener] = {}
    for row in rows:
        key = str(row["proto"]), int(row["port"])
        before = found.get(key, Listener(str(row.get("process") or ""), str(row.get("unit") or "")))
        found[key] = Listener(
            before.process, before.unit, tuple(dict.fromkeys((*before.addresses, str(row["address"]))))
        )
    return found


def unseen(declared: Declared, seen: Seen) -> list[tuple[str, int]]:
    """(container, port) that forwards over TCP lead to, where no listener was seen although it runs: to be asked."""
    return sorted(
        {
            (way.container, way.to)
            for way in declared.forwards
            if way.proto == "tcp"
            and way.container in seen.containers
            and not seen.containers[way.container].get(("tcp", way.to))
        }
    )


def led_inside(declared: Declared, seen: Seen) -> list[tuple[str, int]]:
    """(container, port) of TCP listeners on addresses that the container has for itself alone, where something within
    leads some of its ports to (a front's generations): to be asked which."""
    found = set()
    for name, rows in seen.containers.items():
        home = declared.home.get(name)
        known = {"0.0.0.0", "::", home.address4, home.address6} if home else set()  # noqa: S104
        for (proto, port), who in rows.items():
            others = [address for address in who.addresses if not _loopback(address)]
            if home and proto == "tcp" and others and not known & set(others):
                found.add((name, port))
    return sorted(found)


def cross(declared: Declared, seen: Seen) -> Ports:
    """Everything that is declared or listens, as rows, with what does not fit."""
    containers = {
        name: {
            key: replace(who, addresses=(LOOPBACK,)) if key[0] == "tcp" and (name, key[1]) in seen.silent else who
            for key, who in rows.items()
        }
        for name, rows in seen.containers.items()
    }
    work = _Cross(declared, replace(seen, containers=containers))
    findings = distinct([*work.forwards(), *work.fronts(), *work.strangers(), *work.of_host()])
    return Ports(declared.host, tuple(work.rows()), findings)


@dataclass
class _Cross:
    declared: Declared
    seen: Seen
    wrong: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def say(self, place: str, proto: str, port: int, short: str, **more: Any) -> Finding:
        self.wrong.setdefault((place, proto, port), short)
        return Finding("port", place, key=("port", place, proto, str(port)), **more)

    def at(self, place: str, proto: str, port: int) -> Listener | None:
        found = self.seen.host if place == HOST else self.seen.containers.get(place, {})
        return found.get((proto, port))

    # ---- what is declared

    def forwards(self) -> Iterator[Finding]:
        for way in self.declared.ways:
            place = way.container or HOST
            if way.container and way.container not in self.seen.containers:
                continue  # that it does not run is said elsewhere
            port = way.to or way.port
            yield from self._lead(way, place, port, self.at(place, way.proto, port))

    def _lead(self, way: Way, place: str, port: int, who: Listener | None) -> Iterator[Finding]:
        called = f"port {way.label} of the host" if way.container else f"port {way.label} is open on the host"
        leads = f"{called} leads to port {port} of {place}" if way.container else called
        verb = f"Forward({way.port}{_proto(way)})" if way.container else f"Open({way.port}{_proto(way)})"
        if who is None:
            if (way.container, port) in self.seen.answering:
                return
            yield self.say(
                place, way.proto, port, "nobody listens",
                message=f"{leads}, where nobody listens" if way.container else f"{leads}, and nobody listens there",
                remedy=f"start what shall listen there, or take {verb} away",
                origin=way.origin,
                severity="error" if way.container else "warning",  # what runs on the host is not ours alone to say
            )  # fmt: skip
        elif who.hidden:
            yield self.say(
                place, way.proto, port, "loopback only",
                message=f"{leads}, where {who.who} listens on {', '.join(who.addresses)} only",
                remedy=f"let {who.who} listen on all addresses (0.0.0.0 and ::)",
                origin=way.origin,
            )  # fmt: skip
        elif way.container and who.only4 and self._by6(way.container):
            yield self.say(
                place, way.proto, port, "not over IPv6",
                message=f"{leads} over IPv6 as well, where {who.who} listens on IPv4 only",
                remedy=f"let {who.who} listen on :: as well, or give {place} ipv6=False",
                origin=way.origin,
                severity="warning",
            )  # fmt: skip

    def _by6(self, container: str) -> bool:
        """Whether clients can come to a container by IPv6."""
        return any(":" in address for address in self.declared.public) and bool(self.declared.home[container].address6)

    def fronts(self) -> Iterator[Finding]:
        """What a front serves, declared or listening, that no forward leads to: the federation port that was
        forgotten."""
        for front in self.declared.fronts:
            home = self.declared.home[front]
            led = {(way.proto, way.to) for way in self.declared.forwards if way.container == front}
            if not led or front not in self.seen.containers:
                continue  # a front behind another one, which uses it
            for port, sites in _served(self.declared.sites, front).items():
                if ("tcp", port) not in led:
                    yield self._unled(
                        home, "tcp", port, f"{_some(sites)} is to be served on port {port}", sites[0].origin
                    )
            who = self.at(front, "tcp", HTTPS) or self.at(front, "tcp", PLAIN)
            for (proto, port), other in sorted(self.seen.containers[front].items(), key=lambda row: row[0][1]):
                if (proto, port) in led or other.hidden or who is None or other.unit != who.unit:
                    continue
                if (proto, port) not in self._used(front):
                    yield self._unled(
                        home, proto, port, f"{other.who} in {front} serves port {port}/{proto}", home.origin
                    )

    def _unled(self, home: Home, proto: str, port: int, what: str, origin: str) -> Finding:
        verb = f"Forward({port})" if proto == "tcp" else f'Forward({port}, "{proto}")'
        return self.say(
            home.name, proto, port, "no forward",
            message=f"{what}, and no port of the host leads there",
            remedy=f"add {verb} to forwards of {home.name}",
            origin=f"{home.origin}" if origin == home.origin else f"{home.origin}; {origin}",
        )  # fmt: skip

    # ---- what listens

    def _used(self, place: str) -> set[Key]:
        ports = {use.port for use in self.declared.uses if use.container == place and use.port}
        return {(proto, port) for port in ports for proto in ("tcp", "udp")}

    def _whole(self, place: str) -> bool:
        """Whether somebody may use all of it."""
        return any(use.container == place and not use.port for use in self.declared.uses)

    def strangers(self) -> Iterator[Finding]:
        """Listeners in containers that no definition speaks of: by no forward, site, use or probe, and by no unit."""
        for place, found in self.seen.containers.items():
            home = self.declared.home.get(place)
            if home is None or self._whole(place):
                continue
            known = {(way.proto, way.to) for way in self.declared.forwards if way.container == place}
            known |= self._used(place) | {("tcp", port) for port in home.ports}
            units = {_unit(unit) for unit in home.units}
            for (proto, port), who in sorted(found.items(), key=lambda row: row[0][1]):
                quiet = who.hidden or (proto == "udp" and port >= EPHEMERAL) or _unit(who.unit) in units
                if quiet or (proto, port) in known or (place, proto, port) in self.wrong:
                    continue
                yield self.say(
                    place, proto, port, "undeclared",
                    message=f"{who.who} listens on port {port}/{proto} of {place}, and no definition speaks of it",
                    remedy=f"stop it, or say who it is for: Forward({port}), uses=[...] of its user, or a probe",
                    origin=home.origin,
                    severity="warning",
                )  # fmt: skip

    def of_host(self) -> Iterator[Finding]:
        """Ports of the host itself that the world can reach, and nobody declared."""
        opened = {(way.proto, way.port) for way in self.declared.opens}
        led = {(way.proto, way.port) for way in self.declared.forwards}
        outside = self.seen.outside
        for (proto, port), who in sorted(self.seen.host.items(), key=lambda row: row[0][1]):
            inner = all(_loopback(address) or address in self.declared.gateways for address in who.addresses)
            if inner or (proto, port) in opened | led:
                continue
            reached = port in outside if outside is not None and proto == "tcp" else not self.seen.closed
            if reached and (proto == "tcp" or port < EPHEMERAL):
                yield self._open(proto, port, f"{who.who} of the host answers on port {port}/{proto}", proto == "tcp")
        for port in sorted((outside or frozenset()) - {port for proto, port in opened | led if proto == "tcp"}):
            yield self._open("tcp", port, f"port {port}/tcp of the host answers", True)

    def _open(self, proto: str, port: int, what: str, sure: bool) -> Finding:
        more = "" if proto == "tcp" else f', "{proto}"'
        return self.say(
            HOST, proto, port, "open to the world",
            message=f"{what} to the world, and no definition opens it",
            remedy=f"declare Host(open=[Open({port}{more})]), or stop it",
            origin=self.declared.origin,
            severity="error" if sure else "warning",
        )  # fmt: skip

    # ---- the table

    def rows(self) -> Iterator[Port]:
        keys: dict[tuple[str, str, int], None] = {}
        for way in self.declared.ways:
            keys.setdefault((way.container or HOST, way.proto, way.to or way.port))
        for place, found in ((HOST, self.seen.host), *self.seen.containers.items()):
            for (proto, port), who in found.items():
                if not who.hidden and not (proto == "udp" and port >= EPHEMERAL):
                    keys.setdefault((place, proto, port))
        for key in self.wrong:
            keys.setdefault(key)
        order = {home.name: number for number, home in enumerate(self.declared.homes)}
        for key in sorted(keys, key=lambda key: (order.get(key[0], -1), key[2], key[1])):
            place, proto, port = key
            here = [way for way in self.declared.ways if (way.container or HOST, way.proto, way.to or way.port) == key]
            ways, wrong = tuple(way.label for way in here), self.wrong.get(key, "")
            yield Port(place, proto, port, self.at(place, proto, port), ways, self._users(place, proto, port), wrong)

    def _users(self, place: str, proto: str, port: int) -> tuple[str, ...]:
        if proto != "tcp":
            return ()
        return tuple(dict.fromkeys(use.by for use in self.declared.uses if use.container == place and use.port == port))


def _served(sites: Sequence[Served], front: str) -> dict[int, list[Served]]:
    """The sites by the ports that they are to be reached at, from the world."""
    found: dict[int, list[Served]] = {}
    for site in sites:
        if site.front == front and site.public:
            for port in (PLAIN, *site.ports):
                found.setdefault(port, []).append(site)
    return found


def _unit(name: str) -> str:
    """A unit; instances of a template count as one."""
    return f"{name.partition('@')[0]}@" if "@" in name else name


def _some(sites: Sequence[Served]) -> str:
    more = len(sites) - 1
    return sites[0].name + (f" (as {more} more)" if more else "")


def _proto(way: Way) -> str:
    return "" if way.proto == "tcp" else f', "{way.proto}"'


def _loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return found.is_loopback or bool(mapped and mapped.is_loopback)
