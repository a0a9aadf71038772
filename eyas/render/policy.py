"""Who may talk to whom, as rules of ``table inet eyas``: containers to each other, to the host and to the world, the
world to the host. Source: nft(8).

All of it is looked up in sets, so that a packet costs the same with three containers or three hundred. What a container
asks for is known by the destination that it named, before any translation. What is established goes on, whatever
changes: a rule that goes away ends nothing, it lets nothing new begin.

A refusal between containers, or towards the host, is an answer (a reset for TCP, for the rest ICMP "administratively
prohibited") and not a silence, so that a missing ``uses`` shows at once. It is logged with the name of the one who
asked, a few times a minute; and ``refused4`` and ``refused6`` remember for an hour who asked for what.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eyas.core import held
from eyas.render.wire import elements_of

FAMILIES = ((4, "ip"), (6, "ip6"))
ASKED = "meta l4proto . ct original proto-dst"
ERRORS4 = "echo-request, destination-unreachable, time-exceeded, parameter-problem"
ERRORS6 = "echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem"
NEIGHBOURS = "nd-neighbor-solicit, nd-neighbor-advert"
GROUPS = "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"


@dataclass(frozen=True)
class Member:
    """A container as the rules know it: what it is asked for by, and all that it may ask from, both families."""

    name: str
    asked4: str
    asked6: str | None
    from4: tuple[str, ...]
    from6: tuple[str, ...]
    untrusted: bool = False

    def asked(self, family: int) -> str | None:
        return self.asked4 if family == 4 else self.asked6

    def sources(self, family: int) -> tuple[str, ...]:
        return self.from4 if family == 4 else self.from6


@dataclass(frozen=True)
class Policy:
    """All that a host's definitions say of this."""

    members: tuple[Member, ...] = ()
    uses: tuple[tuple[str, str, int | None], ...] = ()  # client, server, port of it or None for all
    open: tuple[tuple[str, int, tuple[str, ...]], ...] = ()  # protocol, port of the host, networks or () for all
    names4: tuple[str, ...] = field(default=())  # the host's addresses that answer for names
    names6: tuple[str, ...] = field(default=())
    relays: tuple[tuple[str, int], ...] = ()  # addresses and ports of the host that lead on to a proxy
    pools: str = ""  # where connections leave from by pools: the network of their addresses, '' without any

    def member(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)


def sets(policy: Policy) -> list[str]:
    """Everything that the chains look at; also what is empty, so that the chains never change."""
    lines: list[str] = []
    members = sorted(policy.members, key=lambda member: member.name)
    for family, _ in FAMILIES:
        kind = f"ipv{family}_addr"
        ports, whole, partners = _pairs(policy, family)
        lines += elements_of(f"set uses{family}", f"{kind} . {kind} . inet_proto . inet_service", ports)
        lines += elements_of(f"set uses{family}_all", f"{kind} . {kind}", whole)
        lines += elements_of(f"set partners{family}", f"{kind} . {kind}", partners)
        shut = [f'{a} comment "{m.name}"' for m in members if m.untrusted for a in m.sources(family)]
        lines += elements_of(f"set untrusted{family}", kind, shut)
        who = [f'{a} comment "{m.name}" : goto refuse_{m.name}' for m in members for a in m.sources(family)]
        lines += elements_of(f"map who{family}", f"{kind} : verdict", who)
        kind = f"{kind} . {kind} . inet_proto . inet_service"
        lines += elements_of(
            f"set {held.REFUSED[family]}", kind, [], "size 4096", "flags dynamic,timeout", "timeout 1h"
        )
    if policy.pools:
        kind = "ipv6_addr . ipv6_addr"
        lines += elements_of(
            f"set {held.RESETS}", kind, [], "size 65536", "flags dynamic,timeout", "counter", "timeout 10m"
        )
    lines += elements_of(
        "set open",
        "inet_proto . inet_service",
        [f'{proto} . {port} comment "host"' for proto, port, networks in sorted(policy.open) if not networks],
    )
    for family, _ in FAMILIES:
        some = [
            f'{network} . {proto} . {port} comment "host"'
            for proto, port, networks in sorted(policy.open)
            for network in networks
            if (":" in network) is (family == 6)
        ]
        kind = f"ipv{family}_addr . inet_proto . inet_service"
        lines += elements_of(f"set open{family}", kind, some, "flags interval")
    return lines


def _pairs(policy: Policy, family: int) -> tuple[list[str], list[str], list[str]]:
    """Elements for ports, for whole containers, and for all that may reach each other at all."""
    ports: list[str] = []
    whole: list[str] = []
    partners: dict[str, None] = {}
    for client, server, port in sorted(policy.uses, key=lambda use: (use[0], use[1], use[2] or 0)):
        target, said = policy.member(server).asked(family), f'comment "{client} to {server}"'
        for source in policy.member(client).sources(family) if target else ():
            partners[f"{source} . {target} {said}"] = None
            if port is None:
                whole.append(f"{source} . {target} {said}")
            else:
                ports += [f"{source} . {target} . {proto} . {port} {said}" for proto in ("tcp", "udp")]
    for member in sorted(policy.members, key=lambda member: member.name):
        # The second of two generations that asks for itself by its name.
        own = member.asked(family)
        whole += [f'{s} . {own} comment "{member.name}"' for s in member.sources(family) if own and s != own]
    return ports, whole, list(partners)


