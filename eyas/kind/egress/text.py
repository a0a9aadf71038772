"""Rules of table ``inet eyas_egress``: which connections leave from where. Pure. Source: nft(8).

Only packets that begin a connection come to these rules, unless users or units are told apart; what is established
keeps its address by connection tracking, whatever changes here. The chain for source addresses comes before that of
``inet eyas``, whose masquerade then finds the choice made. What pools hold is written into the rules themselves, so
that every change is one load of all rules; counters and ceilings are sets and objects, which stay.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eyas.core.words import digest
from eyas.kind.egress.declared import Declared, Rule
from eyas.kind.egress.state import Destination, PoolState, State

TABLE = "eyas_egress"
NAME = f"inet {TABLE}"
IP = {4: "ip", 6: "ip6"}
KEPT = {
    "used": "type mark . ipv6_addr; size 131072; flags dynamic,timeout; counter; timeout 2h;",
    "denied4": "type ipv4_addr . ipv4_addr; size 65536; flags dynamic,timeout; counter; timeout 1h;",
    "denied6": "type ipv6_addr . ipv6_addr; size 65536; flags dynamic,timeout; counter; timeout 1h;",
}
"""Sets that the kernel fills: connections by address (as `mark_of`) and destination; what was refused here."""
COUNT = "update @used { meta mark . ip6 daddr }"


@dataclass
class Text:
    """A rule set in pieces: objects (sets, limits) by name, with kind and definition; chains with their lines."""

    objects: dict[str, tuple[str, str]] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)

    def whole(self) -> str:
        """The table as nft(8) reads it."""
        lines = [f"table {NAME} {{"]
        for name, (kind, body) in self.objects.items():
            lines.append(f"\t{kind} {name} {{ {body} }}")
        for name, rules in self.chains.items():
            lines += [f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}"]
        return "\n".join([*lines, "}", ""])


def at_boot(text: str) -> str:
    """The file for the boot, where there may be an older table."""
    return f"#!/usr/sbin/nft -f\n# made by eyas; kept up to date by eyas-egress.service\n{REMOVE}{text}"


REMOVE = f"table {NAME}\ndelete table {NAME}\n"


def instead(text: Text, chains: Iterable[str], objects: Mapping[str, str]) -> str:
    """One transaction that puts a rule set in the place of another, whose chains and objects (with their kinds) are
    named; counters and ceilings that both have stay.

    The kernel reads the next rules at once, but not the packet that is under way just then: it goes on by the former
    rules, and finds their maps empty, and anonymous sets of networks those of neither. Hence the lines in these chains
    that drop what should have been found, for its sender to try again, and the names of sets of networks, which stay.
    """
    lines = [f"table {NAME}", f"flush table {NAME}"]
    lines += [f"delete chain {NAME} {name}" for name in chains if name not in text.chains]
    lines += [f"delete {kind} {NAME} {name}" for name, kind in objects.items() if name not in text.objects]
    return "\n".join([*lines, text.whole()])


def ruleset(declared: Declared, state: State, now: float) -> Text:
    """All rules, for what is declared and for the addresses that there are."""
    made = _Maker(declared, state, now)
    for container in declared.containers:
        made.container(container)
    return made.finish()


def addresses(state: State, name: str, family: int) -> list[str]:
    """Addresses that a name has had lately."""
    return sorted(a for a in state.names.get(name, ()) if (":" in a) is (family == 6))


def key_of(rule: Rule, state: State, address: str) -> str:
    """By what a destination is known: by its name where the rule names it, else by its address."""
    return next((name for name in rule.names if address in state.names.get(name, ())), address)


def covers(rule: Rule, state: State, destination: str) -> bool:
    """Whether a rule is about a destination, a name or an address."""
    if rule.everywhere or destination in rule.names:
        return True
    if any(destination in state.names.get(name, ()) for name in rule.names):
        return True
    try:
        address = ipaddress.ip_address(destination)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in rule.networks)


class _Maker:
    def __init__(self, declared: Declared, state: State, now: float) -> None:
        self.declared, self.state, self.now = declared, state, now
        self.text = Text({name: ("set", body) for name, body in KEPT.items()})
        self.starts: dict[int, dict[str, str]] = {4: {}, 6: {}}  # the chain of each address of a container
        self.gates: dict[int, dict[str, str]] = {4: {}, 6: {}}

    # ------------------------------------------------------------ where connections leave from

    def container(self, name: str) -> None:
        rules = [rule for rule in self.declared.rules if rule.container == name]
        for family in (6, 4):
            if family == 4 and not any(rule.address4 for rule in rules):
                continue
            body = [line for rule in rules for line in self._leave(rule, family)]
            self._chain(f"from{family}_{name}", body, rules, family, self.starts)
        for family in (6, 4):
            body = [line for rule in rules for line in self._gate(rule, family)]
            if family == 4 and any(rule.relay for rule in rules):
                self.text.chains[f"gate4_{name}"] = _ended(body)
                last = max(number for number, rule in enumerate(rules) if rule.relay)
                then = f"goto gate4_{name}"
                body = [line for rule in rules[: last + 1] for line in self._relayed(rule, then)]
                self._chain(f"relay_{name}", [*body, then], rules, 4, self.gates)
            elif any("goto" in line for line in body):
                self._chain(f"gate{family}_{name}", body, rules, family, self.gates)

    def _chain(
        self, name: str, body: list[str], rules: Sequence[Rule], family: int, starts: dict[int, dict[str, str]]
    ) -> None:
        """Where all packets of a container are led to, and never come back from."""
        self.text.chains[name] = _ended(body)
        starts[family] |= dict.fromkeys((source for rule in rules for source in rule.sources(family)), name)

    def _leave(self, rule: Rule, family: int) -> list[str]:
        """Lines for one rule: each destination that is known by itself, then the others."""
        verdict = "accept"
        if rule.pool is not None and family == 6:
            pool = self.state.pools.get(rule.name, PoolState())
            lines = []
            for key, there in self._special(rule, pool):
                found = addresses(self.state, key, 6) if key in rule.names else [key]
                if found:
                    lines.append(_join(self._match(rule, 6, found), self._view(rule, pool, key, there)))
            rest = self._others(rule, 6)
            if rest is not None:
                lines.append(_join(rest, self._view(rule, pool, "", None)))
            return lines
        own = rule.address6 if family == 6 else rule.address4
        if rule.via == "address" and own:
            verdict = f"snat {IP[family]} to {own}"
        return [_join(match, verdict) for match in self._all(rule, family)]

    def _view(self, rule: Rule, pool: PoolState, key: str, there: Destination | None) -> str:
        """The verdict for a destination: one of the addresses that are used there."""
        assert rule.pool is not None
        members = pool.members(key, self.now)
        if not members:
            return "drop"  # nothing leaves from elsewhere
        if there is None or members == pool.members("", self.now):
            key = ""  # nothing special
        name = f"pool_{digest(f'{rule.name} {key}'.encode())[:12]}"
        if name not in self.text.chains:
            self.text.chains[name] = _snat(rule, members, self.now)
        return f"goto {name}"

    def _relayed(self, rule: Rule, then: str) -> list[str]:
        """Lines that lead TCP to the port of the host whose program speaks to a proxy: by IPv4, as that does."""
        verdict = f"meta l4proto tcp dnat ip to {self.declared.resolver}:{rule.relay}" if rule.relay else then
        return [_join(match, verdict) for match in self._all(rule, 4)]

    # ------------------------------------------------------------ who may not leave now

    def _gate(self, rule: Rule, family: int) -> list[str]:
        lines, over = [], f"goto over{family}"
        if rule.relay:  # what a proxy cannot take does not go past it
            return [_join(match, "goto instead") for match in self._all(rule, family)]
        if family == 4 and rule.ipv4 == "refused":
            both = [a for n in rule.names if addresses(self.state, n, 6) for a in addresses(self.state, n, 4)]
            if both:
                lines.append(_join(self._match(rule, 4, both), "goto instead"))
        pool = self.state.pools.get(rule.name, PoolState())
        for key, there in self._special(rule, pool):
            found = addresses(self.state, key, family) if key in rule.names else [key]
            if not found or (key not in rule.names and family == 4):
                continue
            match = self._match(rule, family, found)
            if there is not None and there.limits and there.pause > self.now:
                lines.append(_join(match, over))
            elif there is not None and there.limits and there.per_hour:
                lines.append(_join(match, f"{self._limit(rule, key, there.per_hour, 'slow')} {over}"))
            if rule.ceiling and key in rule.names:
                lines.append(_join(match, f"{self._limit(rule, key, rule.ceiling, 'ceiling')} {over}"))
        rest = self._others(rule, family)
        if rest is not None and rule.ceiling:
            lines += [_join(rest, each, over) for each in self._each(rule, family)]
        return [*lines, *(_join(match, "accept") for match in self._all(rule, family))]

    def _limit(self, rule: Rule, key: str, per_hour: int, why: str) -> str:
        """A ceiling for all addresses of a destination together. A half at once, a half as time goes by: in any hour no
        more than declared."""
        burst = max(1, per_hour // 2) if why == "ceiling" else max(1, per_hour // 60)
        rate = max(1, per_hour - burst) if why == "ceiling" else per_hour
        name = f"{why}_{digest(f'{rule.name} {key} {per_hour}'.encode())[:12]}"
        self.text.objects[name] = ("limit", f"rate over {rate}/hour burst {burst} packets")
        return f'limit name "{name}"'

    def _each(self, rule: Rule, family: int) -> list[str]:
        """A ceiling for each destination by itself. What cannot be counted, because somebody has asked so many others,
        is over it as well: the ceiling is not to be got rid of by that."""
        burst = max(1, rule.ceiling // 2)
        name = f"ceilings{family}_{digest(f'{rule.name} {rule.ceiling}'.encode())[:12]}"
        kind = f"ipv{family}_addr"
        self.text.objects[name] = (
            "set", f"type {kind} . {kind}; size 65536; flags dynamic,timeout; timeout 2h;",
        )  # fmt: skip
        ip, rate = IP[family], max(1, rule.ceiling - burst)
        pair = f"{ip} saddr . {ip} daddr"
        return [
            f"update @{name} {{ {pair} limit rate over {rate}/hour burst {burst} packets }}",
            f"{pair} != @{name}",
        ]

    # ------------------------------------------------------------ which connections

    def _special(self, rule: Rule, pool: PoolState) -> list[tuple[str, Destination | None]]:
        """Destinations that have lines of their own: those that are named, and those that refused something."""
        named: list[tuple[str, Destination | None]] = [(name, pool.destinations.get(name)) for name in rule.names]
        others = [
            (key, there)
            for key, there in sorted(pool.destinations.items())
            if key not in rule.names and ":" in key and (there.extra or there.resting or there.limits)
        ]
        return [*named, *others]

    def _others(self, rule: Rule, family: int) -> str | None:
        """What matches all that a rule is about beside names; None when there is nothing."""
        if rule.everywhere:
            return self._match(rule, family, [])
        networks = rule.networks_of(family)
        return self._match(rule, family, networks) if networks else None

    def _all(self, rule: Rule, family: int) -> list[str]:
        """What matches all that a rule is about."""
        if rule.everywhere:
            return [self._match(rule, family, [])]
        found = [a for name in rule.names for a in addresses(self.state, name, family)]
        return [self._match(rule, family, each) for each in (found, rule.networks_of(family)) if each]

    def _match(self, rule: Rule, family: int, destinations: Sequence[str]) -> str:
        words = []
        if rule.mark:
            words.append(f"{IP[family]} dscp {rule.mark}")
        if destinations:
            words.append(f"{IP[family]} daddr {self._set(family, _collapsed(destinations))}")
        if rule.ports:
            ports = ", ".join(f"{proto} . {port}" for proto, port in rule.ports)
            words.append(f"meta l4proto . th dport {{ {ports} }}")
        return " ".join(words)

    def _set(self, family: int, collapsed: Sequence[str]) -> str:
        """Several networks are a set with a name, which stays while rules change (`instead`)."""
        elements = f"{{ {', '.join(collapsed)} }}"
        if len(collapsed) == 1 or not any("/" in each for each in collapsed):
            return elements
        name = f"networks{family}_{digest(elements.encode())[:12]}"
        self.text.objects[name] = ("set", f"type ipv{family}_addr; flags interval; elements = {elements}")
        return f"@{name}"

    # ------------------------------------------------------------ the ways in

    def finish(self) -> Text:
        """Chains of type nat see only what begins a connection: whatever else passes pays for no rule of this table,
        unless users or units are told apart. Resets are counted by a chain of ``inet eyas`` that is there anyway."""
        up, chains = f'"{self.declared.uplink}"', self.text.chains
        chains["choose"] = [
            "type nat hook postrouting priority srcnat - 5; policy accept;",
            *_led(f"oifname {up}", "", self.starts),
        ]
        if begin := self._begin(up):
            chains["begin"] = ["type nat hook prerouting priority dstnat - 5; policy accept;", *begin]
        if bare := self._bare(up):
            chains["bare"] = ["type filter hook postrouting priority srcnat + 10; policy accept;", *bare]
        self.text.chains = {name: chains[name] for name in _callees_first(chains)}
        return self.text

    def _begin(self, up: str) -> list[str]:
        lines = []
        if self.declared.range and self.declared.pools:
            # Nobody is asked for at these addresses: without this, the router and we would pass it to and fro.
            lines.append(f"iifname {up} ip6 daddr {self.declared.range} drop")
        lines += _led(f"iifname != {up}", f"fib daddr oifname {up}", self.gates)
        if any(self.gates.values()):
            for family in (4, 6):
                pair = f"{IP[family]} saddr . {IP[family]} daddr"
                self.text.chains[f"over{family}"] = [f"update @denied{family} {{ {pair} }}", "goto instead"]
            refuse = ["meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited"]
            self.text.chains["instead"] = refuse
        return lines

    def _bare(self, up: str) -> list[str]:
        """Nobody outside is to know which user or unit it was."""
        marked = [rule for rule in self.declared.rules if rule.mark]
        return [
            f"oifname {up} ct original {IP[family]} saddr {{ {', '.join(sources)} }} {IP[family]} dscp set cs0"
            for family in (4, 6)
            if (sources := dict.fromkeys(a for rule in marked for a in rule.sources(family)))
        ]


def _led(which: str, where: str, chains: Mapping[int, Mapping[str, str]]) -> list[str]:
    """Lines that lead each container's packets to its chain, or nowhere."""
    lines = []
    for family in (6, 4):
        if led := chains[family]:
            jumps = ", ".join(f"{source} : jump {name}" for source, name in led.items())
            lines.append(_join(which, where, f"{IP[family]} saddr vmap {{ {jumps} }}"))
            lines.append(_join(which, f"{IP[family]} saddr {{ {', '.join(led)} }}", where, "drop"))
    return lines


