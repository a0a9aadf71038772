"""What a plan claims against what was seen: who was started anew, which units inside were, and how dear it may be."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from eyas.core.words import Impact
from tests.lab.random.edits import Edit
from tests.lab.random.looks import Look

ANEW = (Impact.beside, Impact.restart)
INSIDE = (Impact.reload, Impact.restart_unit)
COUNTS = "answer.service"


def broken(plan: dict[str, Any], edit: Edit, before: Look, after: Look) -> list[str]:
    """Claims of a plan that did not hold, in words."""
    rows = {row["owner"]: row for row in plan["changes"] if row["kind"] == "container"}
    found = []
    for name in sorted({*before.starts, *after.starts, *rows}):
        row = rows.get(name, {"action": "nothing", "impact": "none", "fields": []})
        old, new = before.starts.get(name), after.starts.get(name)
        if old is None or new is None:
            found += [f"{name}: {line}" for line in _came_or_went(row, old is not None, new is not None)]
            continue
        impact = Impact[row["impact"]]
        most = edit.costs.get(name, Impact.none)
        if impact > most:
            found.append(f"{name}: the plan says {impact.name}, though {edit.words} costs {most.name}")
        anew = old["invocation"] != new["invocation"]
        if anew != (impact in ANEW):
            found.append(f"{name}: it {'was' if anew else 'was not'} started anew, the plan said {impact.name}")
        if (name in plan["untouched"]) == (impact in ANEW):
            found.append(f"{name}: {impact.name}, and yet among the untouched {plan['untouched']}, or not")
        if not anew:
            found += [f"{name}: {line}" for line in _units(row, old, new)]
    return found


def _came_or_went(row: dict[str, Any], was: bool, is_now: bool) -> list[str]:
    wanted = "delete" if was else "create"
    if was == is_now or row["action"] != wanted:
        return [f"it {'was' if was else 'was not'} there and {'is' if is_now else 'is not'}; plan: {row['action']}"]
    return []


def _units(row: dict[str, Any], old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Units of a container that went on: those that the plan names began anew or reloaded, and no other."""
    said = {impact: [f["unit"] for f in row["fields"] if f["impact"] == impact.name] for impact in INSIDE}
    gone = {f["field"].rpartition("/")[2] for f in row["fields"] if f["new"] is None}  # units end with their files
    found = []
    for unit in sorted({*old["units"], *new["units"]}):
        claimed = any(fnmatchcase(unit, pattern) for pattern in said[Impact.restart_unit]) or unit in gone
        seen = old["units"].get(unit) != new["units"].get(unit)
        if claimed != seen:
            found.append(f"unit {unit} {'began' if seen else 'did not begin'} anew; plan: {said}")
    reloads = new["reloads"] - old["reloads"]  # that one unit counts
    if COUNTS not in said[Impact.restart_unit] and reloads != said[Impact.reload].count(COUNTS):
        found.append(f"{reloads} reloads; plan: {said}")
    return found
