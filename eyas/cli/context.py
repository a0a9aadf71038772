"""What every command gets: the options that all share, and where to write."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from eyas.cli.table import Values
from eyas.cli.view.text import NARROWEST, WIDEST, Paint
from eyas.core.errors import Diagnostic, UsageError
from eyas.core.words import Json

DEFINITIONS = "fleet.py"


@dataclass(frozen=True)
class Context:
    """``directory`` is as the user gave it; `fleet` finds the fleet's own."""

    directory: str | None = None
    lab: bool = False
    host: str | None = None
    verbose: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    input: TextIO = field(default_factory=lambda: sys.stdin)

    def fleet(self, given: str | None = None) -> str:
        """The fleet directory, absolute; ``given`` goes before what the global options say. UsageError when there is
        none."""
        return find_fleet(given if given is not None else self.directory)

    def write(self, text: str) -> None:
        """Print lines of a result."""
        if text:
            self.out.write(text if text.endswith("\n") else text + "\n")
            self.out.flush()

    def write_json(self, value: Mapping[str, Json]) -> None:
        """Print one JSON object."""
        import json

        self.write(json.dumps(value, indent=2, ensure_ascii=False))

    def warn(self, warnings: Sequence[Diagnostic]) -> None:
        """Print what check found that is no error."""
        for warning in warnings:
            self.tell(warning.text())

    def width(self) -> int:
        """Columns for a table: those of the terminal, or plenty when nobody looks."""
        if not is_terminal(self.out):
            return WIDEST
        try:
            return os.get_terminal_size(self.out.fileno()).columns
        except (OSError, ValueError):
            return NARROWEST

    def paint(self) -> Paint:
        """Colours, when a person looks who has not asked for none (no-color.org)."""
        return Paint(is_terminal(self.out) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")

    def interactive(self) -> bool:
        """Whether somebody can be asked."""
        return is_terminal(self.input) and is_terminal(self.err)

    def tell(self, text: str) -> None:
        """Print a line for a person beside the result."""
        self.err.write(text + "\n")
        self.err.flush()


def context_of(values: Values) -> Context:
    """The context of the global options, with what the environment says where they are not given."""
    directory, host = values.get("directory"), values.get("host")
    return Context(
        str(directory) if directory is not None else os.environ.get("EYAS_FLEET"),
        bool(values.get("lab")) or os.environ.get("EYAS_LAB", "") not in ("", "0"),
        str(host) if host is not None else None,
        bool(values.get("verbose")),
    )


def find_fleet(given: str | None) -> str:
    """The directory of the definitions: the given one, or the nearest one upwards from here that has a fleet.py."""
    start = os.path.abspath(given or ".")  # noqa: PTH100 (pathlib costs time at every start)
    if given is not None:
        if not os.path.isfile(os.path.join(start, DEFINITIONS)):  # noqa: PTH113, PTH118
            raise UsageError(
                f"cannot use {given}: it has no {DEFINITIONS}", "give a directory with a fleet's definitions"
            )
        return start
    folder = start
    while not os.path.isfile(os.path.join(folder, DEFINITIONS)):  # noqa: PTH113, PTH118
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            raise UsageError(
                f"cannot find {DEFINITIONS} in {start} or in a directory above it",
                "change to the fleet's directory, or name it with -C DIR",
            )
        folder = parent
    return folder


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is at this stream's other end. A stream that is closed, or that never was (a service without
    standard input), has nobody."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False