def chains(policy: Policy, uplink: str, bridge: str, public: dict[int, tuple[str, ...]]) -> list[str]:
    """The chains that decide, ``input`` and ``forward`` at their end."""
    lines: list[str] = []

    def chain(name: str, *body: str) -> None:
        lines.extend([f"\tchain {name} {{", *(f"\t\t{line}" for line in body), "\t}", ""])

    # For TCP as a closed port does: the kernel sends few ICMP errors a second, and clients would wait.
    chain("turn_away", "meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited")
    for member in sorted(policy.members, key=lambda member: member.name):
        prefix = f"eyas: refused {member.name}: "
        said = f'comment "{member.name}"'
        chain(
            f"refuse_{member.name}",
            f'limit rate 10/minute burst 5 packets log prefix "{prefix}" {said}',
            f"goto turn_away {said}",
        )
    remember = [
        f"meta l4proto {{ tcp, udp }} update @{held.REFUSED[family]} "
        f"{{ {ip} saddr . ct original {ip} daddr . {ASKED} }}"
        for family, ip in FAMILIES
    ]
    chain("refuse", *remember, *(f"{ip} saddr vmap @who{family}" for family, ip in FAMILIES), "goto turn_away")
    shut = [f"{ip} saddr @untrusted{family} goto refuse" for family, ip in FAMILIES]
    forwarded = [
        f"ct status dnat ct original {ip} daddr {{ {', '.join(public[family])} }} accept"
        for family, ip in FAMILIES
        if public[family]
    ]
    used: list[str] = []
    for family, ip in FAMILIES:
        pair = f"{ip} saddr . ct original {ip} daddr"
        echo = "icmp" if family == 4 else "icmpv6"
        used.append(f"{pair} @uses{family}_all accept")
        used.append(f"{pair} . {ASKED} @uses{family} accept")
        used.append(f"meta l4proto {echo} {pair} @partners{family} accept")
    chain(
        "to_container",
        *forwarded,
        f'iifname "{uplink}" drop',
        f'iifname != {{ "{bridge}", "{held.LINK}" }} goto turn_away',
        *used,
        "goto refuse",
    )
    chain("to_world", f'oifname "{uplink}" accept', *shut)
    names = [
        f"{ip} daddr {{ {', '.join(addresses)} }} meta l4proto {{ tcp, udp }} th dport 53 accept"
        for ip, addresses in (("ip", policy.names4), ("ip6", policy.names6))
        if addresses
    ]
    chain(
        "from_container",
        f"icmpv6 type {{ {NEIGHBOURS}, {GROUPS} }} accept",
        *shut,
        "icmp type echo-request accept",
        "icmpv6 type echo-request accept",
        *names,
        *(f"ct status dnat ip daddr {address} tcp dport {port} accept" for address, port in policy.relays),
        "goto refuse",
    )
    chain(
        "from_world",
        f"icmp type {{ {ERRORS4} }} accept",
        f"icmpv6 type {{ {ERRORS6}, {NEIGHBOURS}, nd-router-advert, {GROUPS} }} accept",
        "udp sport 67 udp dport 68 accept",  # leases of the host's own addresses
        "ip6 saddr fe80::/10 udp dport 546 accept",
        "meta l4proto . th dport @open accept",
        *(f"{ip} saddr . meta l4proto . th dport @open{family} accept" for family, ip in FAMILIES),
        "drop",
    )
    chain(
        "asked",
        "type filter hook input priority filter; policy accept;",
        "ct state established,related accept",
        f'iifname "{bridge}" goto from_container',
        f'iifname {{ "{uplink}", "{held.LINK}" }} goto from_world',
    )
    if policy.pools:
        note = (
            f"ct reply ip6 daddr {policy.pools} update @{held.RESETS} {{ ct reply ip6 daddr . ct original ip6 daddr }}"
        )
        refusal = "icmpv6 type destination-unreachable icmpv6 code admin-prohibited"
        chain(
            "ends",
            f'iifname "{uplink}" tcp flags & rst == rst ct direction reply {note}',
            f'iifname "{uplink}" {refusal} ct state related {note}',
        )
    chain(
        "forward",
        "type filter hook forward priority filter; policy accept;",
        # Nearly every packet ends here; it is a hook less than a chain of its own for them all.
        *(("ct state established tcp flags & rst == 0 accept", "jump ends") if policy.pools else ()),
        "ct state established,related accept",
        f'oifname "{bridge}" goto to_container',
        f'iifname "{bridge}" goto to_world',
    )
    return lines
