"""Asking apt which packages a request brings, in an apt root of our own: nothing of this machine's packages counts.

The folder has its own lists, status file and settings; only the machine's way to the network (proxies, certificates:
the Acquire settings) and its keyrings are used. Reading: apt.conf(5), apt_preferences(5), apt-get(8).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, Result, run
from eyas.image.disk import write_whole
from eyas.image.lock import Deb
from eyas.image.sources import Archive, machine_archive

ESSENTIAL = "?essential"  # apt-patterns(7)

SETTINGS = """\
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::State::lists "{root}/lists";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
Dir::Etc::sourcelist "{root}/etc/sources.list";
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

    def prepare(self) -> None:
        """Makes the folders and settings; cheap, and safe to repeat."""
        for name in ("state/lists/partial", "lists/partial", "cache/archives/partial", "etc/none"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        dump = run(["apt-config", "dump", "Acquire"], timeout=20).text
        keep = ("Acquire::http", "Acquire::https", "Acquire::ForceIPv")
        acquire = "\n".join(line for line in dump.splitlines() if line.startswith(keep))
        settings = SETTINGS.format(root=self.path, arch=self.arch, acquire=acquire)
        write_whole(self.path / "apt.conf", settings)
        write_whole(self.path / "etc/sources.list", "\n".join(self.archive.lines(self.suite)) + "\n")
        self._given([], {})

    def refresh(self) -> None:
        """Fetches the lists anew; raises Failed when the archive cannot be reached."""
        self.prepare()
        try:
            self._apt(["apt-get", "update", "-q", "--error-on=any"], timeout=600)
        except CommandFailed as error:
            raise Failed(
                f"cannot fetch the package lists of {self.suite}: {_last_error(error.result)}",
                "is the network there, and do this machine's apt sources have that suite?",
            ) from None

    def ready(self) -> bool:
        """Whether lists were fetched before."""
        return any((self.path / "lists").glob("*_Packages"))

    def solve(
        self, request: Iterable[str], below: Sequence[Deb] = (), prefer: Mapping[str, str] | None = None
    ) -> list[Deb]:
        """The packages that ``request`` adds to ``below`` (which count as installed), without Recommends.

        ``prefer`` names versions to take where they are still to be had (those locked before). Raises UnknownPackage
        and Unsolvable.
        """
        names = list(request)
        for wanted in ([prefer] if prefer else []) + [{}]:
            self._given(below, wanted)
            result = self._apt(["apt-get", "install", "-s", "-qq", *names], timeout=120, check=False)
            if result.code == 0:
                break
        else:
            self._refused(result)
        # apt calls it an installation, too, when it takes the file of an installed version for another one.
        have = {(deb.name, deb.version) for deb in below}
        pairs = [(m["name"].partition(":")[0], m["version"]) for m in INSTALL.finditer(result.text)]
        found = {name: version for name, version in pairs if (name, version) not in have}
        return self._describe(found)

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
        known = self._apt(["apt-cache", "pkgnames", name[:1]]).text.split()
        return difflib.get_close_matches(name, known, n=2, cutoff=0.75)

    def _describe(self, versions: Mapping[str, str]) -> list[Deb]:
        """Looks up file and digest of exact versions."""
        if not versions:
            return []
        words = [f"{name}={version}" for name, version in versions.items()]
        text = self._apt(["apt-cache", "show", *words], timeout=120).text
        found: dict[str, Deb] = {}
        for stanza in stanzas(text):
            name, version = stanza["Package"], stanza["Version"]
            if versions.get(name) != version or name in found or "Filename" not in stanza:
                continue
            found[name] = Deb(
                name,
                version,
                stanza["Architecture"],
                stanza["SHA256"],
                int(stanza["Size"]),
                stanza["Filename"],
                self._archive_of(stanza["Filename"]),
            )
        lost = sorted(versions.keys() - found.keys())
        if lost:
            raise Failed(f"cannot find the files of {', '.join(lost)} in the package lists")
        return sorted(found.values())

    def _archive_of(self, filename: str) -> str:
        """The security archive of Debian keeps its files under pool/updates."""
        return "security" if filename.startswith("pool/updates/") and self.archive.security else "main"

    def _given(self, below: Sequence[Deb], prefer: Mapping[str, str]) -> None:
        """Writes what counts as installed, and which versions are preferred."""
        write_whole(self.path / "status", "\n".join(self._installed(below)))
        pins = (f"Package: {n}\nPin: version {v}\nPin-Priority: 1001\n" for n, v in sorted(prefer.items()))
        write_whole(self.path / "etc/preferences", "\n".join(pins))

    def _installed(self, below: Sequence[Deb]) -> Iterator[str]:
        """Stanzas of a dpkg status file: the control fields of each package from the lists or from its .deb."""
        if not below:
            return
        exact = {(deb.name, deb.version): deb for deb in below}
        words = [f"{deb.name}={deb.version}" for deb in below]
        text = self._apt(["apt-cache", "show", *words], timeout=120, check=False).text
        for stanza in stanzas(text):
            if exact.pop((stanza["Package"], stanza["Version"]), None):
                yield _status(stanza)
        for deb in exact.values():  # locked, but no longer in the archive: its control file has the same fields
            file = self.path.parent.parent / "debs" / f"{deb.sha256}.deb"
            if not file.exists():
                raise Failed(
                    f"cannot add packages to {deb.name} {deb.version}: it left the archive and is not in the cache",
                    "run eyas update to move to the current versions",
                )
            yield _status(next(stanzas(run(["dpkg-deb", "-f", str(file)]).text)))

    def _apt(self, argv: Sequence[str], timeout: float = 60, check: bool = True) -> Result:
        return run(argv, timeout=timeout, check=check, env={"APT_CONFIG": str(self.path / "apt.conf")})


DEPENDENCY_FIELDS = (
    "Package", "Version", "Architecture", "Multi-Arch", "Essential", "Protected", "Depends", "Pre-Depends",
    "Provides", "Conflicts", "Breaks", "Replaces", "Source", "Priority", "Section", "Maintainer", "Description",
    "Installed-Size", "Recommends", "Suggests", "Enhances",
)  # fmt: skip


def _status(stanza: Mapping[str, str]) -> str:
    lines = [f"{name}: {stanza[name]}" for name in DEPENDENCY_FIELDS if name in stanza]
    return "\n".join([lines[0], "Status: install ok installed", *lines[1:], ""])


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
