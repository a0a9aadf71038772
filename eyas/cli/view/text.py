"""Columns, colours, sizes and times as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eyas.core.words import Impact, Json

Style = Callable[[str], str]
NARROWEST, WIDEST = 80, 120  # a table is never made for less, and never spreads further


@dataclass(frozen=True)
class Paint:
    """Colours by ANSI codes (ECMA-48), or none. Also a word stands for each colour: colour is never the only sign."""

    on: bool = False

    def _code(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.on and text else text

    def bold(self, text: str) -> str:
        return self._code("1", text)

    def dim(self, text: str) -> str:
        return self._code("2", text)

    def good(self, text: str) -> str:
        return self._code("32", text)

    def warn(self, text: str) -> str:
        return self._code("33", text)

    def bad(self, text: str) -> str:
        return self._code("31", text)

    def plain(self, text: str) -> str:
        return text

    def impact(self, impact: Impact) -> Style:
        if impact >= Impact.restart_unit and impact is not Impact.beside:
            return self.bad if impact >= Impact.restart else self.warn
        return self.warn if impact is Impact.reload else self.good


@dataclass(frozen=True)
class Cell:
    """One field of a table. ``style`` is put around its text, which does not count for its width."""

    text: str
    style: Style = str


@dataclass(frozen=True)
class Column:
    """How a column takes its share: ``least`` is what it never goes below when ``flexible``; others take what they
    need. ``right`` aligns numbers."""

    title: str = ""
    flexible: bool = False
    least: int = 12
    right: bool = False


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], width: int, paint: Paint | None = None
) -> str:
    """Rows as aligned columns within a width (80 to 120 at least); flexible columns wrap, none is cut off."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    if any(column.title for column in columns):
        style = paint.dim if paint else str
        cells.insert(0, [Cell(column.title, style) for column in columns])
    widths = _widths(columns, cells, min(max(width, NARROWEST), WIDEST))
    lines = []
    for row in cells:
        wrapped = [wrap(cell.text, w) for cell, w in zip(row, widths, strict=True)]
        for number in range(max(len(part) for part in wrapped)):
            pieces = []
            for cell, part, w, column in zip(row, wrapped, widths, columns, strict=True):
                text = part[number] if number < len(part) else ""
                space = " " * (w - len(text))
                shown = cell.style(text) if text else ""
                pieces.append(space + shown if column.right else shown + space)
            lines.append("  ".join(pieces).rstrip())
    return "\n".join(lines)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> list[int]:
    """What each column gets: all it needs when that fits, else the flexible ones share what is left by their need."""
    need = [max((len(row[i].text) for row in rows), default=0) for i in range(len(columns))]
    over = sum(need) + 2 * (len(columns) - 1) - width
    flexible = [i for i, column in enumerate(columns) if column.flexible]
    while over > 0:
        # One character at a time from the widest: two columns of text end up of one width, never one at its least.
        able = [i for i in flexible if need[i] > columns[i].least]
        if not able:
            break
        need[max(able, key=lambda i: need[i])] -= 1
        over -= 1
    return need


def wrap(text: str, width: int) -> list[str]:
    """A text as lines of at most this width, broken between words; a long path breaks where it must."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while len(line) > max(width, 1):
            cut = line.rfind("/", width // 2, width) + 1 or width  # a path breaks behind a slash, where there is one
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line] if line or not lines else lines


def size(count: int) -> str:
    """Bytes for people: 2G, 1.5G, 512M; powers of 1024, as in definitions."""
    value, units = float(count), ["", "K", "M", "G", "T"]
    while abs(value) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    digits = f"{value:.1f}" if value < 10 and units[0] else f"{value:.0f}"
    return digits.removesuffix(".0") + units[0]


def span(seconds: float) -> str:
    """A time for people: 45 s, 12 min, 3 h 5 min, 12 d 4 h."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def count(number: int, one: str, more: str = "") -> str:
    """``1 container``, ``3 containers``."""
    return f"{number} {one if number == 1 else more or one + 's'}"


BYTES = ("memory_max", "memory_high", "root_size")
SECONDS = ("stop_timeout", "start_timeout", "timeout")


def value(field: str, what: Json) -> str:
    """The value of a field for people."""
    if what is None or what == "" or what == [] or what == {}:
        return "none"
    if isinstance(what, bool):
        return "yes" if what else "no"
    if isinstance(what, int):
        return _number(field, what)
    if isinstance(what, str):
        return what if len(what) <= 60 and "\n" not in what else f"{what.splitlines()[0][:40]}…"
    if isinstance(what, list):
        return ", ".join(value(field, item) for item in what)
    if isinstance(what, dict):
        return ", ".join(f"{key} {value(key, item)}" for key, item in what.items() if item not in (None, ""))
    return str(what)


def _number(field: str, what: int) -> str:
    name = field.rsplit(".", 1)[-1]
    if name in BYTES:
        return size(what)
    if name in SECONDS:
        return f"{what} s"
    if name == "mode":
        return f"0{what:o}"
    return f"{what}%" if name == "cpu_quota" else str(what)
