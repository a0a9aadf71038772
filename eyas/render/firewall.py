"""The host's one nftables table, from forwards and networks. Source: nft(8).

Forwards are maps, so that a packet costs the same with three forwards or three hundred, and so that one element can
come or go without touching the others. Clients from outside keep their address. A container that asks for the public
address is masqueraded (its own subnet only), because the answer would else go straight back and be refused; the host
itself is served by the same maps in the output hook.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One forward, resolved: host port (proto) to an address and port. ``reflect``: also from inside and the host."""

    proto: str
    port: int
    to4: str | None
    to6: str | None
    to_port: int
    reflect: bool
    comment: str


@dataclass(frozen=True)
class Wires:
    """What the rules must know of the host: names and networks, both families."""

    uplink: str
    bridge: str
    public4: tuple[str, ...]
    public6: tuple[str, ...]
    net4: str | None
    net6: str | None


def _element(rule: Rule, target: str) -> str:
    return f'{rule.port} comment "{rule.comment}" : {target} . {rule.to_port}'


def _map(name: str, kind: str, elements: Sequence[str]) -> list[str]:
    lines = [f"\tmap {name} {{", f"\t\ttype inet_service : {kind} . inet_service"]
    if elements:
        body = ",\n\t\t\t     ".join(elements)
        lines.append(f"\t\telements = {{ {body} }}")
    return [*lines, "\t}", ""]


def _maps(rules: Sequence[Rule]) -> tuple[list[str], list[tuple[str, str, int, bool]]]:
    """The maps that are needed, and (map name, proto, family, reflect) for the chains that use them."""
    lines: list[str] = []
    used: list[tuple[str, str, int, bool]] = []
    for family in (4, 6):
        for proto in ("tcp", "udp"):
            for reflect in (True, False):
                chosen = [
                    _element(rule, target)
                    for rule in sorted(rules, key=lambda r: (r.port, r.proto))
                    if rule.proto == proto
                    and rule.reflect is reflect
                    and (target := rule.to4 if family == 4 else rule.to6)
                ]
                if chosen:
                    name = f"{proto}{family}" + ("" if reflect else "_outside")
                    lines += _map(name, f"ipv{family}_addr", chosen)
                    used.append((name, proto, family, reflect))
    return lines, used


def _dnat(wires: Wires, used: Sequence[tuple[str, str, int, bool]], only_reflected: bool) -> list[str]:
    rules = []
    for name, proto, family, reflect in used:
        public = wires.public4 if family == 4 else wires.public6
        if not public or (only_reflected and not reflect):
            continue
        ip = "ip" if family == 4 else "ip6"
        where = "" if reflect else f'iifname "{wires.uplink}" '
        rules.append(f"\t\t{where}{ip} daddr {{ {', '.join(public)} }} dnat {ip} to {proto} dport map @{name}")
    return rules


def _chain(name: str, hook: str, body: Sequence[str]) -> list[str]:
    return [f"\tchain {name} {{", f"\t\t{hook}", *body, "\t}", ""]


def ruleset(rules: Sequence[Rule], wires: Wires) -> str:
    """The text of table ``inet eyas``, without the lines that replace an older one (the firewall kind adds those)."""
    maps, used = _maps(rules)
    inside = [(ip, net) for ip, net in (("ip", wires.net4), ("ip6", wires.net6)) if net]
    snat = []
    for ip, net in inside:
        snat.append(f'\t\toifname "{wires.uplink}" {ip} saddr {net} masquerade')
        snat.append(f'\t\toifname "{wires.bridge}" {ip} saddr {net} ct status dnat masquerade')
    forward = [
        "\t\tct state established,related accept",
        "\t\tct status dnat accept",
        f'\t\tiifname "{wires.uplink}" oifname "{wires.bridge}" drop',
    ]
    lines = ["table inet eyas {", *maps]
    lines += _chain(
        "prerouting",
        "type nat hook prerouting priority dstnat; policy accept;",
        _dnat(wires, used, only_reflected=False),
    )
    lines += _chain(
        "output",
        "type nat hook output priority -100; policy accept;",
        _dnat(wires, used, only_reflected=True),
    )
    lines += _chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;", snat)
    lines += _chain("forward", "type filter hook forward priority filter; policy accept;", forward)
    return "\n".join([*lines[:-1], "}", ""])


def host_part(address: str) -> int:
    """The number of an address within its network ("10.0.5.50/24" gives 50)."""
    interface = ipaddress.ip_interface(address)
    return int(interface.ip) - int(interface.network.network_address)
