"""What a container wrote into its root, and the rules that tell noise from what somebody would miss.

A rule is a pattern of paths: ``*`` and ``?`` stay within a name, ``**`` crosses folders, ``/var/cache/x/**`` is the
folder with all below it; without a slash in front it is a name anywhere (``*.pyc``, ``node_modules/**``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.core.words import Json

BUILT_IN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("temporary files", ("/tmp/**", "/var/tmp/**", "/run/**", "/dev/**", "*.tmp", ".#*", "*.swp")),  # noqa: S108
    ("logs", ("/var/log/**",)),
    ("caches", ("/var/cache/**", "/root/.cache/**", "/home/*/.cache/**", "/etc/ld.so.cache", "/var/lib/man-db/**")),
    ("compiled Python", ("*.pyc", "__pycache__/**")),
    ("state of systemd", ("/var/lib/systemd/**", "/etc/.updated", "/var/.updated", "/etc/.pwd.lock")),
    ("lists of packages", ("/var/lib/apt/**", "/var/lib/dpkg/**", "/var/lib/ucf/**", "/var/lib/pam/**")),
    ("the machine's own", (
        "/etc/machine-id", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/var/lib/dbus/machine-id",
        "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-",
    )),
    ("histories of people", (
        ".bash_history", ".lesshst", ".viminfo", ".wget-hsts", ".python_history", ".psql_history", ".sqlite_history",
    )),
)  # fmt: skip
"""What nobody would miss in any container, by a title for people."""

EMPTY = "empty folders"
ENDPOINTS = "sockets and pipes"


def translate(pattern: str) -> str:
    """A pattern as a regular expression for a whole path, or for a whole name when it has no folder."""
    tail = pattern.endswith("/**")
    made = ""
    for piece in re.split(r"(\*\*|\*|\?)", pattern.removesuffix("/**")):
        made += {"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece) or re.escape(piece)
    if not pattern.startswith("/") and "/" in pattern.removesuffix("/**"):
        made = f"/(?:.*/)?{made}"
    return made + ("(?:/.*)?" if tail and "/" in made else "")


class Noise:
    """All rules: those of everybody, then those of a container's parts, whose titles are their patterns."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._titles: list[str] = []
        self._trees: set[int] = set()  # rules that cover a folder with all below it
        rows = [(pattern, pattern) for pattern in patterns]
        rows += [(title, pattern) for title, some in BUILT_IN for pattern in some]
        names: list[str] = []
        paths: list[str] = []
        for number, (title, pattern) in enumerate(rows):
            self._titles.append(title)
            if pattern.endswith("/**"):
                self._trees.add(number)
            by_name = "/" not in pattern.removesuffix("/**")
            (names if by_name else paths).append(f"(?P<r{number}>{translate(pattern)})")
        self._names = re.compile("|".join(names), re.DOTALL).fullmatch
        self._paths = re.compile("|".join(paths), re.DOTALL).fullmatch

    def rule(self, path: str) -> str:
        """The title of the rule for a file, '' when it is no noise."""
        found = self._paths(path) or self._names(path[path.rfind("/") + 1 :])
        return self._titles[int(str(found.lastgroup)[1:])] if found else ""

    def tree(self, folder: str) -> str:
        """The title of the rule that covers a folder with all below it, '' when there is none."""
        found = self._paths(folder) or self._names(folder[folder.rfind("/") + 1 :])
        number = int(str(found.lastgroup)[1:]) if found else -1
        return self._titles[number] if number in self._trees else ""


@dataclass(frozen=True)
class Written:
    """One path, or many of one folder folded to one line (``path`` ends with ``/*``, or is the folder itself).

    ``what``: new; changed (a file of the packages or of the definition differs); replaced (a folder of theirs was taken
    away and made anew); deleted. ``type``: file, dir, link, other. ``size`` in bytes and ``count`` of the files in it;
    ``at`` when the newest of them was changed, seconds since the epoch. Owners are as seen inside. ``unit`` is who
    wrote it and ``how`` that is known. ``place`` is the folder that a bind would keep it by, '' when there is none;
    ``rule`` the noise that it is.
    """

    path: str
    what: str = "new"
    type: str = "file"
    size: int = 0
    count: int = 1
    at: float = 0.0
    uid: int = 0
    gid: int = 0
    mode: int = 0
    owner: str = ""
    group: str = ""
    unit: str = ""
    how: str = ""
    package: str = ""
    place: str = ""
    rule: str = ""

    def to_json(self) -> dict[str, Json]:
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Written:
        return cls(**{key: value for key, value in data.items() if key in cls.__dataclass_fields__})  # type: ignore[arg-type]

    @property
    def folder(self) -> str:
        """The path without the star of what was folded."""
        return self.path.removesuffix("/*")


@dataclass
class Listing:
    """What a container wrote: lines, and noise by its rule as (count, size); ``more`` lines were left off."""

    items: list[Written] = field(default_factory=list)
    noise: dict[str, tuple[int, int]] = field(default_factory=dict)
    more: int = 0


@dataclass(frozen=True)
class Writers:
    """Who could have written: ``directories`` a service declares, as path -> (unit, setting); ``users`` uid -> units of
    their processes; ``opened`` path -> units that have it open for writing."""

    directories: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    users: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    opened: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def attributed(item: Written, writers: Writers) -> Written:
    """The same with the unit that wrote it, as far as it is known beyond doubt: the surest sign first."""
    if item.what == "changed" and item.type == "dir":
        return item  # its owner or mode alone; who wrote into it says nothing of that
    folder = item.folder
    declared = next((row for path, row in writers.directories.items() if _below(folder, path)), None)
    units = {unit for path, some in writers.opened.items() if _below(path, folder) for unit in some}
    if declared is not None and (item.type == "dir" or not units):
        return replace(item, unit=declared[0], how=f"{declared[1]}=")
    if len(units) == 1:
        return replace(item, unit=units.pop(), how="has it open")
    owners = writers.users.get(item.uid, ())
    if item.uid and len(owners) == 1 and item.what != "deleted":
        return replace(item, unit=owners[0], how=f"alone runs as {item.owner or item.uid}")
    return item


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


HOMES = (
    "/var/lib",
    "/var/lib/private",
    "/var/spool",
    "/var/www",
    "/srv",
    "/opt",
    "/home",
    "/mnt",
    "/usr/local",
    "/var",
)
"""Folders of which each entry is a thing of its own: never one line themselves, and a bind takes an entry of them."""


def place_of(item: Written, writers: Writers) -> str:
    """The folder that a bind would keep an item by; '' when that is no matter of a folder of data."""
    if item.what not in ("new", "replaced"):
        return ""
    folder = item.folder if item.type == "dir" or item.folder != item.path else item.path.rpartition("/")[0]
    for path in writers.directories:
        if _below(folder, path):
            return path
    for home in HOMES:
        if folder.startswith(f"{home}/"):
            found = home + "/" + folder.removeprefix(f"{home}/").partition("/")[0]
            return "" if found in HOMES else found
    top = folder.split("/")[1] if folder not in HOMES and "/" in folder else ""
    return folder if top and top not in ("etc", "usr", "boot", "root", "var", "bin", "sbin", "lib") else ""
