"""A report as a table."""

from __future__ import annotations

from eyas.cli.view.text import Cell, Column, Paint, count, size, span, table
from eyas.status import Report, Row, stacks
from eyas.status.limits import lines as told

COLUMNS = (
    Column("NAME"), Column("STATE"), Column("HEALTH"), Column("ADDRESS"), Column("OS", flexible=True, least=9),
    Column("UP", right=True), Column("MEM", right=True), Column("IMAGE", flexible=True, least=10),
    Column("DRIFT", right=True),
)  # fmt: skip


AT_BOOT = "pending, takes effect at the next boot"


def status_text(report: Report, width: int = 100, paint: Paint | None = None) -> str:
    """One line a container, then what is wrong in words, then the sum."""
    paint = paint or Paint()
    lines = []
    if report.rows:
        lines.append(table(COLUMNS, [_row(row, paint) for row in report.rows], width, paint))
    details = [detail for row in report.rows for detail in _details(row)]
    details += [text for row in report.rows for text in stacks.lines(row.name, row.stacks)]
    details += [f"host: {text}" for text in report.drift]
    details += [f"{row.name}: {AT_BOOT}: {text}" for row in report.rows for text in row.pending]
    details += [f"host: {AT_BOOT}: {text}" for text in report.pending]
    details += [f"host: warning: {text}" for text in report.warnings]
    if details:
        lines += ["", *details]
    return "\n".join([*lines, *([""] if lines else []), summary(report, paint)])


def _row(row: Row, paint: Paint) -> list[Cell | str]:
    state = {"running": paint.good, "failed": paint.bad, "missing": paint.bad}.get(row.state, paint.warn)
    health = {"healthy": paint.good, "unhealthy": paint.bad}.get(row.health, paint.warn)
    return [
        Cell(row.name, paint.bold),
        Cell(row.state, state),
        Cell(row.health or "-", health),
        row.address or "-",
        os_name(row.os) or "-",
        span(row.uptime) if row.uptime is not None else "-",
        size(row.memory) if row.memory is not None else "-",
        row.image or "-",
        Cell(str(len(row.drift)) if row.drift else "-", paint.warn if row.drift else paint.dim),
    ]


def os_name(pretty: str) -> str:
    """The name of a system without what everybody knows: ``Debian 13`` of ``Debian GNU/Linux 13 (trixie)``."""
    return pretty.replace(" GNU/Linux", "").partition(" (")[0]


def _details(row: Row) -> list[str]:
    said = [f"unhealthy: {text}" for text in row.failing]
    said += [*row.drift, *(f"limits: {text}" for text in told(row.limits))]
    return [f"{row.name}: {text}" for text in said]


def summary(report: Report, paint: Paint) -> str:
    """``immortalis: 10 containers, 10 healthy, no drift.``"""
    healthy = sum(row.good for row in report.rows)
    differences = len(report.drift) + sum(len(row.drift) for row in report.rows)
    drift = f"{count(differences, 'difference')}: eyas plan shows what apply would do" if differences else "no drift"
    waiting = len(report.pending) + sum(len(row.pending) for row in report.rows)
    drift += f", {count(waiting, 'change')} pending until the next boot" if waiting else ""
    style = paint.good if not differences and healthy == len(report.rows) else paint.warn
    return style(f"{report.host}: {count(len(report.rows), 'container')}, {healthy} healthy, {drift}.")
