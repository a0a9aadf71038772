"""The kinds of values that sites are made of: headers, patterns, lifetimes, networks, raw lines.

Each reader refuses what could not be written as one word of nginx, so that nothing that passes can end a directive.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from eyas.model import nginx
from eyas.model.values import Many, Words, duration, hostname, nearest, refuse, several, size

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[A-Za-z0-9!#%&'*+.^_`|~-]+")


def plain(value: object) -> object:
    """A text on one line that nginx reads as one word."""
    if isinstance(value, str):
        if _CONTROL.search(value):
            refuse("it has a control character (such as a line break) in it")
        if not nginx.fits(value):
            refuse(f"nginx reads {nginx.LONGEST} bytes of a value at most")
    return value


def template(value: object) -> object:
    """A text with variables of nginx in it, all of which exist."""
    if isinstance(plain(value), str):
        for name in nginx.variables(str(value)):
            if not name:
                refuse("a dollar begins the name of a variable of nginx", 'write "$$" for a dollar sign')
            if not nginx.known(name):
                near = nearest(name, sorted(nginx.VARIABLES))
                refuse(
                    f"nginx has no variable ${name}",
                    f'did you mean "${near}"?' if near else '"$$" is a dollar sign',
                )
    return value


def header_name(value: object) -> object:
    if isinstance(value, str) and not _TOKEN.fullmatch(value):
        return refuse("the name of a header is made of letters, digits and -")
    return value


def _headers(value: object) -> object:
    """``{"X-Frame-Options": "DENY", "Server-Timing": None}``: None takes a header away."""
    if not isinstance(value, Mapping):
        return value
    seen: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(name, str):
            refuse(f"{name!r} is no name of a header")
        header_name(name)
        other = seen.setdefault(name.lower(), name)
        if other != name:
            refuse(f"{other} and {name} are one header")
        if text is not None and not isinstance(text, str):
            refuse(f"{name} is {text!r}", "write the text of the header, or None to take it away")
        template(text)
    return dict(value)


def _status(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and not 200 <= value <= 599:
        return refuse("a status is between 200 and 599")
    return value


def _away(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value not in (301, 302, 303, 307, 308):
        return refuse("the status of a redirect is 301, 302, 303, 307 or 308")
    return value


def _upload(value: object) -> object:
    return 0 if value == "unlimited" or (value == 0 and not isinstance(value, bool)) else size(value)


def _lifetime(value: object) -> object:
    """``"10m"``, ``"never"``, ``"forever"``, or a mapping of kinds of files to such."""
    if isinstance(value, Mapping):
        return {_kind(kind): _one_lifetime(text) for kind, text in value.items()}
    return _one_lifetime(value)


def _one_lifetime(value: object) -> object:
    if value in ("never", "forever"):
        return value
    return f"{duration(value)}s" if isinstance(value, str | int) else value


def _kind(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"default|[a-z]+/(\*|[A-Za-z0-9.+-]+)|\.[A-Za-z0-9_-]+", value):
        refuse(f"{value!r} is no kind of file", 'write "text/html", "image/*", ".css" or "default"')
    return str(value)


def source(value: object) -> object:
    """An address or network as text, or a container, which stands for its addresses."""
    from eyas.model.machines import Container

    if isinstance(value, Container):
        return value.name
    if isinstance(value, str) and re.search(r"[./:]", value):
        try:
            return str(ipaddress.ip_network(value))
        except ValueError:
            try:
                right = ipaddress.ip_network(value, strict=False)
            except ValueError:
                return refuse("it is no address, network or container", 'write "192.0.2.0/24", or a container')
            return refuse("the address has bits beyond its prefix length", f'write "{right}"')
    return hostname(value)


def is_network(text: str) -> bool:
    """Whether a source is an address or network; otherwise it is a container's name."""
    return ":" in text or "." in text


def _sources(value: object) -> object:
    from eyas.model.machines import Container

    value = several([value] if isinstance(value, Container) else value)
    return tuple(source(item) for item in value) if isinstance(value, tuple) else value


