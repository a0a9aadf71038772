"""What a difference between two specs of a container costs, and how it is said. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eyas.core.grants import reasons
from eyas.core.words import FieldChange, Fields, Impact, Json
from eyas.kind.common import table
from eyas.kind.container import binds
from eyas.kind.container.text import tables, words

# Fields whose change needs a new start: what systemd-nspawn was told, and what the root was made from.
RESTART = (
    "tree", "root_size", "root_backing", "uid_base", "machine_id", "bridge",
    "address4", "gateway4", "address6", "gateway6", "grants", "stateless", "beside",
)  # fmt: skip
# Fields that systemd and our scripts read anew by themselves.
LIVE = (
    "description",
    "limits",
    "stop_timeout",
    "start_timeout",
    "hold",
    "drain",
    "settle",
    "after",
    "needs",
    "restart_with",
    "twice",
    "probes",
    "noise",
    "autostart",
    "binds",  # some of them need a restart: see `eyas.kind.container.binds`
)
# What is only shown; ``layer`` is said by its files.
SHOWN = ("image", "packages")
SPEC = (*RESTART, *LIVE, *SHOWN, "layer", "files", "name")
"""All fields of a spec, in no order that matters. Others (of a later version) are compared as ``restart``."""

UNIT_PLACES = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")
SUFFIXES = (".service", ".socket", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".target")
HELD = (".mount", ".swap")  # what uses them can keep them from going
BYTES = ("memory_max", "memory_high")
LIMITS = {
    "memory_max": "memory",
    "memory_high": "memory high",
    "cpu_quota": "CPU quota",
    "cpu_weight": "CPU weight",
    "io_weight": "IO weight",
    "tasks_max": "tasks",
}


def compare_specs(want: Fields, have: Fields) -> list[FieldChange]:
    """All differences between what is declared and what is in effect."""
    found: list[FieldChange] = []
    for field in sorted({*want, *have} - {"state", "files", "layer", "name", *SHOWN, *DRIFTS}):
        old, new = have.get(field), want.get(field)
        if field == "binds":
            found += binds.compare(want, have)
        elif not _same(old, new):
            impact = Impact.live if field in LIVE else Impact.restart
            found += _SAID.get(field, _plain)(field, old, new, impact)
    found = [_with_packages(change, want, have) if change.field == "tree" else change for change in found]
    if not any(change.field == "tree" for change in found):
        # What is shown changed, and nothing that runs: an image got another name.
        for field in SHOWN:
            if not _same(have.get(field), want.get(field)):
                found.append(FieldChange(field, None, None, Impact.none, f"{field} renamed"))
    return found + compare_files(table(want.get("files")), table(have.get("files")))


DRIFTS = ("disk", "disk_drift", "unit_drift", "print_drift")


def _same(old: Json, new: Json) -> bool:
    """Equal, where nothing, an empty list and an empty table are one thing."""
    return (old or None) == (new or None)


def _plain(field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    name = field.replace("_", " ")
    if field in ("address4", "address6"):
        name = "address"
    if isinstance(old, list) or isinstance(new, list):
        old_words, new_words = words(old), words(new)
        parts = [f"{word} added" for word in new_words if word not in old_words]
        parts += [f"{word} removed" for word in old_words if word not in new_words]
        return [FieldChange(field, old, new, impact, f"{name}: {', '.join(parts) or 'order changed'}")]
    return [FieldChange(field, old, new, impact, f"{name} {_shown(field, old)} -> {_shown(field, new)}")]


def _grants(field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    """Each that comes says what it opens, and why."""
    before, after = words(old), words(new)
    parts = [f"{reasons([word])} added" for word in after if word not in before]
    parts += [f"{word} removed" for word in before if word not in after]
    return [FieldChange(field, old, new, impact, f"grants: {', '.join(parts) or 'order changed'}")]


def _shown(field: str, value: Json) -> str:
    if value is None or value == "":
        return "none"
    if field in (*BYTES, "root_size") and isinstance(value, int):
        return size(value)
    if field == "cpu_quota":
        return f"{value} %"
    if field.endswith("_timeout") or field in ("hold", "drain", "settle"):
        return f"{value} s"
    return str(value)


def size(value: int) -> str:
    """Bytes as a person wrote them: 2147483648 is 2G."""
    for exponent, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if value >= 1 << exponent and value % (1 << exponent) == 0:
            return f"{value >> exponent}{unit}"
    return str(value)


def _limits(_field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    before, after = table(old), table(new)
    return [
        FieldChange(
            f"limits.{key}",
            before.get(key),
            after.get(key),
            impact,
            f"{LIMITS.get(key, key)} {_shown(key, before.get(key))} -> {_shown(key, after.get(key))}",
        )
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def probe_title(probe: Mapping[str, Json]) -> str:
    """A probe as our probe script names it."""
    kind = str(probe.get("type"))
    if kind in ("tcp", "http"):
        return f"{kind} {probe.get('port')}" + (f" {probe.get('path') or '/'}" if kind == "http" else "")
    return f"command {' '.join(words(probe.get('argv')))}" if kind == "command" else f"unit {probe.get('unit')}"


def _probes(_field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    before, after = ({probe_title(probe): probe for probe in tables(value)} for value in (old, new))
    found = []
    for title in sorted({*before, *after}):
        if before.get(title) != after.get(title):
            verb = "added" if title not in before else "removed" if title not in after else "changed"
            found.append(FieldChange(f"probes.{title}", None, None, impact, f"probe {title} {verb}"))
    return found or [FieldChange("probes", None, None, impact, "probes in another order")]


def _tree(field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    return [FieldChange(field, old, new, impact, "image rebuilt")]


def _autostart(field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    return [FieldChange(field, old, new, impact, f"start at boot {'on' if new else 'off'}")]


def _stateless(field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    said = "from now on it can run twice" if new else "from now on it runs once only"
    return [FieldChange(field, old, new, impact, f"stateless: {said}")]


def _beside(field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    if not (old and new):
        return []  # said by ``stateless``
    return [FieldChange(field, old, new, impact, "addresses of its generations changed")]


def _twice(field: str, old: Json, new: Json, impact: Impact) -> list[FieldChange]:
    return [FieldChange(field, old, new, impact, "order of its start follows what is stateless now")]


_SAID: dict[str, Callable[[str, Json, Json, Impact], list[FieldChange]]] = {
    "limits": _limits,
    "probes": _probes,
    "tree": _tree,
    "autostart": _autostart,
    "stateless": _stateless,
    "beside": _beside,
    "grants": _grants,
    "twice": _twice,
}


def _with_packages(change: FieldChange, want: Fields, have: Fields) -> FieldChange:
    """The tree's difference in terms of packages, as far as the specs name them."""
    before, after = table(have.get("packages")), table(want.get("packages"))
    parts = [f"package {name} added" for name in sorted(after) if name not in before]
    parts += [f"package {name} removed" for name in sorted(before) if name not in after]
    parts += [
        f"package {name} {before[name]} -> {after[name]}"
        for name in sorted(after)
        if name in before and before[name] != after[name]
    ]
    if len(parts) > 4:
        parts = [*parts[:3], f"{len(parts) - 3} more"]
    return FieldChange(change.field, change.old, change.new, change.impact, ", ".join(parts) or change.note)


