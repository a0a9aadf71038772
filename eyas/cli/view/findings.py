"""Findings as people read them: what is wrong, and under it what to do and where."""

from __future__ import annotations

from collections.abc import Sequence

from eyas.cli.view.text import Paint, count
from eyas.status.findings import Finding


def findings_lines(findings: Sequence[Finding], paint: Paint) -> list[str]:
    """Two or three lines for each; the lines of the definitions are whole, so that they can be clicked or copied."""
    lines = []
    for finding in findings:
        style = paint.bad if finding.severity == "error" else paint.warn
        lines.append(f"{style(finding.severity + ':')} {finding.message}")
        if finding.remedy:
            lines.append(f"    remedy: {finding.remedy}")
        if finding.origin:
            lines.append(paint.dim(f"    {finding.origin}"))
    return lines


def sum_of(findings: Sequence[Finding]) -> str:
    """``2 errors, 1 warning``; '' for none."""
    errors = sum(finding.severity == "error" for finding in findings)
    parts = [count(errors, "error")] if errors else []
    parts += [count(len(findings) - errors, "warning")] if len(findings) > errors else []
    return ", ".join(parts)
