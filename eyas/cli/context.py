"""What every command gets: the options that all share, and where to write."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TextIO

from eyas.cli.table import Values
from eyas.core.errors import UsageError

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

    def fleet(self) -> str:
        """The fleet directory, absolute. UsageError when there is none."""
        return find_fleet(self.directory)

    def write(self, text: str) -> None:
        """Print lines of a result."""
        if text:
            self.out.write(text if text.endswith("\n") else text + "\n")
            self.out.flush()

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
