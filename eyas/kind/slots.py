"""Two generations of a stateless container side by side: the slots they run in, and who is the current one.

Slot ``a`` is the container as every other one: machine, unit and files by its name, its declared address on the wire.
Slot ``b`` has names of its own (NAME.b), an address of its own, a machine id of its own; user ids, SSH host keys and
hostname are the container's. In both, clients use the declared address: the packet filter leads new connections to
the current slot (a ``define`` in front of the rule set for each such container), connections that are there stay.

What a spec has beyond that of other containers: ``stateless`` and ``beside``, an object with address4, address6,
machine_id of slot b, and probe4, by which the host reaches slot a also while b is the current one. On disk and in
prints ``slot`` says whose spec it is; `bare` is the spec without it, which is what definitions can say.

A file of one letter says which slot is current (`eyas.core.paths.slot`), and only matters while both are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from eyas.core import paths
from eyas.core.system import Files
from eyas.core.words import Fields, Json, Resource, Step

SLOTS = ("a", "b")
END = ".b"  # no name of a container has a dot
DEFINE = "define now"
VARIABLE = re.compile(r"\$now([46])_([a-z0-9-]+)")


def machine(container: str, slot: str) -> str:
    """The name that a slot's unit, root, files and machine have."""
    return container + END if slot == "b" else container


def split(machine_: str) -> tuple[str, str]:
    """(container, slot) of such a name."""
    return (machine_.removesuffix(END), "b") if machine_.endswith(END) else (machine_, "a")


def other(slot: str) -> str:
    return "a" if slot == "b" else "b"


def machine_of(step: Step) -> str:
    """The slot that a step of a container is about."""
    return str(step.args.get("machine") or step.id.split(":", 1)[1])


def slot_args(have: Resource) -> dict[str, Json]:
    """What a step says of the slot that an observed container is in."""
    return {"machine": machine(have.name, "b")} if have.fields.get("slot") == "b" else {}


def slot_of(spec: Fields) -> str:
    return str(spec.get("slot") or "a")


def bare(spec: Mapping[str, Json]) -> dict[str, Json]:
    """A spec as definitions give it: the same for both slots."""
    return {key: value for key, value in spec.items() if key != "slot"}


def sited(spec: Mapping[str, Json], slot: str) -> dict[str, Json]:
    """The spec of one slot; that of a container that has only one says nothing of slots."""
    return {**spec, "slot": slot} if spec.get("stateless") else dict(spec)


def beside(spec: Fields) -> Mapping[str, Json]:
    value = spec.get("beside")
    return value if isinstance(value, dict) else {}


def own(spec: Fields, field: str) -> Json:
    """A field that differs between the slots: address4, address6 or machine_id."""
    return beside(spec).get(field) if slot_of(spec) == "b" else spec.get(field)


def probed(spec: Fields) -> str:
    """The address by which the host reaches exactly this slot, whichever is the current one."""
    if slot_of(spec) == "b":
        return plain(beside(spec).get("address4"))
    return plain(beside(spec).get("probe4") or spec.get("address4"))


def plain(address: Json) -> str:
    """An address without its prefix length."""
    return str(address or "").partition("/")[0]


def hardware(address4: str) -> str:
    """The hardware address of whoever has this IPv4 address on the wire: locally administered, the address written out.
    By it the bridge knows who may send what (`eyas.render.wire`)."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0xE7, *(int(part) for part in plain(address4).split("."))))


def present(files: Files, container: str) -> list[str]:
    """The slots of a container that have a spec on this host."""
    return [slot for slot in SLOTS if files.stat(paths.spec(machine(container, slot))) is not None]


def current(files: Files, container: str) -> str:
    """The slot that clients are led to. Said by a file; where that slot is not there, the other one is meant."""
    said = (files.read(paths.slot(container)) or b"").decode(errors="replace").strip()
    slot = said if said in SLOTS else "a"
    there = present(files, container)
    return slot if slot in there or not there else there[0]


def machine_now(files: Files, container: str) -> str:
    """The machine that a container is right now."""
    return machine(container, current(files, container))


def unit_names(containers: Sequence[str], twice: Sequence[str]) -> list[str]:
    """Their units; both of those that may have two."""
    slots = {name: SLOTS if name in twice else SLOTS[:1] for name in containers}
    return [paths.unit_name(machine(name, slot)) for name in containers for slot in slots[name]]


# The packet filter


def variable(family: int, container: str) -> str:
    """The name in the rule set's text for the address of the current slot (nft(8), "Symbolic variables")."""
    return f"now{family}_{container}"


def named(ruleset: str) -> set[str]:
    """The stateless containers that a rule set knows."""
    return {container for _, container in VARIABLE.findall(ruleset)}


def defines(files: Files, ruleset: str, moved: Mapping[str, str] | None = None) -> str:
    """The lines in front of a rule set: where connections of each stateless container that it names go. ``moved`` has
    the slots of some containers, whatever is said on disk."""
    lines = []
    for family, container in sorted(set(VARIABLE.findall(ruleset))):
        slot = (moved or {}).get(container) or current(files, container)
        address = plain(own(_spec(files, machine(container, slot)), f"address{family}"))
        if address:
            lines.append(f"{DEFINE}{family}_{container} = {address}\n")
    return "".join(lines)


def without_defines(text: str) -> str:
    """A rule set's text without those lines: what definitions can say."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(DEFINE))


def defined(text: str) -> str:
    """Those lines alone."""
    return "".join(line for line in text.splitlines(keepends=True) if line.startswith(DEFINE))


def _spec(files: Files, machine_: str) -> dict[str, Json]:
    data = files.read(paths.spec(machine_))
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
