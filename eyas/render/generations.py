"""Rules for containers of which two generations may run (`eyas.kind.slots`): whoever asks for the declared address is
led to the current one, and whatever the other one asks for comes from the declared address. Source: nft(8).

The text names the address of the current generation by a variable (``$now4_NAME``), which the host defines in front
of it; so the text is what definitions say, and a switch from one generation to the other is not a change of it. Only
the first packet of a connection meets these rules: one that is there stays with its generation (conntrack).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyas.kind.slots import variable

FAMILIES = ((4, "ip"), (6, "ip6"))


@dataclass(frozen=True)
class Generations:
    """One such container: its declared addresses, and those of its second slot."""

    name: str
    stable4: str
    stable6: str | None
    second4: str
    second6: str | None

    def now(self, family: int) -> str | None:
        """What stands for the address of the current one; None where it has none of this family."""
        return f"${variable(family, self.name)}" if self.stable(family) else None

    def stable(self, family: int) -> str | None:
        return self.stable4 if family == 4 else self.stable6

    def second(self, family: int) -> str | None:
        return self.second4 if family == 4 else self.second6


@dataclass(frozen=True)
class Rules:
    """Lines for the chains of the table: ``dnat`` (prerouting and output), ``own`` (prerouting, before that), ``out``
    (postrouting, before all that is for the bridge), ``uplink`` (postrouting) and ``inward`` (input)."""

    maps: list[str]
    own: list[str]
    dnat: list[str]
    uplink: list[str]
    out: list[str]
    inward: list[str]


def rules(generations: Sequence[Generations], uplink: str) -> Rules:
    """All that the rule set needs for them; nothing at all for a host without any."""
    found = Rules([], [], [], [], [], [])
    for family, ip in FAMILIES:
        rows = [
            (one.name, stable, second, one.now(family))
            for one in sorted(generations, key=lambda one: one.name)
            if (stable := one.stable(family)) and (second := one.second(family))
        ]
        if not rows:
            continue
        kind = f"ipv{family}_addr"
        found.maps.extend(_map(f"stable{family}", f"{kind} : {kind}", [f"{s} : {now}" for _, s, _, now in rows]))
        found.maps.extend(_map(f"second{family}", f"{kind} : {kind}", [f"{second} : {s}" for _, s, second, _ in rows]))
        # The second one finds itself by its name, also while that leads everybody else to the first.
        pairs = [f"{second} . {s} : {second}" for _, s, second, _ in rows]
        found.maps.extend(_map(f"own{family}", f"{kind} . {kind} : {kind}", pairs))
        found.own.append(f"dnat {ip} to {ip} saddr . {ip} daddr map @own{family}")
        found.dnat.append(f"dnat {ip} to {ip} daddr map @stable{family}")
        seconds = ", ".join(second for _, _, second, _ in rows)
        found.uplink.append(f'oifname "{uplink}" {ip} saddr {{ {seconds} }} masquerade')
        # By the public address it may be led to the first one, who would refuse a packet from its own address.
        both = ", ".join(f"{second} . {s}" for _, s, second, _ in rows)
        found.out.append(f"{ip} saddr . {ip} daddr {{ {both} }} masquerade")
        found.out.append(f"snat {ip} to {ip} saddr map @second{family}")
        found.inward.append(f"snat {ip} to {ip} saddr map @second{family}")
    return found


def _map(name: str, kind: str, elements: Sequence[str]) -> list[str]:
    body = ",\n\t\t\t     ".join(elements)
    return [f"\tmap {name} {{", f"\t\ttype {kind}", f"\t\telements = {{ {body} }}", "\t}", ""]