def _ended(body: Sequence[str]) -> list[str]:
    """A chain that nothing comes back from."""
    ends = bool(body) and body[-1].startswith(("goto ", "accept", "drop"))
    return [*body] if ends else [*body, "accept"]


def mark_of(address: str) -> int:
    """The number by which an address of a pool (in canonical form) is counted: its last four bytes."""
    _, high, low = address.rsplit(":", 2)
    return int(high or "0", 16) << 16 | int(low or "0", 16)


def _snat(rule: Rule, members: Sequence[str], now: float) -> list[str]:
    """Choose one, count it, leave from it. The choice is kept in the packet's mark, which nothing asks for afterwards:
    a chain of type nat sees only the first packet of a connection, and is not asked again once it has translated it."""
    assert rule.pool is not None
    marks = {mark_of(address): address for address in members}
    if len(marks) == 1:
        ((mark, address),) = marks.items()
        return [f"meta mark set {mark:#x}", COUNT, f"snat ip6 to {address}"]
    number = f"numgen random mod {len(marks)}"
    if rule.pool.per == "destination":
        number = f"jhash ip6 daddr mod {len(marks)} seed {_seed(rule.name)}"
    elif rule.pool.per == "sticky":
        turn = int(now // rule.pool.sticky)
        number = f"jhash ip6 saddr . ip6 daddr mod {len(marks)} seed {_seed(f'{rule.name} {turn}')}"
    drawn = ", ".join(f"{index} : {mark:#x}" for index, mark in enumerate(marks))
    led = ", ".join(f"{mark:#x} : {address}" for mark, address in marks.items())
    return [f"meta mark set {number} map {{ {drawn} }}", COUNT, f"snat ip6 to meta mark map {{ {led} }}", "drop"]


def _seed(words: str) -> str:
    return f"0x{digest(words.encode())[:8]}"


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def _collapsed(destinations: Sequence[str]) -> list[str]:
    """Networks and addresses of one family without overlaps, which nft(8) refuses in one set; addresses that are side
    by side are no network, which a set would have to be of another kind for."""
    every = [ipaddress.ip_network(each) for each in destinations]
    wide = [n for n in every if n.prefixlen < n.max_prefixlen]
    four = ipaddress.collapse_addresses(n for n in wide if isinstance(n, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(n for n in wide if isinstance(n, ipaddress.IPv6Network))
    networks: list[Any] = [*four, *six]
    single = sorted({n.network_address for n in every if n.prefixlen == n.max_prefixlen}, key=int)
    alone = [str(address) for address in single if not any(address in network for network in networks)]
    return [*alone, *map(str, networks)]


def _callees_first(chains: Mapping[str, list[str]]) -> list[str]:
    """nft(8) resolves a jump only to a chain that it has read."""

    def rank(name: str) -> tuple[int, str]:
        if any(line.startswith("type ") for line in chains[name]):
            return 9, name
        others = 2 if name.startswith("pool_") else 4 if name.startswith("relay_") else 3
        return {"instead": 0, "over4": 1, "over6": 1}.get(name, others), name

    return sorted(chains, key=rank)
