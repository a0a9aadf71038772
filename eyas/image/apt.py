"""Asking apt which packages a request brings, in an apt root of our own: nothing of this machine's packages counts.

The folder has its own lists, status file and settings; only the machine's way to the network (proxies, certificates:
the Acquire settings) and its keyrings are used. Reading: apt.conf(5), apt_preferences(5), apt-get(8).
"""

from __future__ import annotations

import difflib
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, Result, run
from eyas.host.disk import write_whole
from eyas.image.lock import Deb
from eyas.image.sources import Archive, machine_archive

ESSENTIAL = "?essential"  # apt-patterns(7)

SETTINGS = """\
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::State::lists "{root}/{lists}";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
Dir::Etc::sourcelist "{root}/etc/{sources}";
Dir::Etc::sourceparts "{root}/etc/none";
Dir::Etc::parts "{root}/etc/none";
Dir::Etc::preferencesparts "{root}/etc/none";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "root";
APT::Color "false";
Acquire::Languages "none";
Acquire::Retries "3";
{acquire}
"""

NOT_FOUND = re.compile(
    r"^E: (?:Unable to locate package (?P<a>\S+)|Package '(?P<b>\S+)' has no installation candidate"
    r"|Couldn't find any package by (?:glob|regex) '(?P<c>[^']+)')",
    re.MULTILINE,
)
INSTALL = re.compile(r"^Inst (?P<name>\S+) (?:\[\S+\] )?\((?P<version>\S+) ", re.MULTILINE)


class UnknownPackage(Failed):
    """A name that no archive knows; ``package`` is it, ``near`` are names like it."""

    def __init__(self, package: str, near: Sequence[str]) -> None:
        hint = f"did you mean {' or '.join(near)}?" if near else "see https://packages.debian.org for its name"
        super().__init__(f"cannot find package {package}", hint)
        self.package = package


class Unsolvable(Failed):
    """apt finds no set of packages that fits a request; the message has apt's own explanation."""


def machine_arch() -> str:
    """Debian's name for this machine's architecture."""
    return run(["dpkg", "--print-architecture"]).text.strip()


