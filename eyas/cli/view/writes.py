"""What a container wrote, and what a restart would lose, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eyas.cli.view.text import Cell, Column, Paint, count, size, span, table
from eyas.core.words import Json, Loss

if TYPE_CHECKING:  # a plan only warns, and needs none of this
    from eyas.core.written import Written
    from eyas.status.writes import Proposal

NAMED = 3  # paths that a warning names


def writes_text(
    name: str,
    items: Sequence[Written],
    noise: Sequence[Mapping[str, Json]],
    proposals: Sequence[Proposal],
    now: float,
    width: int = 100,
    paint: Paint | None = None,
    *,
    everything: bool = False,
    more: int = 0,
) -> str:
    """The list, what would keep it, and what was left out as noise."""
    paint = paint or Paint()
    parts = []
    kept = [item for item in items if not item.rule]
    shown = items if everything else kept
    if shown:
        columns = (Column("SIZE", right=True), Column("AGE", right=True), Column("WHAT"), Column("OWNER"),
                   Column("PATH", flexible=True, least=32), Column("WRITTEN BY", flexible=True, least=16))  # fmt: skip
        parts.append(table(columns, [_row(item, now, paint) for item in shown], width, paint))
    total = sum(item.size for item in kept)
    if kept:
        lines = count(len(kept) + more, "path")
        parts.append(paint.warn(f"{lines}, {size(total)}: a restart of {name} loses them."))
    else:
        parts.append(f"{name} wrote nothing outside its persistent paths that anybody would miss.")
    if more:
        parts.append(f"{more} more lines, of less size, are left off.")
    if proposals:
        parts += ["", f"To keep them, add to binds of {name} ({proposals[0].origin}):"]
        for proposal in proposals:
            said = f"  # {size(proposal.size)}" + (f" of {', '.join(proposal.units)}" if proposal.units else "")
            parts.append(f"    {proposal.line},{paint.dim(said)}")
    if noise and not everything:
        parts += ["", "Left out as noise (--all lists it):"]
        parts += [f"  {_noise(row)}" for row in noise]
    return "\n".join(parts)


def _noise(row: Mapping[str, Json]) -> str:
    number, bytes_ = row.get("count"), row.get("size")
    files = count(number, "file") if isinstance(number, int) and number else "nothing in them"
    return f"{row.get('rule')}: {files}" + (f", {size(bytes_)}" if isinstance(bytes_, int) and bytes_ else "")


def _row(item: Written, now: float, paint: Paint) -> list[Cell | str]:
    path = item.path
    if item.type == "dir" and not path.endswith("/*"):
        path += "/"
    if item.count != 1 or item.type == "dir":
        path += f" ({count(item.count, 'file')})"
    what = item.what if item.what != "changed" or not item.package else f"changed, of {item.package}"
    if item.what == "deleted" and item.package:
        what = f"deleted, of {item.package}"
    owner = "several" if item.uid < 0 else item.owner or str(item.uid)
    who = f"{item.unit} ({item.how})" if item.unit else ""
    if item.rule:
        who = f"noise: {item.rule}"
    length = "-" if item.what == "deleted" or item.type not in ("file", "dir") else size(item.size)
    return [length, span(max(0.0, now - item.at)), what, owner, Cell(path, paint.dim if item.rule else str), who]


def loss_lines(losses: Sequence[Loss], paint: Paint | None = None) -> list[str]:
    """A warning for each container that loses something by its restart that no earlier restart has lost."""
    paint = paint or Paint()
    lines = []
    for loss in losses:
        if not loss.new:
            continue
        named = ", ".join(_said(*row) for row in loss.new[:NAMED])
        rest = f" and {count(len(loss.new) - NAMED, 'more path')}" if len(loss.new) > NAMED else ""
        text = f"warning: {loss.container} loses what it wrote: {named}{rest}; see: eyas writes {loss.container}"
        lines.append(paint.warn(text))
    return lines


def _said(path: str, what: str, bytes_: int) -> str:
    return f"{path} ({size(bytes_)})" if what == "new" else f"{path} ({what})"
