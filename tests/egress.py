"""Declarations of egress for tests without definitions: fields of ``egress:eyas``, and addresses in a known order."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from eyas.core.words import Json

RANGE = "2001:db8:5:1:8000::/65"
POOL: dict[str, Json] = {"size": 4, "life": 3600, "uses": 0, "per": "connection", "sticky": 600, "rest": 600}
THERE = "2001:db8:77::1"


def rule(name: str = "forge/all", **more: Any) -> dict[str, Json]:
    """One rule: a pool of four for everything, unless something else is said."""
    fields: dict[str, Json] = {
        "name": name,
        "container": name.partition("/")[0],
        "sources4": ["10.0.5.20"],
        "sources6": ["fd00:5::20"],
        "names": [],
        "networks": [],
        "ports": [],
        "via": "pool",
        "address4": "",
        "address6": "",
        "pool": {**POOL},
        "ipv4": "allowed",
        "ceiling": 0,
        "mark": 0,
    }
    pool = more.pop("pool", {})
    return {**fields, **more, "pool": {**POOL, **pool} if more.get("via", "pool") == "pool" else {}}


def fields(*rules: dict[str, Json], **more: Any) -> dict[str, Json]:
    """All of a host."""
    made: dict[str, Json] = {
        "uplink": "eth0",
        "address6": "2001:db8:5:1::2",
        "prefix6": "2001:db8:5:1::/64",
        "gateway6": "fe80::1",
        "range": RANGE,
        "mode": "find",
        "never": ["2001:db8:5:1::"],
        "inbound": [["203.0.113.112", 80]],
        "vantage": [],
        "resolver": "10.0.5.1",
        "rules": [*(rules or (rule(),))],
    }
    return {**made, **more}


def address(number: int) -> str:
    """The address of the range with this number."""
    return str(ipaddress.IPv6Network(RANGE)[number])


def in_order() -> Callable[[], int]:
    """Chance that draws 1, 2, 3 ..."""
    number = 0

    def draw() -> int:
        nonlocal number
        number += 1
        return number

    return draw
