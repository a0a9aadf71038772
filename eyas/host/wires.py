"""What containers with new addresses may use until they restart: elements for `eyas.core.held.LEFT`. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from eyas.core import held
from eyas.core.words import Json

SET = re.compile(r"set (\w+) \{(.*?)\n\t\}", re.DOTALL)
ELEMENT = re.compile(r'"([^"]+)" \. ([0-9a-f.:]+)')

Uses = Mapping[str, set[tuple[str, str]]]
"""(port of the bridge, hardware or IP address) by the name of a set."""


def left(listing: str, text: str) -> str:
    """What a new rule set needs behind it, so that nobody's frames are dropped before he has restarted: all that an
    older one allows, and that the new one gives to nobody. ``listing`` is of ``nft -j list table bridge eyas``."""
    new = in_text(text)
    old = in_listing(listing)
    ports = {port for port, _ in new.get("wires", set())}
    lines = []
    for name, (source, _) in held.LEFT.items():
        if name not in new:  # a rule set of another version
            continue
        taken = {address for _, address in new.get(source, set())}
        both = old.get(source, {}) | old.get(name, {})
        for (port, address), seconds in sorted(both.items()):
            if port in ports and address not in taken:
                lines.append(f'add element bridge eyas {name} {{ "{port}" . {address} timeout {seconds}s }}')
    return "".join(f"{line}\n" for line in lines)


def in_text(text: str) -> Uses:
    """The sets of a rule set of ours, as it was written."""
    return {name: {(port, address) for port, address in ELEMENT.findall(body)} for name, body in SET.findall(text)}


def in_listing(listing: str) -> dict[str, dict[tuple[str, str], int]]:
    """The same of what the kernel has; with the seconds that it may be used for, once it is not declared any more."""
    found: dict[str, dict[tuple[str, str], int]] = {}
    for item in _list(_get(json.loads(listing), "nftables")):
        entry = _get(item, "set")
        for wrapped in _list(_get(entry, "elem")):
            element = _get(wrapped, "elem") or wrapped
            value = element if _get(element, "val") is None else _get(element, "val")
            parts = [str(part) for part in _list(_get(value, "concat"))]
            if len(parts) == 2:
                expires = _get(element, "expires")
                seconds = expires + 1 if isinstance(expires, int) else held.LEFT_SECONDS
                found.setdefault(str(_get(entry, "name")), {})[parts[0], parts[1]] = seconds
    return found


def _get(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
