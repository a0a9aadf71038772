"""The generated parts of eyas(1): synopses and options, from the table that the command line is made of.

``python -m eyas.cli.manual FILE`` writes them between the markers of the page again; a house test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from eyas.cli.table import Argument, Option, Verb
from eyas.cli.verbs import GLOBALS, VERBS

BEGIN, END = "<!-- begin generated: {} -->", "<!-- end generated -->"


def commands() -> str:
    """Every verb: synopsis, what it does, its arguments and options."""
    return "\n\n".join(_verb(verb) for verb in VERBS)


def options() -> str:
    """The options that all verbs share."""
    return _list(GLOBALS)


PARTS = {"commands": commands, "options": options}


def filled(page: str) -> str:
    """The page with its generated parts as they should be. ValueError for a marker that names nothing."""

    def part(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in PARTS:
            raise ValueError(f"cannot write the part {name!r} of the manual: there is no such part")
        return f"{BEGIN.format(name)}\n\n{PARTS[name]()}\n\n{END}"

    return re.sub(r"<!-- begin generated: (\w+) -->.*?<!-- end generated -->", part, page, flags=re.DOTALL)


def _verb(verb: Verb) -> str:
    words = [f"**eyas {verb.name}**"]
    words += [f"[{_flag(option)}]" for option in verb.options]
    words += ["-- COMMAND..." if argument.name == "command" else argument.shown for argument in verb.arguments]
    text = f" {verb.text}" if verb.text else ""
    body = [f"### {verb.name}", " ".join(words), f"{verb.summary}{text}"]
    listed = _list((*verb.arguments, *verb.options))
    return "\n\n".join([*body, *([listed] if listed else [])])


def _flag(option: Option) -> str:
    return option.flags[-1] + (f" {option.metavar}" if option.metavar else "")


def _list(rows: Sequence[Option | Argument]) -> str:
    lines = []
    for row in rows:
        if isinstance(row, Option):
            name = ", ".join(f"`{flag}{f' {row.metavar}' if row.metavar else ''}`" for flag in row.flags)
        else:
            name = f"`{row.metavar or row.name.upper()}`"
        lines.append(f"- {name}: {row.help}")
    return "\n".join(lines)


def main(paths: Sequence[str]) -> int:
    """Write the generated parts of pages again."""
    for path in map(Path, paths):
        text = path.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
