"""What verify found, as text."""

from __future__ import annotations

from eyas.cli.view.findings import findings_lines, sum_of
from eyas.cli.view.text import Paint, count
from eyas.status.verify import Verified


def verify_text(made: Verified, width: int = 100, paint: Paint | None = None) -> str:  # noqa: ARG001 (as other views)
    """Every finding, then what was asked from where, then the sum."""
    paint = paint or Paint()
    lines = findings_lines(made.findings, paint)
    if made.differs:
        what = count(made.differs, "difference")
        lines.append(paint.warn(f"note: the host is not what the definitions say ({what}): eyas plan"))
    asked = made.asked
    parts = [
        f"{asked[kind]} {words}"
        for kind, words in (("inside", f"inside {count(made.containers, 'container')}"), ("host", "by the host"),
                            ("outside", f"from outside ({made.outside})"))
        if asked.get(kind)
    ]  # fmt: skip
    total = sum(asked.values())
    lines += [
        *([""] if lines else []),
        f"{count(total, 'question')} asked in {made.seconds:.1f} s: {', '.join(parts)}.",
    ]
    said = sum_of(made.findings)
    style = paint.good if not said else paint.warn if made.well else paint.bad
    return "\n".join([*lines, style(f"{made.host}: {said or 'all is well'}.")])
