"""What a lab host is, in plain values: no definitions of a fleet are needed to boot one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from eyas.core.errors import UsageError
from eyas.core.words import Json

RESERVED = ("internet", "authority", "names")  # names that a lab uses itself
ON_LINK, ROUTED = "on-link", "routed"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class LabHost:
    """One host of a lab: its name, its uplink, and the directories its data will live in.

    ``addresses`` are interface addresses ("203.0.113.112/26", "2001:db8:5:1::2/64"), ``gateways`` are plain
    addresses; the internet of the lab answers on them. ``data`` are absolute paths made at the first boot.
    ``prefix6`` is how the provider gives the IPv6 prefix: "on-link" asks for a neighbour for each address of it,
    "routed" sends all of it to the host's own address.
    """

    name: str
    interface: str = "eth0"
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    data: tuple[str, ...] = field(default=())
    prefix6: str = ON_LINK

    def to_json(self) -> dict[str, Json]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Json]) -> LabHost:
        def strings(key: str) -> tuple[str, ...]:
            found = values.get(key)
            return tuple(str(each) for each in found) if isinstance(found, list) else ()

        return cls(
            name=str(values["name"]),
            interface=str(values["interface"]),
            addresses=strings("addresses"),
            gateways=strings("gateways"),
            data=strings("data"),
            prefix6=str(values.get("prefix6", ON_LINK)),
        )


def check(hosts: Sequence[LabHost]) -> None:
    """UsageError when no lab can be made of these hosts."""
    import ipaddress  # 2 ms that only `up` pays

    names = [host.name for host in hosts]
    for host in hosts:
        if not _NAME.fullmatch(host.name):
            raise UsageError(f"cannot make the lab host {host.name!r}: not a host name")
        if host.name in RESERVED:
            raise UsageError(f"cannot make the lab host {host.name!r}: the lab uses this name itself")
        if names.count(host.name) > 1:
            raise UsageError(f"cannot make the lab host {host.name!r}: two hosts have this name")
        if host.prefix6 not in (ON_LINK, ROUTED):
            said = f"cannot make the lab host {host.name}: there is no kind of prefix {host.prefix6!r}"
            raise UsageError(said, f"{ON_LINK} or {ROUTED}")
        try:
            for address in host.addresses:
                ipaddress.ip_interface(address)
            for gateway in host.gateways:
                ipaddress.ip_address(gateway)
        except ValueError as error:
            raise UsageError(f"cannot make the lab host {host.name}: {error}") from None


def public_addresses(hosts: Sequence[LabHost]) -> dict[str, list[str]]:
    """The addresses of each host, without prefix lengths, IPv4 first."""
    return {
        host.name: sorted((address.partition("/")[0] for address in host.addresses), key=lambda a: ":" in a)
        for host in hosts
    }
