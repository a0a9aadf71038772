"""What a door is in the packet filter: elements of the sets of `eyas.core.held`, as text for nft(8). No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eyas.core import held
from eyas.core.system import Door
from eyas.core.words import Json

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.host.packet import Flow

MAP = re.compile(r"^\s*map (tcp|udp)[46](_outside)? \{")
FORWARD = re.compile(r'(\d+) comment "([^"]*)" : \S+ \. (\d+)')
LEAST = 0.001  # seconds: what nft can say

Element = tuple[str, str]
"""Name of a set, and an element of it as nft takes it."""


@dataclass(frozen=True)
class Forwarded:
    """A port of the host that leads to a container. ``reflected``: also for containers and the host itself."""

    proto: str
    port: int
    to: int
    reflected: bool


def forwards(ruleset: str, container: str) -> list[Forwarded]:
    """The forwards to a container in a rule set of ours."""
    found: dict[tuple[str, int], Forwarded] = {}
    proto, reflected = "", True
    for line in ruleset.splitlines():
        if start := MAP.match(line):
            proto, reflected = start.group(1), start.group(2) is None
        for port, name, to in FORWARD.findall(line):
            if name == container:
                found[proto, int(port)] = Forwarded(proto, int(port), int(to), reflected)
    return list(found.values())


def family(address: str) -> int:
    return 6 if ":" in address else 4


@dataclass(frozen=True)
class Hold:
    """One door that is held: the elements that hold it, and how packets towards it are known."""

    door: Door
    elements: frozenset[Element]
    forwards: frozenset[tuple[str, int]] = field(default_factory=frozenset)

    def takes(self, flow: Flow, others: Sequence[Hold]) -> bool:
        """Whether an attempt is at this door. ``others`` are those that stay held."""
        if self._by_address(flow):
            return not any(other._by_address(flow) for other in others)
        if (flow.proto, flow.port) not in self.forwards or any(flow.target in other.door.addresses for other in others):
            return False
        return not any((flow.proto, flow.port) in other.forwards for other in others)

    def _by_address(self, flow: Flow) -> bool:
        return flow.target in self.door.addresses and (
            not self.door.ports or (flow.proto, flow.port) in self.door.ports
        )


def hold(door: Door, ruleset: str) -> Hold:
    """What holds a door, under this rule set."""
    elements: set[Element] = set()
    for address in door.addresses:
        if not door.ports:
            elements.add((held.ADDRESS[family(address)], address))
        for proto, port in door.ports:
            elements.add((held.PORT[family(address)], f"{address} . {proto} . {port}"))
    chosen = [f for f in forwards(ruleset, door.container) if not door.ports or (f.proto, f.to) in door.ports]
    for forward in chosen:
        elements.add((held.FORWARD, f"{forward.proto} . {forward.port}"))
        if forward.reflected:
            elements.add((held.REFLECTED, f"{forward.proto} . {forward.port}"))
            for address in door.addresses:
                elements.add((held.SPARED[family(address)], f"{address} . {forward.proto} . {forward.port}"))
    return Hold(door, frozenset(elements), frozenset((f.proto, f.port) for f in chosen))


def put(elements: Mapping[Element, float]) -> str:
    """A transaction that holds elements for so many seconds from now, whatever time they had."""
    lines = []
    for (name, element), seconds in sorted(elements.items()):
        # An element that is there keeps its time when it is added again, and to delete it, it has to be there.
        lines += _drop(name, element)
        lines.append(_add(name, element, seconds))
    return "".join(f"{line}\n" for line in lines)


def drop(elements: Iterable[Element]) -> str:
    """A transaction that lets elements go; it does not matter whether they are there."""
    return "".join(f"{line}\n" for name, element in sorted(elements) for line in _drop(name, element))


def flush() -> str:
    """A transaction that lets go of everything."""
    return "".join(f"flush set inet eyas {name}\n" for name in held.TYPES)


def carried(listing: str, text: str) -> str:
    """What a new rule set needs behind it, to hold what an older one holds: ``listing`` is of ``nft -j list table``."""
    lines = []
    for name, element, seconds in _held(json.loads(listing)):
        if f"set {name} {{" in text:  # a rule set of another version may have none
            lines.append(_add(name, element, seconds))
    return "".join(f"{line}\n" for line in lines)


def _held(listing: Json) -> list[tuple[str, str, float]]:
    objects = listing.get("nftables") if isinstance(listing, dict) else None
    found = []
    for item in objects if isinstance(objects, list) else []:
        entry = item.get("set") if isinstance(item, dict) else None
        if not isinstance(entry, dict) or entry.get("name") not in held.TYPES:
            continue
        elements = entry.get("elem")
        for wrapped in elements if isinstance(elements, list) else []:
            element = wrapped.get("elem") if isinstance(wrapped, dict) else None
            if isinstance(element, dict):
                left = element.get("expires")
                # Whole seconds, rounded down: a hold ends on time or a moment later.
                seconds = (left if isinstance(left, int) else 0) + 1
                found.append((str(entry["name"]), _text(element.get("val")), float(seconds)))
    return found


def _text(value: Json) -> str:
    if isinstance(value, dict) and isinstance(value.get("concat"), list):
        return " . ".join(_text(part) for part in _list(value["concat"]))
    return str(value)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _add(name: str, element: str, seconds: float) -> str:
    milliseconds = int(max(seconds, LEAST) * 1000)
    return f"add element inet eyas {name} {{ {element} timeout {milliseconds}ms }}"


def _drop(name: str, element: str) -> list[str]:
    return [_add(name, element, 1), f"delete element inet eyas {name} {{ {element} }}"]
