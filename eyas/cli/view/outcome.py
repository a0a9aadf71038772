"""How a run ended, and what past runs did, as text."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from eyas.cli.view.plan import PREPARES
from eyas.cli.view.text import Cell, Column, Paint, count, span, table
from eyas.core.waits import Wait
from eyas.core.words import Impact, Json, Plan
from eyas.plan.foresee import about

ENDED = {
    "kept": "done",
    "undone": "undone: the host is as it was before",
    "failed": "nothing was changed",
    "stuck": "STUCK: a person is needed",
    "open": "interrupted, or still at work",
}


def outcome_text(outcome: Mapping[str, Json], plan: Plan, paint: Paint | None = None) -> str:
    """The end of an apply: what was done, the proof that the rest was left alone, and what to do where it failed.

    ``outcome`` is the agent's answer (see `eyas.apply.outcome.Outcome.to_json`).
    """
    paint = paint or Paint()
    result = str(outcome.get("result", ""))
    lines = []
    if result == "kept":
        took = _seconds(outcome)
        done = "prepared" if plan.impact is Impact.reboot else "applied"
        lines.append(paint.good(f"{plan.host}: {count(_int(outcome, 'changes'), 'change')} {done} in {took}."))
        lines += _proof(outcome, plan, paint)
        lines += waits_lines(outcome)
    else:
        style = paint.bad if result == "stuck" else paint.warn
        lines.append(style(f"{plan.host}: {ENDED.get(result, result)}."))
        lines += tried_lines(outcome, plan) + report_lines(outcome, paint)
    lines += warning_lines(outcome, paint)
    if result == "kept":
        lines += _left(outcome)
    return "\n".join(lines)


def outcome_error(outcome: Mapping[str, Json]) -> tuple[str, str]:
    """(message, hint) of a run that did not do what was asked; two empty texts when it did."""
    hint = str(outcome.get("hint") or "")
    disturbed = _names(outcome, "disturbed")
    if disturbed:
        return f"cannot keep the promise of the plan: {', '.join(disturbed)} did not keep running untouched", hint
    if outcome.get("result") == "kept":
        return "", ""
    hands = "".join(f"\n  {text}" for text in _names(outcome, "hands"))
    said = str(outcome.get("error") or ("interrupted" if outcome.get("interrupted") else "the run failed"))
    message = said if said.startswith("cannot ") else f"cannot apply: {said}"
    return message + hands, hint


def tried_lines(run: Mapping[str, Json], plan: Plan) -> list[str]:
    """What a run failed at, in terms of the definitions: whose change, what changed, and where it is asked for."""
    id_ = str(run.get("step") or "").partition(" ")[2]
    found = [change for change in plan.changes if change.id == id_]
    lines = []
    for change in found:
        what = ", ".join(dict.fromkeys(f.note or f.field for f in change.fields if f.note or f.field))
        where = f" ({change.origin})" if change.origin else ""
        lines.append(f"tried: {change.owner}: {what or change.action.value}{where}")
    return lines


def warning_lines(outcome: Mapping[str, Json], paint: Paint) -> list[str]:
    """What people should know of. Lines of a journal that stand below it were seen while it was done, and `eyas history
    RUN` has them."""
    told = [line for text in _names(outcome, "warnings") for line in text.splitlines() if not line.startswith("  | ")]
    return [paint.warn(f"warning: {line}") for line in told]


def report_lines(run: Mapping[str, Json], paint: Paint) -> list[str]:
    """What was not well in its own words, and where the host is since. What was seen is the error itself."""
    lines = []
    log = _names(run, "log")
    if log:
        lines.append(f"the last lines of {run.get('whose') or 'its log'}:")
        lines += [paint.dim(f"  | {line}") for line in log]
    return lines + [f"now: {text}" for text in _names(run, "now")]


def _proof(outcome: Mapping[str, Json], plan: Plan, paint: Paint) -> list[str]:
    """What was seen afterwards, not what was hoped for."""
    disturbed = _names(outcome, "disturbed")
    if disturbed:
        return [paint.bad(f"NOT untouched, although the plan said so: {', '.join(disturbed)}.")]
    touched = {c.owner for c in plan.changes if c.kind not in PREPARES and c.impact is not Impact.reboot}
    proved = _names(outcome, "proved")
    still = [name for name in proved if name not in touched]
    changed = sorted(name for name in proved if name in touched)
    parts = [*([count(len(still), "container")] if still else []), *(["the host"] if "host" not in touched else [])]
    text = " and ".join(parts)
    lines = [f"{text[:1].upper()}{text[1:]}: untouched (invocations unchanged)."] if parts else []
    replaced = _names(outcome, "replaced")
    if replaced:
        lines.append(f"Replaced side by side, nobody waited: {', '.join(replaced)}.")
    if changed:
        lines.append(f"Changed without a restart (invocation unchanged): {', '.join(changed)}.")
    return lines


def waits_lines(run: Mapping[str, Json]) -> list[str]:
    """How long people waited for each container that had them wait, beside what was expected."""
    waits = run.get("waits")
    found = [Wait.from_json(row) for row in waits if isinstance(row, dict)] if isinstance(waits, list) else []
    return [_wait(wait) for wait in found if wait.impact not in ("none", "live", "reload")]


def _wait(wait: Wait) -> str:
    before = f"predicted {about(wait.predicted)}, " if wait.predicted is not None else ""
    what = "" if wait.impact in ("restart", "replace") else f" ({wait.impact.replace('_', ' ')})"
    return f"{wait.container}{what}: {before}seen {about(wait.seen)}"


def _left(outcome: Mapping[str, Json]) -> list[str]:
    left = _names(outcome, "left")
    return ["Left behind, named by no definition any more:", *(f"  {path}" for path in left)] if left else []


def history_text(runs: Sequence[Mapping[str, Json]], now: float, width: int = 100, paint: Paint | None = None) -> str:
    """Past runs, the newest first."""
    paint = paint or Paint()
    if not runs:
        return "No run has changed this host yet."
    styles = {"kept": paint.good, "stuck": paint.bad}
    notes = [_note(run) for run in runs]
    columns = (Column("RUN"), Column("WHEN"), Column("RESULT"), Column("CHANGES", right=True),
               Column("TOOK", right=True), Column("WHO"), Column("RESTARTED", flexible=True, least=16),
               *([Column("NOTE", flexible=True, least=20)] if any(notes) else []))  # fmt: skip
    rows: list[list[Cell | str]] = [
        [
            Cell(str(run.get("run", "")), paint.bold),
            _when(run, now),
            Cell(str(run.get("result", "")), styles.get(str(run.get("result")), paint.warn)),
            str(run.get("changes", 0)),
            _seconds(run),
            str(run.get("who") or "-"),
            ", ".join(_names(run, "restarts")) or str(run.get("error") or "-"),
            *([note or "-"] if any(notes) else []),
        ]
        for run, note in zip(runs, notes, strict=True)
    ]
    return table(columns, rows, width, paint)


def _note(run: Mapping[str, Json]) -> str:
    """What kind of run it was, and whether it has told of something."""
    told = len(_names(run, "warnings"))
    return "; ".join(filter(None, [str(run.get("note") or ""), count(told, "warning") if told else ""]))


def run_text(run: Mapping[str, Json]) -> str:
    """One run in full."""
    at = run.get("at")
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if isinstance(at, int | float) else "-"
    rows = [
        ("run", str(run.get("run", ""))),
        ("when", when),
        ("who", str(run.get("who") or "-")),
        ("result", ENDED.get(str(run.get("result")), str(run.get("result")))),
        ("changes", str(run.get("changes", 0))),
        ("steps", f"{run.get('done', 0)} of {run.get('steps', 0)} done"),
        ("took", _seconds(run)),
        ("restarted", ", ".join(_names(run, "restarts")) or "nothing"),
        *([("note", str(run["note"]))] if run.get("note") else []),
        *(("waited", line) for line in waits_lines(run)),
        *([("error", str(run["error"]))] if run.get("error") else []),
        *(("log", line) for line in ([f"of {run['whose']}:"] if run.get("whose") else []) + _names(run, "log")),
        *(("by hand", line) for line in _names(run, "hands")),
        *(("now", line) for line in _names(run, "now")),
        *(("warning", line) for text in _names(run, "warnings") for line in text.splitlines()),
    ]
    return "\n".join(f"{name:<10} {value}" for name, value in rows)


def _when(run: Mapping[str, Json], now: float) -> str:
    at = run.get("at")
    if not isinstance(at, int | float) or at <= 0:
        return "-"
    if 0 <= now - at < 86400:
        return f"{span(now - at)} ago"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _seconds(data: Mapping[str, Json]) -> str:
    value = data.get("seconds", 0.0)
    return f"{value:.1f} s" if isinstance(value, int | float) else "-"


def _int(data: Mapping[str, Json], key: str) -> int:
    value = data.get(key)
    return value if isinstance(value, int) else 0


def _names(data: Mapping[str, Json], key: str) -> list[str]:
    value = data.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []
