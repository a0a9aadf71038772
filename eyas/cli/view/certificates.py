"""Certificates as a table."""

from __future__ import annotations

from collections.abc import Sequence

from eyas.cli.view.text import Cell, Column, Paint, count, table
from eyas.status.certificates import DAY, Row

COLUMNS = (
    Column("NAME"), Column("DAYS", right=True), Column("NAMES", flexible=True, least=20),
    Column("USED BY", flexible=True, least=10), Column("RENEWAL"), Column("PROOF"),
)  # fmt: skip


def certificates_text(rows: Sequence[Row], now: float, width: int = 100, paint: Paint | None = None) -> str:
    """One line a certificate, then what is wrong in words, then the sum."""
    paint = paint or Paint()
    lines = [table(COLUMNS, [_row(row, now, paint) for row in rows], width, paint)] if rows else []
    bad = [row.warning for row in rows if row.warning]
    if bad:
        lines += ["", *bad]
    style = paint.warn if bad else paint.good
    said = f"{count(len(rows), 'certificate')}, {len(bad)} with a warning." if rows else "no certificates."
    return "\n".join([*lines, *([""] if lines else []), style(said)])


def _row(row: Row, now: float, paint: Paint) -> list[Cell | str]:
    days = "none" if row.days is None else f"{row.days:.0f}" if abs(row.days) >= 2 else f"{row.days:.1f}"
    return [
        Cell(row.name, paint.bold),
        Cell(days, paint.warn if row.warning else paint.good),
        " ".join(row.names),
        " ".join(row.users) or "-",
        _when(row.renewal, now),
        row.challenge,
    ]


def _when(renewal: float | None, now: float) -> str:
    if renewal is None:
        return "-"
    days = (renewal - now) / DAY
    return "due" if days <= 0 else f"in {days:.0f} days" if days >= 2 else f"in {days * 24:.0f} hours"
