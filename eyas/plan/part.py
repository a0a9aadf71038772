"""A plan for a part of what is declared: some containers (and the host, by the name ``host``), the rest stays. Pure.

What is not chosen is wanted as it was wanted by the last run that was kept, so that the part is a whole: the host holds
exactly that afterwards, and a rollback can lead there. What a chosen container stands on comes along: its tree, layer
and directories, eyas's own programs, and of the host what is not there at all yet (a bridge). Names are taken line by
line. The firewall is one table in one transaction: it comes along when all that differs in it is of the chosen ones,
and stays as it is otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from eyas.core import paths
from eyas.core.errors import UsageError
from eyas.core.words import Action, Change, Json, Plan, Resource, Resources
from eyas.kind.container import spec
from eyas.kind.slots import VARIABLE, beside, variable
from eyas.plan.make import plan

HOST = "host"
OBSERVED = ("edited", "drift", "file", "pending", "placeholder_drift", "missing_drift", "shown_drift")
"""What only a look at a host adds to fields."""
SHARED = ("firewall", "names")


@dataclass(frozen=True)
class Left:
    """A change that stays undone: of whom, and why where that is not plain."""

    id: str
    owner: str
    why: str = ""

    def to_json(self) -> dict[str, Json]:
        return {"id": self.id, "owner": self.owner, "why": self.why}


@dataclass(frozen=True)
class Part:
    """A plan, the state that it leads to, and what was left out of it."""

    plan: Plan
    desired: dict[str, Resource]
    left: tuple[Left, ...]


def part(desired: Resources, actual: Resources, last: Resources, host: str, names: Collection[str]) -> Part:
    """The plan for these owners. ``last`` is what the last kept run wanted, empty when there was none."""
    whole = plan(desired, actual, host)
    shared, why = _shared(desired, actual, names)
    chosen = _chosen(desired, actual, names) | {c.id for c in whole.changes if _missing(c, actual)}
    wanted = {id_: resource for id_, resource in desired.items() if id_ in chosen}
    for id_ in {*actual, *last} - chosen:
        keeps = last.get(id_) or actual[id_]
        if id_ in last or not last or keeps.kind not in ("tree", "layer"):
            wanted[id_] = as_wanted(keeps)
    wanted |= shared
    # Of what is not chosen nobody mends anything here, not even where a partner's restart passes by.
    seen = {id_: have if id_ in chosen else _calm(have) for id_, have in actual.items()}
    made = plan(_with_partners(wanted, actual, chosen), seen, host, only={*chosen, *shared})
    done = {change.id for change in made.changes if change.id in chosen or change.id in shared}
    left = [Left(c.id, c.owner, why.get(c.id, "")) for c in whole.changes if c.id not in done]
    left += [Left(id_, HOST, said) for id_, said in why.items() if id_ in done]
    return Part(made, dict(sorted(wanted.items())), tuple(left))


def _chosen(desired: Resources, actual: Resources, names: Collection[str]) -> set[str]:
    """Ids that belong to these owners, and those that the containers among them stand on."""
    found = set()
    for id_ in {*desired, *actual}:
        resource = desired.get(id_) or actual[id_]
        if (resource.owner in names and resource.kind not in ("tree", *SHARED)) or own(id_):
            found.add(id_)
    for name in names:
        container = desired.get(f"container:{name}")
        if container is not None:
            found.add(f"tree:{container.fields.get('tree')}")
        if container is not None and container.fields.get("stateless"):  # the way to its second slot
            found |= {id_ for id_, resource in desired.items() if resource.kind == "network"}
    return found


def own(id_: str) -> bool:
    """eyas's own programs and boot units: one version serves all containers. Other units of that name are made from the
    definitions."""
    kind, _, name = id_.partition(":")
    return (kind == "file" and name.startswith(f"{paths.PROGRAMS}/")) or (kind == "unit" and name in paths.BOOT_UNITS)


def _missing(change: Change, actual: Resources) -> bool:
    """A link or a service of eyas that is not on the host, and on one without containers what the kernel must do for
    any."""
    if change.action is not Action.create:
        return False
    first = not any(resource.kind == "container" for resource in actual.values())
    service = change.kind == "unit" and change.id.startswith("unit:eyas-")
    return change.kind == "network" or service or (first and change.kind == "sysctl")


def as_wanted(resource: Resource) -> Resource:
    """An observed resource as a definition would ask for it; one that was wanted stays as it is."""
    fields = resource.fields
    if resource.kind == "container":
        disk = fields.get("disk")
        fields = disk if isinstance(disk, dict) and disk else spec(resource)
    else:
        fields = {key: value for key, value in fields.items() if key not in OBSERVED}
    return Resource(resource.id, resource.kind, resource.owner, fields, resource.origin)


def _calm(have: Resource) -> Resource:
    """An observed container without what is wrong with it on disk."""
    if have.kind != "container":
        return have
    fields = {key: value for key, value in have.fields.items() if key not in ("disk_drift", "print_drift", "pending")}
    return Resource(have.id, have.kind, have.owner, fields, have.origin)


def _with_partners(wanted: Mapping[str, Resource], actual: Resources, chosen: Collection[str]) -> dict[str, Resource]:
    """The wanted state as the plan needs it: who is not chosen, and restarts along, starts from what is on disk."""
    partners = {
        id_: as_wanted(have)
        for id_, have in actual.items()
        if have.kind == "container" and id_ not in chosen and id_ in wanted
    }
    return {**wanted, **partners}


# What all share


def _shared(
    desired: Resources, actual: Resources, names: Collection[str]
) -> tuple[dict[str, Resource], dict[str, str]]:
    """Names and firewall as the part wants them; and why something of them stays out, by id."""
    found: dict[str, Resource] = {}
    why: dict[str, str] = {}
    for id_ in ("names:hosts", "firewall:eyas"):
        want, have = desired.get(id_), actual.get(id_)
        if want is None:
            continue
        if have is None or HOST in names:
            if have is not None and want.kind == "firewall":
                _refuse_alone(str(have.fields.get("ruleset", "")), str(want.fields["ruleset"]), names)
            found[id_] = want
            continue
        if want.kind == "names":
            text = merged_names(str(have.fields["content"]), str(want.fields["content"]), names)
            found[id_] = Resource(id_, want.kind, want.owner, {"content": text}, want.origin)
            if text != want.fields["content"]:
                why[id_] = "names of the others stay as they are"
            continue
        old, new = str(have.fields.get("ruleset", "")), str(want.fields["ruleset"])
        if old == new or not have.fields.get("ruleset"):
            continue
        strange = strange_lines(old, new, names, _addresses(desired, actual, names))
        if strange:
            _refuse_led(desired, actual, names, strange)
            why[id_] = "it is one table for all, and not only what was named differs in it; --only host takes it"
        else:
            found[id_] = want
    return found, why


def _refuse_alone(old: str, new: str, names: Collection[str]) -> None:
    """Rules that lead to a container by a name come with that container."""
    before, after = Counter(_facts(old)), Counter(_facts(new))
    moved = "\n".join([*(before - after), *(after - before)])
    others = sorted({name for _, name in VARIABLE.findall(moved)} - set(names))
    if others:
        raise UsageError(
            f"cannot change the host's firewall alone: it leads connections to {', '.join(others)} in another way",
            f"name these too: --only {' '.join([*names, *others])}",
        )


def _refuse_led(desired: Resources, actual: Resources, names: Collection[str], strange: list[str]) -> None:
    """A container that the rules lead to by a name that goes with it cannot go before they do."""
    for name in names:
        want, have = desired.get(f"container:{name}"), actual.get(f"container:{name}")
        if have is not None and have.fields.get("stateless") and (want is None or not want.fields.get("stateless")):
            raise UsageError(
                f"cannot change {name} alone: the firewall leads connections to it, and differs in more ({strange[0]})",
                "name the others too, or: host",
            )


def merged_names(old: str, new: str, names: Collection[str]) -> str:
    """A hosts(5) file with the lines of ``names`` from the new one, all others from the old one."""

    def of(text: str, ours: bool) -> list[str]:
        return [line for line in text.splitlines() if (_named(line) in names) is ours]

    both = [*of(old, False), *of(new, True)]
    if sorted(both) == sorted(new.splitlines()):
        return new
    return "".join(f"{line}\n" for line in both)


def _named(line: str) -> str:
    """Whose a line of a hosts file is: it says so behind the name of a site; otherwise the name's."""
    text, _, owner = line.partition("#")
    return owner.strip() or (text.split()[1:2] or [""])[0]


def _addresses(desired: Resources, actual: Resources, names: Collection[str]) -> set[str]:
    """Addresses that the chosen containers have, or are to have, and what stands for them in rules
    (`eyas.kind.slots.variable`)."""
    found = {f"${variable(family, name)}" for name in names for family in (4, 6)}
    for resources in (desired, actual):
        for name in names:
            container = resources.get(f"container:{name}")
            fields = container.fields if container is not None else {}
            both = beside(fields)
            said = [fields.get("address4"), fields.get("address6"), *(both.get(key) for key in OTHERS)]
            found |= {str(address or "").partition("/")[0] for address in said} - {""}
    return found


OTHERS = ("address4", "address6", "probe4", "probe6")  # of a container that may have two generations
# What comes with the first element of a map or set, and goes with the last.
FRAME = re.compile(
    r"^([{}]|elements = \{|(map|set|chain) \w+ \{|type \S+ .*"
    r"|.* @(tcp|udp|stable|second|own|itself)[46]\w*\b.*)$"
)
INLINE = re.compile(r"^(.*)\{ ([^{}]*) \}(.*)$")  # a rule for several at once


def strange_lines(old: str, new: str, names: Collection[str], addresses: Collection[str]) -> list[str]:
    """Lines that come or go between two rule sets and are of none of these containers: what only holds elements
    together does not count."""
    before, after = Counter(_facts(old)), Counter(_facts(new))
    moved = [*(before - after), *(after - before)]
    return [line for line in moved if not FRAME.match(line) and not _of(line, names, addresses)]


def _facts(text: str) -> Iterator[str]:
    """The lines of a rule set, one for each element."""
    for line in text.splitlines():
        rule = INLINE.match(line.strip())
        if rule is not None and not line.strip().startswith("elements"):
            yield from (f"{rule[1]}{{ {each.strip()} }}{rule[3]}" for each in rule[2].split(","))
            continue
        plain = line.strip().removeprefix("elements = {").removesuffix("}").strip().rstrip(",")
        if plain:
            yield plain


def _of(line: str, names: Collection[str], addresses: Collection[str]) -> bool:
    said = re.findall(r'comment "([^"]*)"', line)
    if said:
        return all(name.partition(" to ")[0] in names for name in said)
    return bool(set(re.split(r"[\s,;{}]+", line)) & set(addresses))