def compare_files(want: Mapping[str, Json], have: Mapping[str, Json]) -> list[FieldChange]:
    """Files of the configuration layer, each with the unit inside that must notice."""
    found = []
    for path in sorted({*want, *have}):
        new, old = table(want.get(path)), table(have.get(path))
        if _content(new) == _content(old):
            continue
        verb = "added" if not old else "removed" if not new else "changed"
        impact, unit = notices(path, new, old)
        if impact in (Impact.reload, Impact.restart_unit) and not new and _gone(unit, want, have):
            impact = Impact.live  # there is nothing left to restart, or to reload
        found.append(FieldChange(f"files.{path}", old.get("digest"), new.get("digest"), impact, f"{path} {verb}", unit))
    return found


def _gone(unit: str, want: Mapping[str, Json], have: Mapping[str, Json]) -> bool:
    """Whether the file of a unit is removed."""
    files = [place + unit.replace("@*.", "@.") for place in UNIT_PLACES]
    return any(file in have and file not in want for file in files)


def _content(entry: Mapping[str, Json]) -> dict[str, Json]:
    """What of a manifest entry is in the file: a changed hook alone changes nothing."""
    return {key: value for key, value in entry.items() if key not in ("reload", "restart")}


def notices(path: str, new: Mapping[str, Json], old: Mapping[str, Json]) -> tuple[Impact, str]:
    """Who in the container must notice that a file changed: its declared hooks, or the unit that it is a part of.

    ``new`` and ``old`` are entries of the manifest, empty where there is none.
    """
    entry = new or old
    restart, reload = words(entry.get("restart")), words(entry.get("reload"))
    if restart:
        return Impact.restart_unit, restart[0]
    if reload:
        return Impact.reload, reload[0]
    unit = unit_of(path)
    if not unit or entry.get("type") != "file":
        return Impact.live, unit
    if unit.endswith(HELD):
        return (Impact.restart if old else Impact.live), unit
    return (Impact.restart_unit if new or not own_unit(path) else Impact.live), unit


def unit_of(path: str) -> str:
    """The unit that a path is the file or a drop-in of, '' for any other. A template stands for all its instances, a
    prefix (``x-.service.d``) for all units that begin so (systemd.unit(5))."""
    for place in UNIT_PLACES:
        if not path.startswith(place):
            continue
        first, _, rest = path.removeprefix(place).partition("/")
        name = first.removesuffix(".d") if rest and first.endswith(".d") else first if not rest else ""
        if name.endswith(SUFFIXES):
            return (name.replace("-.", "-*.") if rest else name).replace("@.", "@*.")
    return ""


def own_unit(path: str) -> str:
    """The unit that a path is the file of, not one of its drop-ins."""
    unit = unit_of(path)
    return unit if path.endswith((f"/{unit}", f"/{unit.replace('@*.', '@.')}")) else ""


def wanted_unit(path: str) -> str:
    """The unit that a link below a .wants or .requires folder enables, '' for any other path."""
    for place in UNIT_PLACES:
        if path.startswith(place):
            folder, _, name = path.removeprefix(place).partition("/")
            if folder.endswith((".wants", ".requires", ".upholds")) and name and "/" not in name:
                return name
    return ""
