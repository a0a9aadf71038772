"""Addresses of the two generations that a stateless container may have at one time.

The declared address is what clients use, always. The first slot has it on the wire, the second one has an address of
its own; and by a third one the host reaches the first slot also while clients are led to the second.

IPv4: 100.64.0.0/10 (RFC 6598) with the low 21 bits of the declared address; the bit above them is the slot's. IPv6: the
declared address with bit 63 (second slot) or 62 (probes of the first) of its interface identifier set.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

NETWORK = ipaddress.IPv4Network("100.64.0.0/10")
SECOND = 1 << 21
LONGEST6 = 64  # prefix length: what is beyond is the interface identifier, whose upper bits we need


class Beside(NamedTuple):
    """The further addresses of a stateless container, with prefix length."""

    address4: str
    address6: str | None
    probe4: str
    probe6: str | None


def beside(address4: str, address6: str | None) -> Beside:
    """The further addresses of a container with these declared ones (without prefix length)."""
    low = int(NETWORK.network_address) | int(ipaddress.IPv4Address(address4)) & (SECOND - 1)
    stable6 = int(ipaddress.IPv6Address(address6)) if address6 else 0
    return Beside(
        address4=f"{ipaddress.IPv4Address(low | SECOND)}/32",
        address6=f"{ipaddress.IPv6Address(stable6 | 1 << 63)}/128" if address6 else None,
        probe4=f"{ipaddress.IPv4Address(low)}/32",
        probe6=f"{ipaddress.IPv6Address(stable6 | 1 << 62)}/128" if address6 else None,
    )
