"""A lab of containers whose connections leave by rules, and programs that make many connections."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyas.lab.upstream import Site
from tests.lab.rig import Rig

HERE = Path(__file__).parent
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
DUAL, FOUR, SIX = "sources.example.net", "four.example.net", "six.example.net"
SITES = (Site(DUAL), Site(FOUR, families="4"), Site(SIX, families="6"))
MANY = (HERE / "many.py").read_text()
ALPHA = 1e-4
"""How rarely a test of a distribution may fail although all is well."""


@dataclass
class Egress(Rig):
    declared = HERE / "fleet"

    def many(self, place: str, url: str, count: int = 1, *, family: int = 0, at_once: int = 16) -> list[str]:
        """Ask so often, each time on a connection of its own: what was answered, or what went wrong."""
        words = ("--count", str(count), "--at-once", str(at_once), "--family", str(family))
        said = self.succeed(place, "python3", "-c", MANY, *words, url, timeout=300)
        found: list[str] = json.loads(said)
        return found

    def egress(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json("egress", *words)
        return found

    def wait_names(self) -> None:
        """Until the host knows all names that its rules are about."""

        def known() -> bool:
            return all(found for rule in self.egress()["rules"] for found in rule["names"].values())

        self.host.wait_until(known, "names of egress rules are known")

    def pool(self, rule: str) -> list[str]:
        """The addresses of a rule's pool."""
        (found,) = [pool for pool in self.egress()["pools"] if pool["rule"] == rule]
        return [each["address"] for each in found["addresses"]]

    def rules(self) -> str:
        """The rules of the host's table, without what the kernel counts."""
        return self.host.succeed("nft", "-t", "list", "table", "inet", "eyas_egress")


def uneven(counts: Mapping[str, int], over: Sequence[str]) -> float:
    """The chance that connections which choose among these addresses, all alike, are spread as unevenly as these or
    more so (Pearson's chi-squared test)."""
    total, cells = sum(counts.values()), len(over)
    expected = total / cells
    statistic = sum((counts.get(each, 0) - expected) ** 2 / expected for each in over)
    return _upper((cells - 1) / 2, statistic / 2)


def _upper(a: float, x: float) -> float:
    """The regularized upper incomplete gamma function: by its series, or by its continued fraction (Lentz)."""
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, 10_000):
            term *= x / (a + n)
            total += term
            if term < total * 1e-15:
                break
        return 1.0 - scale * total
    b, c = x + 1 - a, 1e300
    d = 1 / b
    fraction = d
    for n in range(1, 10_000):
        factor = -n * (n - a)
        b += 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        fraction *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return scale * fraction
