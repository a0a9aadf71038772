"""What every command gets: the options that all share, and where to write."""

from __future__ import annotations

import os
import sys

from eyas.cli.place import CACHE, choose, find_fleet, noted

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from eyas.cli.table import Values
    from eyas.cli.view.text import Paint
    from eyas.core.errors import Diagnostic
    from eyas.core.words import Json
    from eyas.remote.early import Started


class Context:
    """``directory`` is as the user gave it; `fleet` finds the fleet's own. ``early`` is an agent that was started
    before anything else was known."""

    def __init__(
        self,
        directory: str | None = None,
        lab: bool = False,
        host: str | None = None,
        verbose: bool = False,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        input: TextIO | None = None,
    ) -> None:
        self.directory = directory
        self.lab = lab
        self.host = host
        self.verbose = verbose
        self.out = out if out is not None else sys.stdout
        self.err = err if err is not None else sys.stderr
        self.input = input if input is not None else sys.stdin
        self.early: Started | None = None

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
        from eyas.cli.view.text import NARROWEST, WIDEST

        if not is_terminal(self.out):
            return WIDEST
        try:
            return os.get_terminal_size(self.out.fileno()).columns
        except (OSError, ValueError):
            return NARROWEST

    def paint(self) -> Paint:
        """Colours, when a person looks who has not asked for none (no-color.org)."""
        from eyas.cli.view.text import Paint

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


def begin_early(context: Context) -> None:
    """Start to look at the host before anything is imported, where a note says how; see `eyas.remote.early`. Whatever
    is in the way will be said by whoever comes to it later."""
    from eyas.remote.early import begin

    try:
        fleet = context.fleet()
        host = choose(noted(fleet)["hosts"], context.host, context.lab)
    except Exception:  # any: a wrong command line, no definitions
        return
    context.early = begin(early_note(fleet, host, context.lab))


def early_note(fleet: str, host: str, lab: bool) -> str:
    """The file that says how the agent of a host was started."""
    return f"{fleet}/{CACHE}/agent-{'lab-' if lab else ''}{host}"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is at this stream's other end. A stream that is closed, or that never was (a service without
    standard input), has nobody."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False
