"""Whether limits hold: what is declared, against what the kernel says it does. Pure.

Three things are told of a limit: it is *held*; it is *void* (declared, and without effect, with the reason); or it is
*hit* (it holds somebody back right now, or has killed), which names the one to look at when a host is under pressure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eyas.core.words import Fields, Json
from eyas.kind.container.compare import size as show

FULL = 0.97  # part of a root or RAM disk that is used
STALLED = 10.0  # per cent of the last ten seconds
SHORT = 50.0  # the same, of waiting for processors that a limit keeps from it
UNWEIGHED = "no disk of the host shares its time by weights: none has the scheduler bfq, and io.cost is off"
ABSENT = "the kernel gives its group no controller "
PERIOD = 100000  # of cpu.max, microseconds


@dataclass(frozen=True)
class Limit:
    """One limit of a container. ``declared`` and ``found`` as people write them; ``said`` completes a sentence."""

    name: str
    state: str  # held, void or hit
    declared: str = ""
    found: str = ""
    said: str = ""

    def to_json(self) -> dict[str, Json]:
        return {
            "limit": self.name,
            "state": self.state,
            "declared": self.declared,
            "found": self.found,
            "said": self.said,
        }


@dataclass(frozen=True)
class _Kind:
    """How a field of the spec reads back: which controller, which file, what it has to say there."""

    name: str
    controller: str
    files: tuple[str, ...]
    read: Callable[[str], str]
    show: Callable[[Any], str] = str


def _plain(text: str) -> str:
    return text


def _bytes(text: str) -> str:
    return show(int(text)) if text.isdigit() else text


def _quota(text: str) -> str:
    """``20000 100000`` of cpu.max as processors."""
    quota, _, period = text.partition(" ")
    return f"{int(quota) / int(period or PERIOD):g}" if quota.isdigit() else quota


def _weight(text: str) -> str:
    """``default 100`` of io.weight, or the number alone."""
    return text.partition("\n")[0].removeprefix("default ").strip()


KINDS: Mapping[str, _Kind] = {
    "memory_max": _Kind("memory", "memory", ("memory.max",), _bytes, show),
    "memory_high": _Kind("memory_high", "memory", ("memory.high",), _bytes, show),
    "cpu_quota": _Kind("cpus", "cpu", ("cpu.max",), _quota, lambda percent: f"{percent / 100:g}"),
    "cpu_weight": _Kind("cpu_weight", "cpu", ("cpu.weight",), _plain),
    "io_weight": _Kind("io_weight", "io", ("io.weight", "io.bfq.weight"), _weight),
    "tasks_max": _Kind("tasks", "pids", ("pids.max",), _plain),
}


def limits(spec: Fields, seen: Mapping[str, Json]) -> tuple[Limit, ...]:
    """What is to be said of a running container. ``spec`` is what it was started from, with later live changes;
    ``seen`` what `eyas.host.limits.effect` read."""
    return (*_groups(spec, seen), *_spaces(seen), *_stalls(seen))


def _groups(spec: Fields, seen: Mapping[str, Json]) -> Iterator[Limit]:
    files, events = _table(seen.get("files")), {**_table(seen.get("events")), **_table(seen.get("stalls"))}
    there = seen.get("controllers")
    controllers = there if isinstance(there, list) else []
    for field, value in sorted(_table(spec.get("limits")).items()):
        kind = KINDS.get(field)
        if kind is None or value is None:
            continue
        want = kind.show(value)
        texts = [str(files[name]) for name in kind.files if name in files]
        found = kind.read(texts[0]) if texts else ""
        if kind.controller not in controllers:
            yield Limit(kind.name, "void", want, "", ABSENT + kind.controller)
        elif not texts:
            yield Limit(kind.name, "void", want, "", f"there is no {' or '.join(kind.files)}")
        elif not any(_same(field, kind.read(text), want) for text in texts):
            yield Limit(kind.name, "void", want, found, f"{kind.files[0]} says {found}")
        elif kind.controller == "io" and seen.get("weighed") is False:
            yield Limit(kind.name, "void", want, found, UNWEIGHED)
        else:
            yield from _hits(kind.name, want, found, events)


def _same(field: str, found: str, want: str) -> bool:
    """The kernel rounds memory down to pages."""
    if field.startswith("memory") and found != want:
        return found.isdigit() and want.isdigit() and 0 <= int(want) - int(found) < 65536
    return found == want


def _hits(name: str, want: str, found: str, events: Mapping[str, Any]) -> Iterator[Limit]:
    counts = ("memory.events oom_kill", "pids.events max", "cpu.stat nr_throttled")
    killed, refused, throttled = (_int(events.get(key)) for key in counts)
    waits, slow = (_percent(events.get(key)) for key in ("cpu", "memory"))
    if name == "memory" and killed:
        some = "process was" if killed == 1 else "processes were"
        yield Limit(name, "hit", want, found, f"{killed} {some} killed, because it used all of its memory, {want}")
    elif name == "tasks" and refused:
        times = "once" if refused == 1 else f"{refused} times"
        yield Limit(name, "hit", want, found, f"{times} it could start no more processes than its {want}")
    elif name == "memory_high" and _int(events.get("memory.events high")) and slow >= STALLED:
        said = f"it is slowed down, because it uses more memory than {want}: it waited {slow:.0f} % of the last 10 s"
        yield Limit(name, "hit", want, found, said)
    elif name == "cpus" and throttled and waits >= SHORT:
        said = f"it wants more than its processors, {want}: it waited {waits:.0f} % of the last 10 s"
        yield Limit(name, "hit", want, found, said)
    else:
        yield Limit(name, "held", want, found)


def _spaces(seen: Mapping[str, Json]) -> Iterator[Limit]:
    root = _table(seen.get("root"))
    if root.get("declared"):
        yield _space("root", "its root", root)
    for path, disk in sorted(_table(seen.get("disks")).items()):
        yield _space(path, f"its RAM disk {path}", _table(disk))


def _space(name: str, what: str, seen: Mapping[str, Any]) -> Limit:
    declared, size = _int(seen.get("declared")), _int(seen.get("size"))
    want, found = show(declared) if declared else "", show(size) if size else ""
    if not size:
        return Limit(name, "void", want, "", "nothing of its own is mounted there")
    if declared and not 0 <= size - declared < 65536:
        return Limit(name, "void", want, found, f"{what} holds {found}")
    if max(float(seen.get("full") or 0), float(seen.get("inodes") or 0)) >= FULL:
        files = float(seen.get("inodes") or 0) >= FULL
        return Limit(name, "hit", want, found, f"{what} is full{' (of files)' if files else ''}: {found}")
    return Limit(name, "held", want, found)


def _stalls(seen: Mapping[str, Json]) -> Iterator[Limit]:
    """Who keeps the disks busy waits for them most. (Who waits for a processor is a victim.)"""
    stalled = _table(seen.get("stalls")).get("io")
    if isinstance(stalled, int | float) and stalled >= STALLED:
        yield Limit("io", "hit", "", "", f"it waits for the disks: {stalled:.0f} % of the last 10 s")


def lines(found: Sequence[Limit]) -> list[str]:
    """What a person has to know of them: hits, and what has no effect, those of one reason together."""
    said = [limit.said for limit in found if limit.state == "hit"]
    reasons: dict[str, list[str]] = {}
    void = [limit for limit in found if limit.state == "void"]
    absent = [limit.said.removeprefix(ABSENT) for limit in void if limit.said.startswith(ABSENT)]
    for limit in void:
        why = ABSENT + ", ".join(dict.fromkeys(absent)) if limit.said.startswith(ABSENT) else limit.said
        reasons.setdefault(why, []).append(f"{limit.name} {limit.declared}".strip())
    for why, texts in reasons.items():
        said.append(f"no effect of {', '.join(texts)}: {why}")
    return said


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _percent(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
