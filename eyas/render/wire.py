"""What never reaches the host's IP layer: frames on the bridge of the containers, and who may send which.

Source: nft(8).

A container speaks to the host, and to nobody else on the wire; with its own hardware address, and with its own IP
addresses, also where it only says who has which (ARP, neighbour discovery). It is known by the port of the bridge that
it hangs on, which nobody inside can choose. Ports that eyas knows nothing of are left alone.

Where br_netfilter is loaded, the bridge itself passes on what a forward translates, from port to port. Such a frame was
sent to the host, so it passes here, and the rules of the IP layer are asked for it all the same.

A container that gets other addresses has its old ones until it restarts, and connections that are under way. Whoever
loads the table puts them into sets of their own for that time (`eyas.host.wires`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from eyas.core import held
from eyas.kind.slots import hardware

LONGEST = 15  # characters of an interface's name
SHORTEN = bytes.fromhex("e190a404a8ef4b518cccc33a9f11fca2")
"""The key by which systemd-nspawn makes the end of a name that is too long (src/shared/netif-util.c)."""
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True)
class Port:
    """A port of the bridge: the machine behind it, whose it is, and the addresses that it may use there."""

    machine: str
    container: str
    address4: str
    addresses4: tuple[str, ...]
    addresses6: tuple[str, ...]

    @property
    def name(self) -> str:
        return port_name(self.machine)

    @property
    def mac(self) -> str:
        return hardware(self.address4)


def link_local(address: str) -> str:
    """The IPv6 address that a link gives itself from its hardware address (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in address.split(":")]
    octets[0] ^= 2
    whole = [*octets[:3], 0xFF, 0xFE, *octets[3:]]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(whole)))


def port_name(machine: str) -> str:
    """The name of a machine's port, as systemd-nspawn gives it: a long one ends with four characters of a digest."""
    name = f"vb-{machine}"
    if len(name) <= LONGEST:
        return name
    number = siphash(SHORTEN, name.encode()) & 0xFFFFFF
    return name[: LONGEST - 4] + "".join(BASE64[number >> shift & 63] for shift in (18, 12, 6, 0))


def siphash(key: bytes, data: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012)."""
    mask = (1 << 64) - 1
    k0, k1 = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turn(value: int, by: int) -> int:
        return (value << by | value >> 64 - by) & mask

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = v[0] + v[1] & mask
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = v[2] + v[3] & mask
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & mask
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & mask
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    whole = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for at in range(0, len(whole), 8):
        word = int.from_bytes(whole[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


MANY = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00"
REPORTS = "mld-listener-report, mld-listener-done, mld2-listener-report"


def table(ports: Sequence[Port], gateway: str) -> list[str]:
    """The lines of table ``bridge eyas``. ``gateway`` is the hardware address of the bridge."""
    ports = sorted(ports, key=lambda port: port.machine)
    own: dict[str, list[str]] = {"names": [], "wires": [], "places4": [], "places6": []}
    for port in ports:
        said = f'comment "{port.container}"'
        own["names"].append(f'"{port.name}" {said}')
        own["wires"].append(f'"{port.name}" . {port.mac} {said}')
        own["places4"] += [f'"{port.name}" . {address} {said}' for address in port.addresses4]
        own["places6"] += [f'"{port.name}" . {address} {said}' for address in (*port.addresses6, link_local(port.mac))]
    types = {"wires": " . ether_addr", "places4": " . ipv4_addr", "places6": " . ipv6_addr"}
    lines = ["table bridge eyas {"]
    for name, elements in own.items():
        lines += elements_of(f"set {name}", f"ifname{types.get(name, '')}", elements)
    for name, (_, kind) in held.LEFT.items():
        lines += elements_of(f"set {name}", kind, [], "flags timeout")
    lines += [
        "\tchain from_container {",
        "\t\tiifname . ether saddr @left_wires goto until_it_restarts",
        *_checks("wires", "places4", "places6", gateway),
        "\t}",
        "",
        "\tchain until_it_restarts {",
        *_checks("left_wires", "left_places4", "left_places6", gateway),
        "\t}",
        "",
        "\tchain prerouting {",
        "\t\ttype filter hook prerouting priority dstnat; policy accept;",
        "\t\tiifname @names goto from_container",
        "\t}",
        "",
        "\tchain forward {",
        "\t\ttype filter hook forward priority filter; policy accept;",
        f"\t\tiifname @names {MANY} drop",
        f"\t\toifname @names {MANY} drop",
        "\t}",
        "}",
        "",
    ]
    return lines


def _checks(wires: str, four: str, six: str, gateway: str) -> list[str]:
    """Rules that let a frame pass which is of those in three sets, and goes to the bridge."""
    return [
        f"\t\tiifname . ether saddr != @{wires} drop",
        f"\t\tether type arp iifname . arp saddr ether @{wires} iifname . arp saddr ip @{four} accept",
        "\t\ticmpv6 type nd-neighbor-solicit ip6 saddr :: accept",
        f"\t\ticmpv6 type nd-neighbor-solicit iifname . ip6 saddr @{six} accept",
        f"\t\ticmpv6 type nd-neighbor-advert iifname . icmpv6 taddr @{six} accept",
        f"\t\ticmpv6 type {{ {REPORTS} }} ip6 saddr {{ ::, fe80::/10 }} accept",
        "\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, nd-redirect } drop",
        f"\t\tether daddr != {gateway} drop",
        f"\t\tether type ip iifname . ip saddr @{four} accept",
        f"\t\tether type ip6 iifname . ip6 saddr @{six} accept",
        "\t\tdrop",
    ]


def elements_of(name: str, kind: str, elements: Sequence[str], *more: str) -> list[str]:
    """A set or map of the table's text."""
    lines = [f"\t{name} {{", f"\t\ttype {kind}", *(f"\t\t{line}" for line in more)]
    if elements:
        body = ",\n\t\t\t     ".join(elements)
        lines.append(f"\t\telements = {{ {body} }}")
    return [*lines, "\t}", ""]
