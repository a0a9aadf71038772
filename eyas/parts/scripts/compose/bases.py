"""What a Dockerfile stands on: the images that its FROM lines name, and those that it copies or mounts from. Pure.

Source: the reference of Dockerfiles; a variable of a FROM line is an ARG before the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

FROM = re.compile(r"^(\s*FROM\s+(?:--\S+\s+)*)(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
ARG = re.compile(r"^\s*ARG\s+(.*)", re.IGNORECASE)
OTHERS = (
    re.compile(r"^(\s*COPY\s+(?:--\S+\s+)*?--from=)(\S+)", re.IGNORECASE),
    re.compile(r"^(\s*RUN\s+(?:--\S+\s+)*?--mount=(?:[^\s,]+,)*?from=)([^\s,]+)", re.IGNORECASE),
)
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")


def bases(text: str, given: Mapping[str, str], contexts: Collection[str] = ()) -> list[str]:
    """Images that have to come from somewhere else, without those that are exact. ``given``: arguments of the build;
    ``contexts``: its further contexts, whose names are no images."""
    return sorted({name for _, _, name in _uses(text, given, contexts) if "@" not in name})


def exact(text: str, given: Mapping[str, str], pins: Mapping[str, str], contexts: Collection[str] = ()) -> str:
    """The same Dockerfile with a digest for each of these images that ``pins`` has."""
    lines = text.split("\n")
    for number, span, name in _uses(text, given, contexts):
        if name in pins:
            line = lines[number]
            lines[number] = f"{line[: span[0]]}{name}@{pins[name]}{line[span[1] :]}"
    return "\n".join(lines)


def _uses(text: str, given: Mapping[str, str], contexts: Collection[str]) -> Iterator[tuple[int, tuple[int, int], str]]:
    """Each place of an image: number of the line, where in it, and the name, filled."""
    values: dict[str, str] = {}
    stages = {name.lower() for name in contexts} | {"scratch"}
    begun = False
    for number, line in enumerate(text.split("\n")):
        found = FROM.match(line)
        if found:
            begun = True
            name = _filled(found[2], values)
            if name and name.lower() not in stages:
                yield number, found.span(2), name
            if found[3]:
                stages.add(found[3].lower())
        elif not begun and (said := ARG.match(line)):
            values |= _arguments(said[1], given, values)
        for other in OTHERS:
            found = other.match(line)
            if found and not found[2].isdigit() and "$" not in found[2] and found[2].lower() not in stages:
                yield number, found.span(2), found[2]


def _arguments(words: str, given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for word in words.split():
        name, _, default = word.partition("=")
        value = given.get(name, _filled(default.strip("\"'"), known))
        if value:
            found[name] = value
    return found


def _filled(word: str, values: Mapping[str, str]) -> str:
    """With its variables in place; '' when one has no value."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        has = values.get(found[1] or found[2], "")
        if found[3] == "-":
            return has or found[4]
        if found[3] == "+":
            return found[4] if has else ""
        missing = missing or not has
        return has

    filled = VARIABLE.sub(value, word)
    return "" if missing else filled
