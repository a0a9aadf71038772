"""The host's packet filter, from forwards, networks and who may talk to whom. Source: nft(8).

Forwards are maps, so that a packet costs the same with three forwards or three hundred, and so that one element can
come or go without touching the others. Clients keep their address, also containers: whatever they send passes the
host's IP layer, and so does the answer. Only a container that asks for itself by the public address is masqueraded,
because it would refuse a packet from its own address. The host itself is served by the same maps in the output hook.

New connections to what is held (`eyas.core.held`) are told of and dropped, before any translation.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from eyas.core import held
from eyas.render.generations import Generations
from eyas.render.generations import rules as generation_rules
from eyas.render.policy import Policy, chains
from eyas.render.policy import sets as policy_sets
from eyas.render.wire import Port, table

NOBODY = Policy()


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
    gateway: str = "02:e7:0a:00:00:01"  # hardware address of the bridge


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
        # What comes back by the link of held packets came from the uplink, when it asks for this.
        where = "" if reflect else f'iifname {{ "{wires.uplink}", "{held.LINK}" }} '
        rules.append(f"\t\t{where}{ip} daddr {{ {', '.join(public)} }} dnat {ip} to {proto} dport map @{name}")
    return rules


def _chain(name: str, hook: str, body: Sequence[str]) -> list[str]:
    return [f"\tchain {name} {{", *([f"\t\t{hook}"] if hook else []), *body, "\t}", ""]


def _sets() -> list[str]:
    """The sets of what is held; empty in the text, because what is held is traffic and no rule."""
    lines: list[str] = []
    for name, kind in held.TYPES.items():
        lines += [f"\tset {name} {{", f"\t\ttype {kind}", "\t\tflags timeout", "\t}", ""]
    return lines


def _hold(wires: Wires) -> list[str]:
    """New connections to what is held wait: they are told of, to be handed back later, and dropped.

    Held by their address, containers answer the host itself all the same: its probes tell when the wait is over. And
    the world has no way to that address. A forward is held for all who are served by it.
    """
    reached = "meta l4proto . th dport"
    inside, spared, outside, reflected = [], [], [], []
    for family, ip, public in ((4, "ip", wires.public4), (6, "ip6", wires.public6)):
        inside.append(f"\t\t{ip} daddr @{held.ADDRESS[family]} goto wait")
        inside.append(f"\t\t{ip} daddr . {reached} @{held.PORT[family]} goto wait")
        spared.append(f"\t\t{ip} saddr . {reached} @{held.SPARED[family]} return")
        if public:
            asked = f"\t\t{ip} daddr {{ {', '.join(public)} }} {reached}"
            outside.append(f"{asked} @{held.FORWARD} goto wait")
            reflected.append(f"{asked} @{held.REFLECTED} goto wait")
    syn = "\t\ttcp flags & (fin | syn | rst | ack) == syn"
    return [
        *_chain("wait", f"log group {held.GROUP}", ["\t\tdrop"]),
        *_chain("hold_outside", "", outside),
        *_chain("hold_inside", "", [*inside, *spared, *reflected]),
        *_chain("hold_here", "", reflected),
        *_chain(
            "hold_prerouting",
            "type filter hook prerouting priority mangle; policy accept;",
            [
                f'{syn} iifname "{wires.uplink}" goto hold_outside',
                f"{syn} goto hold_inside",
                f'\t\tmeta l4proto udp ct state new iifname "{wires.uplink}" goto hold_outside',
                "\t\tmeta l4proto udp ct state new goto hold_inside",
            ],
        ),
        # Not UDP: a sender on the host would be told that it is not permitted, and that is worse than a loss.
        *_chain("hold_output", "type filter hook output priority mangle; policy accept;", [f"{syn} goto hold_here"]),
    ]


def _itself(rules: Sequence[Rule]) -> tuple[list[str], list[str]]:
    """Sets of the containers that can ask for themselves by the public address, as pairs of source and destination,
    and what is to be done with them."""
    sets: list[str] = []
    uses: list[str] = []
    for family, ip in ((4, "ip"), (6, "ip6")):
        targets = {rule.to4 if family == 4 else rule.to6 for rule in rules if rule.reflect}
        pairs = [f"{target} . {target}" for target in sorted(target for target in targets if target)]
        if pairs:
            kind = f"ipv{family}_addr"
            body = ",\n\t\t\t     ".join(pairs)
            sets += [f"\tset itself{family} {{", f"\t\ttype {kind} . {kind}", f"\t\telements = {{ {body} }}", "\t}", ""]
            uses.append(f"{ip} saddr . {ip} daddr @itself{family} ct status dnat masquerade")
    return sets, uses


def _led(rules: Sequence[str]) -> list[str]:
    """To the current generation only who may talk to it: where the bridge itself redirects, a refusal of what is
    translated already would not find its way back."""
    lines = []
    for rule in rules:
        ip, family, echo = ("ip6", 6, "icmpv6") if rule.startswith("dnat ip6 ") else ("ip", 4, "icmp")
        pair = f"{ip} saddr . {ip} daddr"
        lines.append(f"\t\t{pair} @uses{family}_all {rule}")
        lines.append(f"\t\t{pair} . meta l4proto . th dport @uses{family} {rule}")
        lines.append(f"\t\tmeta l4proto {echo} {pair} @partners{family} {rule}")
    return lines


def ruleset(
    rules: Sequence[Rule],
    wires: Wires,
    generations: Sequence[Generations] = (),
    policy: Policy = NOBODY,
    ports: Sequence[Port] = (),
) -> str:
    """The text of the tables ``inet eyas`` and ``bridge eyas``, without the lines that replace older ones (the firewall
    kind adds those)."""
    twice = generation_rules(generations, wires.uplink)
    maps, used = _maps(rules)
    sets, uses = _itself(rules)
    inside = [(ip, net) for ip, net in (("ip", wires.net4), ("ip6", wires.net6)) if net]
    snat = [f'\t\toifname "{wires.uplink}" {ip} saddr {net} masquerade' for ip, net in inside]
    snat += [f"\t\t{rule}" for rule in twice.uplink]
    snat += [f'\t\toifname "{wires.bridge}" {use}' for use in uses]
    snat += [f"\t\t{rule}" for rule in twice.out]
    led = [f"\t\t{rule}" for rule in twice.dnat]
    # Neighbours on the bridge are to go on asking the host for each other.
    redirects = [
        f'\t\toifname "{wires.bridge}" icmp type redirect drop',
        f'\t\toifname "{wires.bridge}" icmpv6 type nd-redirect drop',
    ]
    lines = ["table inet eyas {", *maps, *twice.maps, *sets, *_sets(), *policy_sets(policy), *_hold(wires)]
    lines += _chain(
        "prerouting",
        "type nat hook prerouting priority dstnat; policy accept;",
        [*(f"\t\t{rule}" for rule in twice.own), *_dnat(wires, used, only_reflected=False), *_led(twice.dnat)],
    )
    lines += _chain(
        "output",
        "type nat hook output priority -100; policy accept;",
        [*_dnat(wires, used, only_reflected=True), *led],
    )
    if twice.inward:  # what the host itself is asked for
        asked = [f"\t\t{rule}" for rule in twice.inward]
        lines += _chain("input", "type nat hook input priority 100; policy accept;", asked)
    lines += _chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;", snat)
    lines += chains(policy, wires.uplink, wires.bridge, {4: wires.public4, 6: wires.public6})
    lines += _chain("redirects", "type filter hook output priority filter; policy accept;", redirects)
    return "\n".join([*lines[:-1], "}", "", *table(ports, wires.gateway)])


def host_part(address: str) -> int:
    """The number of an address within its network ("10.0.5.50/24" gives 50)."""
    interface = ipaddress.ip_interface(address)
    return int(interface.ip) - int(interface.network.network_address)
