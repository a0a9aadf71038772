"""Small pieces of nginx's configuration: lines, blocks, names of variables, times. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from eyas.model import nginx, origin
from eyas.model.base import Thing
from eyas.model.nginx import literal
from eyas.model.site_values import is_network

UNITS = ((86400, "d"), (3600, "h"), (60, "m"))

Lines = list[str]


def block(head: str, lines: Iterable[str]) -> Lines:
    """``head { ... }``, what is in it four columns to the right."""
    return [f"{head} {{", *(f"    {line}" if line else "" for line in lines), "}"]


def apart(blocks: Iterable[Sequence[str]]) -> Lines:
    """Blocks with an empty line between them; empty ones are left out."""
    found: Lines = []
    for one in blocks:
        if one:
            found += ["", *one] if found else one
    return found


def raw(text: str) -> Lines:
    """A user's own lines, as they are."""
    return text.strip("\n").splitlines()


def time(seconds: int) -> str:
    """``3600`` as ``1h``: whole units, as a person writes them."""
    for size, unit in UNITS:
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def space(size: int) -> str:
    """``52428800`` as ``50m`` (nginx has no larger unit than g); 0 is no limit."""
    for shift, unit in ((30, "g"), (20, "m"), (10, "k")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def symbol(name: str) -> str:
    """A name of the web as a name of a variable: another one for every other name."""
    plain = name.replace("-", "__").replace(".", "_").replace("*", "any")
    return f"{plain}_{zlib.crc32(name.encode()):08x}" if "_" in name else plain


def file_of(name: str) -> str:
    """A name of the web as a name of a file, with the star of a wildcard spelled out."""
    return name.replace("*", "any")


def said(thing: Thing, words: str) -> str:
    """Who asked for what follows. Without the number of the line: it changes whenever something is written above, and
    then every site would be another file."""
    file = origin.split(thing.origin)[0].replace("\n", " ")
    return f"# {file}: {words}" if file else f"# {words}"


def networks(sources: Iterable[str]) -> list[str]:
    """Networks as nginx takes them, each for a line of its own; containers by reference to all of their addresses."""
    found: list[str] = []
    for source in sources:
        if is_network(source):
            found.append(source.removesuffix("/32").removesuffix("/128"))
        else:
            found += [f"@{{{source}.address}}", f"@{{{source}.address6?}}"]
    return found


def joined(text: str, more: str) -> str:
    """As `literal`, with variables or what a reference is filled with beside it."""
    return nginx.word(text.replace("$", nginx.DOLLAR) + more)


def header(name: str, text: str) -> str:
    """A header of the answer, whatever its status."""
    return f"add_header {name} {nginx.template(text)} always;"


def flag(name: str) -> str:
    """What looks whether a site or a container is under maintenance."""
    return f"if (-e {literal(f'/run/eyas-front/maintenance/{name}')}) {{ return 503; }}"