@dataclass
class AptRoot:
    """Lists of one suite, and questions to them."""

    path: Path
    suite: str
    archive: Archive = field(default_factory=machine_archive)
    arch: str = field(default_factory=machine_arch)
    _known: dict[str, list[str]] | None = None
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self) -> None:
        """Makes the folders and settings; cheap, and safe to repeat."""
        for name in ("lists/partial", "small-lists/partial", "small", "cache/archives/partial", "etc/none"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        dump = run(["apt-config", "dump", "Acquire"], timeout=20).text
        keep = ("Acquire::http", "Acquire::https", "Acquire::ForceIPv")
        acquire = "\n".join(line for line in dump.splitlines() if line.startswith(keep))
        for conf, lists in (("apt.conf", "lists"), ("small.conf", "small-lists")):
            text = SETTINGS.format(
                root=self.path, arch=self.arch, acquire=acquire, lists=lists, sources=f"{lists}.list"
            )
            write_whole(self.path / conf, text, shared=True)
        write_whole(self.path / "etc/lists.list", "\n".join(self.archive.lines(self.suite)) + "\n", shared=True)
        write_whole(self.path / "etc/small-lists.list", f"deb [trusted=yes] file:{self.path}/small ./\n", shared=True)
        write_whole(self.path / "status", "", shared=True)

    def refresh(self) -> None:
        """Fetches the lists anew; raises Failed when the archive cannot be reached."""
        self.prepare()
        self._known = None
        try:
            self._apt(["apt-get", "update", "-q", "--error-on=any"], timeout=600, conf="apt.conf")
        except CommandFailed as error:
            raise Failed(
                f"cannot fetch the package lists of {self.suite}: {_last_error(error.result)}",
                "is the network there, and do this machine's apt sources have that suite?",
            ) from None

    def narrow(self, names: Iterable[str]) -> None:
        """Lets apt see only what these packages could ever need: it takes two seconds to look at a whole release,
        and a tenth to look at this, for each question. The answers are the same."""
        index, provided = self._index(), self._provided()
        waiting = [*names, *(name for name, blocks in index.items() if "\nEssential: yes" in blocks[0])]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += provided.get(name, ())
                waiting += (other for block in index.get(name, ()) for other in needed(block))
        text = "\n\n".join(block for name in sorted(seen) for block in index.get(name, ()))
        write_whole(self.path / "small/Packages", text + "\n", shared=True)
        self._apt(["apt-get", "update", "-q"], timeout=120)

    def _provided(self) -> Mapping[str, list[str]]:
        """Virtual packages: who provides them."""
        found: dict[str, list[str]] = {}
        for name, blocks in self._index().items():
            for block in blocks:
                if "\nProvides: " in block:
                    for virtual in relation_names(block.partition("\nProvides: ")[2].partition("\n")[0]):
                        found.setdefault(virtual, []).append(name)
        return found

    def solve(
        self, request: Iterable[str], below: Sequence[Deb] = (), prefer: Mapping[str, str] | None = None
    ) -> list[Deb]:
        """The packages that ``request`` adds to ``below`` (which count as installed), without Recommends.

        ``prefer`` names versions to take where they are still to be had (those locked before). Several may run at
        the same time. Raises UnknownPackage and Unsolvable.
        """
        names = list(request)
        with tempfile.TemporaryDirectory(prefix="solve-", dir=self.path) as name:
            given = Path(name)
            (given / "status").write_text("\n".join(self._installed(below)))
            pins = given / "preferences"
            argv = [
                "apt-get", "install", "-s", "-qq",
                # The cache of this status file is of no use to others, so it stays in memory.
                "-o", f"Dir::State::status={given}/status", "-o", "Dir::Cache::pkgcache=",
                "-o", f"Dir::Etc::preferences={pins}", *names,
            ]  # fmt: skip
            for wanted in ([prefer] if prefer else []) + [{}]:
                pins.write_text(
                    "\n".join(f"Package: {n}\nPin: version {v}\nPin-Priority: 1001\n" for n, v in wanted.items())
                )
                result = self._apt(argv, timeout=120, check=False)
                if result.code == 0:
                    break
            else:
                self._refused(result)
        # apt calls it an installation, too, when it takes the file of an installed version for another one.
        have = {(deb.name, deb.version) for deb in below}
        pairs = [(m["name"].partition(":")[0], m["version"]) for m in INSTALL.finditer(result.text)]
        return self._describe({name: version for name, version in pairs if (name, version) not in have})

    def _refused(self, result: Result) -> None:
        missing = NOT_FOUND.search(result.error)
        if missing:
            name = next(group for group in missing.groups() if group)
            raise UnknownPackage(name, self.near(name))
        lines = [line.strip() for line in (result.text + "\n" + result.error).splitlines()]
        why = [line for line in lines if " : " in line or line.startswith(("Depends", "E:"))]
        raise Unsolvable("cannot install these packages together: " + "; ".join(why[:6] or ["apt did not say why"]))

    def near(self, name: str) -> list[str]:
        """Known names that look like ``name``, best first."""
        known = [other for other in self._index() if other[:1] == name[:1]]
        return difflib.get_close_matches(name, known, n=2, cutoff=0.75)

    def _describe(self, versions: Mapping[str, str]) -> list[Deb]:
        """Looks up file and digest of exact versions."""
        found = []
        for name, version in sorted(versions.items()):
            stanza = self._stanza(name, version)
            if stanza is None:
                raise Failed(f"cannot find the file of {name} {version} in the package lists")
            found.append(
                Deb(
                    name,
                    version,
                    stanza["Architecture"],
                    stanza["SHA256"],
                    int(stanza["Size"]),
                    stanza["Filename"],
                    self._archive_of(stanza["Filename"]),
                )
            )
        return found

    def _stanza(self, name: str, version: str) -> dict[str, str] | None:
        for text in self._index().get(name, ()):
            for stanza in stanzas(text):
                if stanza["Version"] == version:
                    return stanza
        return None

    def _index(self) -> Mapping[str, list[str]]:
        """Stanzas of all lists by name, not taken apart: asking apt for them costs seconds."""
        with self._reading:
            if self._known is None:
                self._known = {}
                for path in sorted((self.path / "lists").glob("*_Packages")):  # main, updates, security
                    for block in path.read_text().split("\n\n"):
                        if block.startswith("Package: "):
                            self._known.setdefault(block[9 : block.index("\n")], []).append(block)
            return self._known

    def _archive_of(self, filename: str) -> str:
        """The security archive of Debian keeps its files under pool/updates."""
        return "security" if filename.startswith("pool/updates/") and self.archive.security else "main"

    def _installed(self, below: Sequence[Deb]) -> Iterator[str]:
        """Stanzas of a dpkg status file: the control fields of each package from the lists or from its .deb."""
        for deb in below:
            stanza = self._stanza(deb.name, deb.version)
            if stanza is None:  # it left the archive, but its control file has the same fields
                file = self.path.parent.parent / "debs" / f"{deb.sha256}.deb"
                if not file.exists():
                    raise Failed(
                        f"cannot add packages to {deb.name} {deb.version}: it left the archive and is not in the cache",
                        "run eyas update to move to the current versions",
                    )
                stanza = next(stanzas(run(["dpkg-deb", "-f", str(file)]).text))
            yield _status(stanza)

    def _apt(self, argv: Sequence[str], timeout: float = 60, check: bool = True, conf: str = "small.conf") -> Result:
        return run(argv, timeout=timeout, check=check, env={"APT_CONFIG": str(self.path / conf)})


DEPENDENCY_FIELDS = (
    "Package", "Version", "Architecture", "Multi-Arch", "Essential", "Protected", "Depends", "Pre-Depends",
    "Provides", "Conflicts", "Breaks", "Replaces", "Source", "Priority", "Section", "Maintainer", "Description",
    "Installed-Size", "Recommends", "Suggests", "Enhances",
)  # fmt: skip


def _status(stanza: Mapping[str, str]) -> str:
    lines = [f"{name}: {stanza[name]}" for name in DEPENDENCY_FIELDS if name in stanza]
    return "\n".join([lines[0], "Status: install ok installed", *lines[1:], ""])


def needed(block: str) -> Iterator[str]:
    """Names in the dependencies of a stanza, all alternatives."""
    for line in block.splitlines():
        if line.startswith(("Depends: ", "Pre-Depends: ")):
            yield from relation_names(line.partition(": ")[2])


def relation_names(relations: str) -> Iterator[str]:
    """``a (>= 1) | b:any, c`` -> a, b, c (deb-control(5))."""
    for relation in re.split(r"[,|]", relations):
        yield relation.split("(")[0].split("[")[0].strip().partition(":")[0]


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Control stanzas (deb-control(5)); continuation lines are dropped, since no field we use needs them."""
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line[:1] in (" ", "\t"):
                if key and key not in ("Description", "Conffiles"):
                    fields[key] += line
            elif ":" in line:
                key, _, value = line.partition(":")
                fields[key] = value.strip()
        if "Package" in fields:
            yield fields


def _last_error(result: Result) -> str:
    lines = [line[2:].strip() for line in result.error.splitlines() if line.startswith("E:")]
    return lines[0] if lines else (result.error.splitlines() or ["apt did not say why"])[-1]
