"""The kinds of values that definitions are made of: sizes, durations, names, addresses, paths, ports.

Each is an annotated standard type with a reader (what is accepted) and ``Words`` (what is allowed, for messages and
for the manual). A reader raises through ``refuse``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")

SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
TIMES = {"": 1, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Words:
    """What a value may be, in words: completes "allowed is ..."."""

    text: str
    many: str = ""  # completes "a list of ..."


def refuse(why: str, hint: str = "") -> NoReturn:
    """Refuse the value at hand. ``why`` completes "cannot use <value>: ..."."""
    raise PydanticCustomError("eyas", "{why}", {"why": why, "hint": hint})


def size(value: object) -> object:
    """Bytes of ``2048``, ``"512M"``, ``"2G"`` or ``"1.5G"`` (powers of 1024, as systemd reads them)."""
    if isinstance(value, bool):
        return refuse("a size is a number of bytes or text with a unit", 'write "512M" or "2G"')
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", value.strip(), re.IGNORECASE)
        if match is None:
            return refuse("a size is a number of bytes or text with a unit K, M, G, T", 'write "512M" or "2G"')
        value = int(float(match[1]) * SIZES[match[2].upper()])
    if isinstance(value, int) and value <= 0:
        return refuse("a size is more than 0 bytes")
    return value


def duration(value: object) -> object:
    """Seconds of ``90``, ``"90s"``, ``"10m"``, ``"1h30m"``."""
    if isinstance(value, bool):
        return refuse("a duration is a number of seconds or text with a unit", 'write "90s" or "10m"')
    if isinstance(value, str):
        text = value.replace(" ", "")
        if not re.fullmatch(r"\d+|(\d+(min|s|m|h|d))+", text):
            return refuse("a duration is a number of seconds or text with units s, m, h, d", 'write "90s" or "10m"')
        value = sum(int(n) * TIMES[unit] for n, unit in re.findall(r"(\d+)(min|[smhd]?)", text))
    if isinstance(value, int) and value <= 0:
        return refuse("a duration is more than 0 seconds")
    return value


def patience(value: object) -> object:
    """A duration that may be 0: not at all."""
    return 0 if value in (0, "0", "0s") and not isinstance(value, bool) else duration(value)


def several(value: object) -> object:
    """A list, tuple or generator as a tuple; one text where a list belongs is the usual slip."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, str | bytes):
        return refuse("it takes a list", f"write [{value!r}]")
    if isinstance(value, Mapping):
        return refuse("it takes a list, not a mapping")
    if isinstance(value, Iterable) and not isinstance(value, BaseModel):  # a model would give its fields
        return tuple(value)
    return refuse("it takes a list", "write [...] around it")


def hostname(value: object) -> object:
    """A name that hosts, machines and units can carry: a label of RFC 1123, as machined demands."""
    if isinstance(value, str):
        if len(value) > 64:
            return refuse(f"a name has 64 characters at most, this one has {len(value)}")
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", value):
            return refuse("a name is made of a-z, 0-9 and -, and starts and ends with a letter or digit", _tidy(value))
    return value


def _tidy(value: str) -> str:
    better = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
    return f'write "{better}"' if better else ""


def domain(value: object) -> object:
    """A DNS name, lower case, wildcard label allowed in front."""
    if isinstance(value, str):
        label = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
        if len(value) > 253 or not re.fullmatch(rf"(\*\.)?{label}(\.{label})*", value):
            return refuse(
                "a site is named by a DNS name in lower case", 'write "wiki.example.org", without scheme or path'
            )
    return value


def interface(value: object) -> object:
    """A name the kernel takes for a network interface."""
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", value):
        return refuse("an interface name has 1 to 15 characters of a-z, A-Z, 0-9, '_', '.' and '-'")
    return value


def user_name(value: object) -> object:
    """A login name as useradd(8) takes it."""
    if isinstance(value, str) and not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value):
        return refuse(
            "a user or group name is made of a-z, 0-9, _ and -, starts with a letter, has 32 characters at most"
        )
    return value


def path(value: object) -> object:
    """An absolute path without ``.`` or ``..``, without trailing slash."""
    if not isinstance(value, str):
        return value
    if not value.startswith("/"):
        return refuse("a path is absolute", f'write "/{value}"' if value and ".." not in value else "")
    if "\0" in value or "\n" in value or ":" in value:
        return refuse("a path has no colon, line break or NUL in it")
    pieces = value.split("/")
    if ".." in pieces or "." in pieces:
        return refuse("a path has no '.' or '..' in it", "write where it leads to")
    return "/" + "/".join(piece for piece in pieces if piece)


def pattern(value: object) -> object:
    """A pattern of paths (`eyas.core.written`): absolute, or names anywhere."""
    if isinstance(value, str) and (not value.strip("*/") or "\n" in value or "\0" in value or value.endswith("/")):
        return refuse(
            "a pattern names a file (*.pyc, /etc/x.cache) or a folder with all below it (/var/lib/x/tmp/**)",
            f'write "{value}**"' if value.strip("*/") and value.endswith("/") else "",
        )
    return value


