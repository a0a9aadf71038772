"""The rows that a command line is made of: options, arguments, verbs. One table serves all of it.

From the rows of `eyas.cli.verbs` come the quick reading of a command line (`eyas.cli.read`), the typer application with
help and completion (`eyas.cli.app`), and the lists in the manual page (`eyas.cli.manual`). Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "bool | int | str | tuple[str, ...] | None"
Values: TypeAlias = "dict[str, Value]"


@dataclass(frozen=True)
class Option:
    """One option. ``metavar`` is the word for its value; without one it is a flag. ``number`` asks for an integer."""

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    number: bool = False
    complete: str = ""  # what its value completes to: containers, hosts, folders

    @property
    def is_flag(self) -> bool:
        return not self.metavar

    @property
    def default(self) -> Value:
        return False if self.is_flag else None


@dataclass(frozen=True)
class Argument:
    """One argument. ``many`` takes all that are left, as a tuple."""

    name: str
    help: str
    metavar: str = ""
    required: bool = True
    many: bool = False
    complete: str = ""

    @property
    def default(self) -> Value:
        return () if self.many else None

    @property
    def shown(self) -> str:
        """As it stands in a synopsis."""
        word = (self.metavar or self.name.upper()) + ("..." if self.many else "")
        return word if self.required else f"[{word}]"


@dataclass(frozen=True)
class Verb:
    """One command. ``module`` of `eyas.cli` has a function ``run(context, *, ...)`` with a parameter for each option
    and argument here (a house test compares them)."""

    name: str
    module: str
    summary: str
    text: str = ""
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.name.split(" "))

    def defaults(self) -> Values:
        rows: tuple[Option | Argument, ...] = (*self.arguments, *self.options)
        return {row.name: row.default for row in rows}
