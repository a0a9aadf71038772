"""The rows that a command line is made of: options, arguments, verbs. One table serves all of it.

From the rows of `eyas.cli.verbs` come the quick reading of a command line (`eyas.cli.read`), the typer application with
help and completion (`eyas.cli.app`), and the lists in the manual page (`eyas.cli.manual`).

Plain classes, and no import at all: this is read before the first thing that a command does, and the import of
dataclasses alone takes as long as starting Python.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import TypeAlias

    Value: TypeAlias = bool | int | str | tuple[str, ...] | None
    Values: TypeAlias = dict[str, Value]


class Option:
    """One option. ``metavar`` is the word for its value; without one it is a flag. ``number`` asks for an integer;
    ``complete`` says what its value completes to: containers, hosts, folders."""

    def __init__(
        self,
        name: str,
        flags: tuple[str, ...],
        help: str,
        metavar: str = "",
        *,
        number: bool = False,
        complete: str = "",
    ) -> None:
        self.name = name
        self.flags = flags
        self.help = help
        self.metavar = metavar
        self.number = number
        self.complete = complete

    @property
    def is_flag(self) -> bool:
        return not self.metavar

    @property
    def default(self) -> Value:
        return False if self.is_flag else None


class Argument:
    """One argument. ``many`` takes all that are left, as a tuple."""

    def __init__(
        self, name: str, help: str, metavar: str = "", *, required: bool = True, many: bool = False, complete: str = ""
    ) -> None:
        self.name = name
        self.help = help
        self.metavar = metavar
        self.required = required
        self.many = many
        self.complete = complete

    @property
    def default(self) -> Value:
        return () if self.many else None

    @property
    def shown(self) -> str:
        """As it stands in a synopsis."""
        word = (self.metavar or self.name.upper()) + ("..." if self.many else "")
        return word if self.required else f"[{word}]"


class Verb:
    """One command. ``module`` of `eyas.cli` has a function ``run(context, *, ...)`` with a parameter for each option
    and argument here (a house test compares them). One that ``looks`` needs an observation of the host in any case, so
    that is begun before anything else; one that ``plans`` is done when there is nothing to plan."""

    def __init__(
        self,
        name: str,
        module: str,
        summary: str,
        text: str = "",
        arguments: tuple[Argument, ...] = (),
        options: tuple[Option, ...] = (),
        *,
        looks: bool = False,
        plans: bool = False,
    ) -> None:
        self.name = name
        self.module = module
        self.summary = summary
        self.text = text
        self.arguments = arguments
        self.options = options
        self.looks = looks
        self.plans = plans

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.name.split(" "))

    def defaults(self) -> Values:
        rows: tuple[Option | Argument, ...] = (*self.arguments, *self.options)
        return {row.name: row.default for row in rows}
