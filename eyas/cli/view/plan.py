"""A plan as people read it: container by container, the one that hurts most first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eyas.cli.settled import NOTHING
from eyas.cli.view.text import Cell, Column, Paint, count, table, value
from eyas.cli.view.writes import loss_lines
from eyas.core.words import Action, Change, FieldChange, Impact, Plan

PREPARES = ("tree", "layer", "identity", "directory")
"""Kinds that only make ready what a container's own change speaks of."""

MANY = 6  # lines of one impact for one container; what is beyond is counted, and listed with -v

DONE = {Action.create: "added", Action.update: "changed", Action.delete: "removed", Action.start: "started"}
WORDS = {"names": "names of the containers", "firewall": "firewall", "network": "network", "sysctl": "kernel setting"}
COLUMNS = (Column(), Column(), Column(flexible=True, least=24), Column(), Column(flexible=True, least=16))


def plan_text(plan: Plan, width: int = 100, paint: Paint | None = None, verbose: bool = False) -> str:
    """The whole plan; one line when there is nothing to do."""
    paint = paint or Paint()
    if not plan:
        return "\n".join([NOTHING.format(host=plan.host), *left_lines(plan)])
    groups = grouped(plan.changes, verbose)
    rows = [row for owner, changes in groups for row in _rows(owner, changes, paint, 0 if verbose else MANY)]
    parts = [table(COLUMNS, rows, width)] if rows else ["What the host prepares is incomplete (see -v)."]
    return "\n".join([*parts, untouched_line(plan), *loss_lines(plan.losses, paint), *left_lines(plan)]).strip("\n")


def grouped(changes: Sequence[Change], verbose: bool = False) -> list[tuple[str, list[Change]]]:
    """Changes by owner: highest impact first, then by name, the host last among equals."""
    owners: dict[str, list[Change]] = {}
    for change in changes:
        owners.setdefault(change.owner, []).append(change)
    spoken = {change.owner for change in changes if change.kind not in PREPARES}
    for owner, members in owners.items():
        members.sort(key=lambda c: (-c.impact, c.kind != "container", c.id))
        if not verbose and spoken and (owner in spoken or owner == "host"):
            members[:] = [c for c in members if c.kind not in PREPARES]
    found = [(owner, members) for owner, members in owners.items() if members]
    return sorted(found, key=lambda g: (-max(c.impact for c in g[1]), g[0] == "host", g[0]))


def _rows(owner: str, changes: Iterable[Change], paint: Paint, many: int) -> list[list[Cell | str]]:
    """Lines of one owner; at most ``many`` (0: all) of one impact."""
    rows: list[list[Cell | str]] = []
    before = ""
    seen: dict[Impact, int] = {}
    for change in changes:
        for impact, what in _said(change):
            seen[impact] = seen.get(impact, 0) + 1
            if many and seen[impact] > many:
                continue
            # What is the same as in the line above is not repeated: the eye finds where it differs.
            notice = change.notice if change.notice != before and impact is change.impact else ""
            before = notice or before
            rows.append(
                [
                    Cell(owner if not rows else "", paint.bold),
                    Cell(_impact(change, impact), paint.impact(impact)),
                    what,
                    Cell(change.origin, paint.dim),
                    notice,
                ]
            )
    for impact, number in seen.items():
        if many and number > many:
            rows.append(["", _named(impact), f"and {number - many} more (-v lists them)", "", ""])
    return rows


def _impact(change: Change, impact: Impact) -> str:
    if change.kind == "container" and change.action is Action.create:
        return "create"
    if change.kind == "container" and change.action is Action.delete:
        return "remove"
    if change.action is Action.start:
        return "start"
    return _named(impact)


def _named(impact: Impact) -> str:
    return "side by side" if impact is Impact.beside else impact.name.replace("_", " ")


def _said(change: Change) -> list[tuple[Impact, str]]:
    """What a change consists of, each piece with its own impact, the highest first."""
    if change.action is Action.start:
        return [(change.impact, "not running: will be started")]
    if change.action is not Action.update:
        note = next((f.note for f in change.fields if f.note), "")
        subject = "" if change.kind == "container" else f"{_subject(change)} "
        return [(change.impact, note or f"{subject}{_done(change)}")]
    pieces = [(field.impact, _field(change, field)) for field in change.fields]
    return sorted(dict.fromkeys(pieces), key=lambda piece: -piece[0]) or [
        (change.impact, f"{_subject(change)} changed")
    ]


def _done(change: Change) -> str:
    if change.kind == "container":
        return "created" if change.action is Action.create else "removed, its data stays"
    return DONE[change.action]


def _subject(change: Change) -> str:
    name = change.id.split(":", 1)[1]
    if change.kind in ("firewall", "names"):
        return WORDS[change.kind]
    if change.kind == "tree":
        return f"tree {name[:12]}"
    if change.kind == "layer":
        return f"layer {name[:12]}"
    return f"{WORDS.get(change.kind, change.kind)} {name}"


def _field(change: Change, field: FieldChange) -> str:
    if field.note:
        told = change.kind == "container" or change.id.split(":", 1)[1] in field.note or change.kind in field.note
        return field.note if told else f"{_subject(change)}: {field.note}"
    subject = "" if change.kind == "container" else f"{_subject(change)}: "
    label = field.field.rsplit(".", 1)[-1].replace("_", " ")
    if isinstance(field.old, str) and isinstance(field.new, str) and ("\n" in field.old or "\n" in field.new):
        return f"{subject}{label} changed"
    return f"{subject}{label} {value(field.field, field.old)} -> {value(field.field, field.new)}"


def untouched_line(plan: Plan) -> str:
    """``7 containers and the host: untouched.`` - counting only what no change concerns at all."""
    touched = {c.owner for c in plan.changes if c.kind not in PREPARES and c.impact is not Impact.reboot}
    names = [name for name in plan.untouched if name not in touched]
    running = [name for name in plan.untouched if name in touched]
    parts = []
    if names:
        parts.append(count(len(names), "container"))
    if "host" not in touched:
        parts.append("the host")
    lines = [f"{' and '.join(parts)}: untouched."] if parts else []
    if running:
        lines.append(f"{count(len(running), 'container')} changed while running: {', '.join(sorted(running))}.")
    text = "\n".join(lines)
    return text[:1].upper() + text[1:]


def left_lines(plan: Plan) -> list[str]:
    """Data that stays although no definition names it any more."""
    if not plan.left:
        return []
    return [
        "Left behind, named by no definition any more (data is never removed):",
        *(f"  {path}" for path in plan.left),
    ]


def question(plan: Plan) -> str:
    """What to ask before a plan that somebody will notice."""
    names = sorted(set(plan.restarts()))
    return f"Restart or stop {count(len(names), 'container')} ({', '.join(names)})?"