def port(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and not 1 <= value <= 65535:
        return refuse("a port is between 1 and 65535")
    return value


def _address(value: object, version: int) -> object:
    if not isinstance(value, str):
        return value
    if "/" in value:
        return refuse("it is an address without prefix length", f'write "{value.partition("/")[0]}"')
    try:
        return str((ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address)(value))
    except ValueError as error:
        return refuse(f"it is no IPv{version} address ({_lower(error)})")


def _lower(error: ValueError) -> str:
    """What the standard library says, as the middle of a sentence and without the address again."""
    text = re.sub(r" (not permitted )?in '.*'$", "", str(error))
    return text[:1].lower() + text[1:]


def ipv4(value: object) -> object:
    return _address(value, 4)


def ipv6(value: object) -> object:
    return _address(value, 6)


def _interface_address(value: object, version: int) -> object:
    if not isinstance(value, str):
        return value
    example = "10.0.5.1/24" if version == 4 else "fd00:5::1/64"
    if "/" not in value:
        return refuse("it is an address with its prefix length", f'write it like "{example}"')
    try:
        return str((ipaddress.IPv4Interface if version == 4 else ipaddress.IPv6Interface)(value))
    except ValueError as error:
        return refuse(
            f"it is no IPv{version} address with prefix length ({_lower(error)})", f'write it like "{example}"'
        )


def network4(value: object) -> object:
    return _interface_address(value, 4)


def network6(value: object) -> object:
    return _interface_address(value, 6)


UNIT_SUFFIXES = ("service", "socket", "timer", "path", "target", "mount", "automount", "slice", "swap")


def unit_name(value: object) -> object:
    """A name systemd takes for a unit file; drop-ins are files, not units."""
    if isinstance(value, str):
        stem, _, suffix = value.rpartition(".")
        if suffix not in UNIT_SUFFIXES or not stem:
            allowed = ", ".join("." + s for s in UNIT_SUFFIXES)
            return refuse(
                f"a unit name ends with one of {allowed}", f'write "{value}.service"' if "." not in value else ""
            )
        if not re.fullmatch(r"[A-Za-z0-9:_.\\@-]{1,246}", stem):
            return refuse("a unit name is made of letters, digits and : _ . \\ @ -")
    return value


def package(value: object) -> object:
    """A Debian package name, optionally with architecture (``:arch``)."""
    if isinstance(value, str) and not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?", value):
        return refuse("a package name is made of a-z, 0-9, +, . and -", "versions are pinned in eyas.lock, not here")
    return value


def mode(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value <= 0o7777:
        return refuse("a mode is between 0 and 0o7777", "write it in octal: 0o644")
    if isinstance(value, int) and value in (644, 600, 755, 700, 640, 750, 444, 400, 664, 775, 777):
        return refuse("it looks like a mode written in decimal", f"write 0o{value}")
    return value


def uid(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value <= 65533:
        return refuse(
            "a user or group id is between 0 and 65533", "a container has 65536 ids, the last two are reserved"
        )
    return value


class Instance:
    """Mark of a field that takes objects of its class alone, never a mapping that could become one: an object of the
    definitions is made by calling its class, which is how it knows its origin."""

    def __get_pydantic_core_schema__(self, source: Any, _handler: Any) -> CoreSchema:
        return core_schema.is_instance_schema(source)


Made: TypeAlias = Annotated[T, Instance()]
Bytes: TypeAlias = Annotated[int, BeforeValidator(size), Words('a size (bytes, or text such as "512M" or "2G")')]
Seconds: TypeAlias = Annotated[
    int, BeforeValidator(duration), Words('a duration (seconds, or text such as "90s" or "10m")')
]
Patience: TypeAlias = Annotated[int, BeforeValidator(patience), Words("a duration (0 for not at all)")]
Name: TypeAlias = Annotated[str, BeforeValidator(hostname), Words("a name (a-z, 0-9 and -)", "names")]
Domain: TypeAlias = Annotated[str, BeforeValidator(domain), Words("a DNS name", "DNS names")]
Interface: TypeAlias = Annotated[str, BeforeValidator(interface), Words("the name of a network interface")]
UserName: TypeAlias = Annotated[str, BeforeValidator(user_name), Words("the name of a user or group", "names")]
AbsolutePath: TypeAlias = Annotated[str, BeforeValidator(path), Words("an absolute path")]
Port: TypeAlias = Annotated[int, BeforeValidator(port), Words("a port (1 to 65535)", "ports")]
Address4: TypeAlias = Annotated[str, BeforeValidator(ipv4), Words("an IPv4 address")]
Address6: TypeAlias = Annotated[str, BeforeValidator(ipv6), Words("an IPv6 address")]
Network4: TypeAlias = Annotated[str, BeforeValidator(network4), Words("an IPv4 address with prefix length")]
Network6: TypeAlias = Annotated[str, BeforeValidator(network6), Words("an IPv6 address with prefix length")]
Pattern: TypeAlias = Annotated[str, BeforeValidator(pattern), Words("a pattern of paths", "patterns of paths")]
UnitName: TypeAlias = Annotated[str, BeforeValidator(unit_name), Words("the name of a unit", "names of units")]
Package: TypeAlias = Annotated[str, BeforeValidator(package), Words("the name of a package", "names of packages")]
Mode: TypeAlias = Annotated[int, BeforeValidator(mode), Words("a file mode such as 0o644")]
Uid: TypeAlias = Annotated[int, BeforeValidator(uid), Words("a user id (0 to 65533)")]
Count: TypeAlias = Annotated[int, Field(ge=1), Words("a whole number above 0")]
Weight: TypeAlias = Annotated[int, Field(ge=1, le=10000), Words("a weight (1 to 10000)")]
Processors: TypeAlias = Annotated[float, Field(gt=0), Words("a number above 0")]
Many: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(several)]


def nearest(name: str, known: Sequence[str]) -> str:
    """The known name most like this one, '' when none is like it."""
    import difflib

    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else ""
