"""What a lab host is, in plain values: no definitions of a fleet are needed to boot one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from eyas.core.errors import UsageError
from eyas.core.words import Json

RESERVED = ("internet", "authority", "names")  # names that a lab uses itself
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class LabHost:
    """One host of a lab: its name, its uplink, and the directories its data will live in.

    ``addresses`` are interface addresses ("203.0.113.112/26", "2001:db8:5:1::2/64"), ``gateways`` are plain
    addresses; the internet of the lab answers on them. ``data`` are absolute paths made at the first boot.
    """

    name: str
    interface: str = "eth0"
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    data: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"cannot make the lab host {self.name!r}: not a host name")
        if self.name in RESERVED:
            raise UsageError(f"cannot make the lab host {self.name!r}: the lab uses this name itself")
        try:
            for address in self.addresses:
                ipaddress.ip_interface(address)
            for gateway in self.gateways:
                ipaddress.ip_address(gateway)
        except ValueError as error:
            raise UsageError(f"cannot make the lab host {self.name}: {error}") from None

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
        )


def public_addresses(hosts: Sequence[LabHost]) -> dict[str, list[str]]:
    """The addresses of each host, without prefix lengths, IPv4 first."""
    return {
        host.name: sorted((address.partition("/")[0] for address in host.addresses), key=lambda a: ":" in a)
        for host in hosts
    }
