"""Variables in Compose files: what a text asks for, and what becomes of it. Pure.

The grammar is that of Compose's interpolation: ``$X``, ``${X}``, ``${X:-default}``, ``${X-default}``, ``${X:?why}``,
``${X?why}``, ``${X:+other}``, ``${X+other}``, ``$$`` for a dollar; what stands for a variable can itself
hold variables. Source: https://docs.docker.com/reference/compose-file/interpolation/

Stricter than Compose in two ways. A variable without a value and without a default is a mistake, where Compose goes on
with nothing. And a default that looks like a requirement (``${X:-?why}``) is one, where Compose takes ``?why`` for the
value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATORS = (":-", ":?", ":+", "-", "?", "+")
SLIP = re.compile(r":?\?")
"""How a default begins that was meant as a requirement."""


class Unreadable(Exception):
    """A text that is no template; the message says why, ``offset`` where."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(why)
        self.offset = offset


@dataclass(frozen=True)
class Asked:
    """A variable in a text: its name, the operator ('' for none), what follows it, and where it stands."""

    name: str
    operator: str
    rest: str
    text: str
    offset: int

    @property
    def slip(self) -> bool:
        """Whether a requirement is hidden behind the form of a default."""
        return self.operator.endswith("-") and bool(SLIP.match(self.rest))


@dataclass
class Filled:
    """What became of a text: with every variable in its place, and those that had none."""

    text: str = ""
    missing: list[Asked] = field(default_factory=list)


def pieces(text: str) -> Iterator[str | Asked]:
    """Plain text and variables, in order. Raises Unreadable."""
    at = 0
    while (found := text.find("$", at)) >= 0:
        yield text[at:found]
        following = text[found + 1 : found + 2]
        if following == "$":
            yield "$"
            at = found + 2
        elif following == "{":
            end = _end(text, found)
            yield _braced(text[found : end + 1], found)
            at = end + 1
        elif name := NAME.match(text, found + 1):
            yield Asked(name[0], "", "", text[found : name.end()], found)
            at = name.end()
        else:
            raise Unreadable("a $ stands alone: write $$ for a dollar", found)
    yield text[at:]


def _end(text: str, start: int) -> int:
    """Where the brace closes that opens after ``start``."""
    depth, at = 0, start
    while at < len(text):
        if text.startswith("$$", at):
            at += 2
            continue
        if text.startswith("${", at):
            depth += 1
            at += 2
            continue
        if text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise Unreadable("a ${ is never closed", start)


def _braced(text: str, offset: int) -> Asked:
    inner = text[2:-1]
    name = NAME.match(inner)
    if name is None:
        raise Unreadable(f"{text} names no variable", offset)
    rest = inner[name.end() :]
    if not rest:
        return Asked(name[0], "", "", text, offset)
    operator = next((known for known in OPERATORS if rest.startswith(known)), "")
    if not operator:
        raise Unreadable(f"{text} is no form of a variable: write ${{X}}, ${{X:-default}} or ${{X:?why}}", offset)
    return Asked(name[0], operator, rest[len(operator) :], text, offset)


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """A text with its variables in place. What stands after an operator counts only where it is used. Raises
    Unreadable."""
    filled = Filled()
    parts: list[str] = []
    for piece in pieces(text):
        parts.append(piece if isinstance(piece, str) else _value(piece, values, filled))
    filled.text = "".join(parts)
    return filled


def _value(asked: Asked, values: Mapping[str, str], filled: Filled) -> str:
    """What stands for one variable; those without a value are noted."""
    value = values.get(asked.name)
    there = value is not None and (value != "" or not asked.operator.startswith(":"))
    if asked.operator.endswith("+"):
        return _inner(asked, values, filled) if there else ""
    if there:
        return value or ""
    if asked.operator.endswith("-") and not asked.slip:
        return _inner(asked, values, filled)
    filled.missing.append(asked)
    return ""


def _inner(asked: Asked, values: Mapping[str, str], filled: Filled) -> str:
    try:
        inner = fill(asked.rest, values)
    except Unreadable as error:
        raise Unreadable(str(error), asked.offset) from None
    # As a place in the text that is looked at: the whole of what it is inside of.
    filled.missing += [Asked(m.name, m.operator, m.rest, m.text, asked.offset) for m in inner.missing]
    return inner.text


def env_file(text: str) -> dict[str, str]:
    """Variables of a ``.env`` file: NAME=value lines, quotes, comments, ``export``; a value can use those before it."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        stripped = line.strip().removeprefix("export ").lstrip()
        name, equals, value = stripped.partition("=")
        if not equals or not NAME.fullmatch(name.strip()):
            continue
        found[name.strip()] = _env_value(value.strip(), found)
    return found


def _env_value(value: str, known: Mapping[str, str]) -> str:
    quoted = re.match(r"""(['"])(.*?)\1""", value)
    if quoted is None:
        value = re.split(r"\s#", value, maxsplit=1)[0].rstrip()
    elif quoted[1] == "'":
        return quoted[2]
    else:
        value = quoted[2]
    try:
        return fill(value, known).text
    except Unreadable:
        return value