def _method(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[A-Z]+", value):
        return refuse("a method is written in capitals", f'write "{value.upper()}"' if value.isalpha() else "")
    return value


def _extra(value: object) -> object:
    """Raw lines of nginx, which end what they begin; what they say is looked at by the rules."""
    if isinstance(value, str):
        try:
            nginx.parse(value)
        except nginx.Unreadable as error:
            refuse(f"line {error.line} of it: {error.why}")
    return value


def _body(value: object) -> object:
    if isinstance(value, str):
        if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", value):
            refuse("it has a control character in it")
        if not nginx.fits(value):
            refuse(f"nginx reads {nginx.LONGEST} bytes of a literal answer at most", "put it into a file: Static(...)")
    return value


def _mime(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+(; ?[a-z]+=[\w.-]+)*", value):
        return refuse("it is no type of content", 'write it like "application/json"')
    return value


def _types(value: object) -> object:
    if isinstance(value, Mapping):
        for ending, kind in value.items():
            if not isinstance(ending, str) or not re.fullmatch(r"[A-Za-z0-9_+-]+", ending):
                refuse(f"{ending!r} is no ending of a file", 'write {"sig": "application/pgp-signature"}')
            _mime(kind)
    return value


def _uri(value: object) -> object:
    """A path that is asked for."""
    if isinstance(plain(value), str) and not str(value).startswith("/"):
        return refuse("a path that is asked for starts with /", f'write "/{value}"')
    return value


def _target(value: object) -> object:
    """Where a redirect leads: an address of the web, or a path of the same site."""
    if isinstance(template(value), str) and not re.match(r"(https?|[a-z][a-z0-9+.-]*)://[^/\s]|/(?!/)", str(value)):
        return refuse("a redirect leads to an address (https://...) or to a path (/...)")
    return value


def _glob(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9._*?~+-]+", value):
        return refuse("it is a name of a file with * and ? in it, without folders", 'write ".*" or "*.part"')
    return value


def words_of(names: Mapping[str, str | None]) -> Iterator[tuple[str, str | None]]:
    """Headers in a stable order."""
    yield from sorted(names.items(), key=lambda item: item[0].lower())


Text: TypeAlias = Annotated[str, BeforeValidator(plain), Words("text on one line")]
Template: TypeAlias = Annotated[str, BeforeValidator(template), Words("text, with variables of nginx")]
HeaderName: TypeAlias = Annotated[str, BeforeValidator(header_name), Words("the name of a header", "names of headers")]
Headers: TypeAlias = Annotated[
    dict[str, str | None], BeforeValidator(_headers), Words("a mapping of headers to texts (None takes one away)")
]
Status: TypeAlias = Annotated[int, BeforeValidator(_status), Words("a status (200 to 599)")]
AwayStatus: TypeAlias = Annotated[int, BeforeValidator(_away), Words("301, 302, 303, 307 or 308")]
Upload: TypeAlias = Annotated[int, BeforeValidator(_upload), Words('a size (bytes, "50M", or "unlimited")')]
Lifetime: TypeAlias = Annotated[
    str | dict[str, str],
    BeforeValidator(_lifetime),
    Words('a duration, "never", "forever", or a mapping of kinds of files to such'),
]
Sources: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(_sources), Words("a list of networks, addresses or containers")
]
Methods: TypeAlias = Many[Annotated[str, BeforeValidator(_method), Words("a method", "methods")]]
Raw: TypeAlias = Annotated[str, BeforeValidator(_extra), Words("lines of nginx")]
Body: TypeAlias = Annotated[str, BeforeValidator(_body), Words("text")]
Mime: TypeAlias = Annotated[str, BeforeValidator(_mime), Words("a type of content")]
Types: TypeAlias = Annotated[dict[str, str], BeforeValidator(_types), Words("a mapping of endings to types of content")]
Uri: TypeAlias = Annotated[str, BeforeValidator(_uri), Words("a path that is asked for")]
Target: TypeAlias = Annotated[str, BeforeValidator(_target), Words("an address of the web or a path")]
Globs: TypeAlias = Many[Annotated[str, BeforeValidator(_glob), Words("a pattern of names", "patterns of names")]]
