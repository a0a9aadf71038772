"""Where this machine gets Debian packages: its own apt sources, with another suite put in.

Formats: sources.list(5), both the one-line style and deb822. eyas names no host of its own, so that an operator's
mirror, proxy or offline copy is used without telling eyas.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eyas.core.errors import Failed

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ETC_APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")

RELEASES = ("bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")


@dataclass(frozen=True)
class Source:
    """One configured line: type deb only."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True)
class Archive:
    """The Debian archive and its security archive, as this machine reaches them ('' when it has none)."""

    main: str
    security: str

    def uri(self, archive: str) -> str:
        return self.security if archive == "security" else self.main

    def lines(self, suite: str) -> list[str]:
        """Lines for a sources.list that give ``suite``, its updates and its security updates."""
        option = f"[signed-by={KEYRING}]"
        lines = [f"deb {option} {self.main} {suite} main"]
        if suite not in ("sid", "unstable"):
            lines.append(f"deb {option} {self.main} {suite}-updates main")
            if self.security:
                lines.append(f"deb {option} {self.security} {suite}-security main")
        return lines


def machine_archive(etc: Path = ETC_APT) -> Archive:
    """The archive that this machine is configured to use; raises Failed when it has no Debian source."""
    main = security = ""
    for source in machine_sources(etc):
        if "main" not in source.components or not _is_debian_key(source.signed_by):
            continue
        codename, _, pocket = source.suite.replace("/updates", "-security").partition("-")
        if codename not in RELEASES:
            continue
        if pocket == "" and not main:
            main = source.uri
        elif pocket == "security" and not security:
            security = source.uri
    if not main:
        raise Failed(
            f"cannot find a Debian archive in the apt sources of this machine ({etc})",
            "add a source with a Debian release as its suite and the component main",
        )
    return Archive(main, security)


def machine_sources(etc: Path = ETC_APT) -> Iterator[Source]:
    """All enabled binary sources, in apt's own order: sources.list, then sources.list.d by name."""
    single = etc / "sources.list"
    if single.is_file():
        yield from parse_lines(single.read_text())
    parts = etc / "sources.list.d"
    for path in sorted(parts.iterdir()) if parts.is_dir() else []:
        if path.suffix == ".list":
            yield from parse_lines(path.read_text())
        elif path.suffix == ".sources":
            yield from parse_deb822(path.read_text())


def parse_lines(text: str) -> Iterator[Source]:
    """``deb [option=value ...] uri suite component ...``"""
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line.startswith(("deb ", "deb\t")):
            continue
        rest, signed = line[3:].strip(), ""
        if rest.startswith("["):
            options, _, rest = rest[1:].partition("]")
            pairs = dict(word.partition("=")[::2] for word in options.split())
            signed = pairs.get("signed-by", "")
        words = shlex.split(rest)
        if len(words) >= 2:
            yield Source(words[0].rstrip("/"), words[1], tuple(words[2:]), signed)


def parse_deb822(text: str) -> Iterator[Source]:
    """Stanzas of ``Types``, ``URIs``, ``Suites``, ``Components``, ``Enabled``, ``Signed-By``."""
    for stanza in _stanzas(text):
        if "deb" not in stanza.get("types", "").split() or stanza.get("enabled", "yes") == "no":
            continue
        signed = stanza.get("signed-by", "")
        for uri in stanza.get("uris", "").split():
            for suite in stanza.get("suites", "").split():
                yield Source(uri.rstrip("/"), suite, tuple(stanza.get("components", "").split()), signed)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    key = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, key = {}, ""
        elif line[0] in " \t":
            fields[key] = f"{fields.get(key, '')} {line.strip()}".strip()
        else:
            key, _, value = line.partition(":")
            key = key.lower()
            fields[key] = value.strip()


def _is_debian_key(signed_by: str) -> bool:
    """Third parties use Debian's suite names too, but sign with their own keys."""
    return not signed_by or "debian-archive" in signed_by
