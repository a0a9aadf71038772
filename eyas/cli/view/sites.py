"""Sites as a table."""

from __future__ import annotations

from collections.abc import Sequence

from eyas.cli.view.findings import findings_lines
from eyas.cli.view.text import Cell, Column, Paint, count, table
from eyas.status.findings import Finding
from eyas.status.sites import DAYS, SiteRow

COLUMNS = (Column("NAME", flexible=True, least=20), Column("FRONT"), Column("TO", flexible=True, least=12),
           Column("BACKEND", flexible=True, least=10), Column("THROUGH", flexible=True, least=10),
           Column("CERTIFICATE", right=True), Column("HEALTH"))  # fmt: skip


def sites_text(
    host: str, rows: Sequence[SiteRow], findings: Sequence[Finding], width: int = 100, paint: Paint | None = None
) -> str:
    """The table, what is wrong, and the sum."""
    paint = paint or Paint()
    lines = [table(COLUMNS, [_row(row, paint) for row in rows], width, paint)] if rows else []
    if findings:
        lines += ["", *findings_lines(findings, paint)]
    healthy = sum(row.health == "healthy" for row in rows)
    style = paint.good if healthy == len(rows) else paint.warn
    return "\n".join(
        [*lines, *([""] if lines else []), style(f"{host}: {count(len(rows), 'site')}, {healthy} healthy.")]
    )  # fmt: skip


def _row(row: SiteRow, paint: Paint) -> list[Cell | str]:
    health = {"healthy": paint.good, "unhealthy": paint.bad}.get(row.health, paint.warn)
    days = f"{row.days:.0f} d" if row.days is not None else "-"
    return [
        Cell(" ".join((row.name, *row.aliases)), paint.bold),
        row.front,
        row.to or "-",
        row.direct or "-",
        row.through or "-",
        Cell(days, paint.warn if row.days is not None and row.days < DAYS else str),
        Cell(row.health, health),
    ]
