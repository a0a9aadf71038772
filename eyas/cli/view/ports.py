"""Ports as a table."""

from __future__ import annotations

from eyas.cli.view.findings import findings_lines, sum_of
from eyas.cli.view.text import Cell, Column, Paint, count, table
from eyas.status.ports import Port, Ports

COLUMNS = (
    Column("WHERE"), Column("PORT", right=True), Column("LISTENS", flexible=True, least=14),
    Column("FROM OUTSIDE"), Column("USED BY", flexible=True, least=14), Column("", flexible=True, least=14),
)  # fmt: skip


def ports_text(ports: Ports, width: int = 100, paint: Paint | None = None) -> str:
    """The table, what does not fit, and the sum."""
    paint = paint or Paint()
    lines = [table(COLUMNS, [_row(row, paint) for row in ports.rows], width, paint)] if ports.rows else []
    if ports.findings:
        lines += ["", *findings_lines(ports.findings, paint)]
    said = sum_of(ports.findings)
    style = paint.warn if said else paint.good
    what = f"{count(len(ports.rows), 'port')}, {said or 'all as declared'}"
    return "\n".join([*lines, *([""] if lines else []), style(f"{ports.host}: {what}.")])


def _row(row: Port, paint: Paint) -> list[Cell | str]:
    return [
        Cell(row.place, paint.bold),
        f"{row.port}/{row.proto}",
        row.listener.who if row.listener else "-",
        ", ".join(row.ways) or "-",
        ", ".join(row.uses) or "-",
        Cell(row.wrong, paint.warn),
    ]
