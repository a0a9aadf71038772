"""Sources: what a PKGBUILD asks for, and a cache of it that several builders share.

A file is kept by the digest that the PKGBUILD names, a git repository as a mirror by its address. What is there is
never asked for again, so that an upstream that is away matters only to those who need something new from it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .files import NEW, copy, locked, sync
from .run import Done, Refused, run
from .settings import Settings
from .upstream import ANOTHER, PATIENCE, REFUSALS, Answered, Upstream, answered, fetched, git_words

SUMS = ("b2", "sha512", "sha384", "sha256", "sha224")
"""Checksums of a PKGBUILD that we trust to name a file."""


@dataclass(frozen=True)
class Info:
    """What a PKGBUILD says of itself, for one architecture."""

    base: str
    version: str
    names: tuple[str, ...]
    needs: tuple[str, ...]
    sources: tuple[tuple[str, str, str], ...]
    """Each source with the kind of its checksum and that ('' for none)."""


def info(text: str, arch: str) -> Info:
    """Read what ``makepkg --printsrcinfo`` printed (.SRCINFO)."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition(" =")
        if equals:
            values.setdefault(key, []).append(value.strip())

    def every(key: str) -> list[str]:
        return [*values.get(key, ()), *values.get(f"{key}_{arch}", ())]

    if not values.get("pkgbase") or not values.get("pkgver"):
        raise Refused("cannot read the PKGBUILD: it names no package or no version")
    rows = []
    for suffix in ("", f"_{arch}"):
        for index, source in enumerate(values.get(f"source{suffix}", ())):
            kind, sum = "", ""
            for one in SUMS:
                row = values.get(f"{one}sums{suffix}", [])
                if index < len(row) and row[index] != "SKIP":
                    kind, sum = one, row[index].lower()
                    break
            rows.append((source, kind, sum))
    needs = [re.split(r"[<>=:]", need)[0] for key in ("depends", "makedepends", "checkdepends") for need in every(key)]
    epoch = f"{values['epoch'][0]}:" if values.get("epoch") else ""
    return Info(
        values["pkgbase"][0],
        f"{epoch}{values['pkgver'][0]}-{values.get('pkgrel', ['1'])[0]}",
        tuple(values.get("pkgname", ())),
        tuple(dict.fromkeys(needs)),
        tuple(rows),
    )


@dataclass(frozen=True)
class Source:
    """One source: the name that it has for the PKGBUILD, where it comes from, and which revision."""

    name: str
    url: str
    vcs: str
    reference: tuple[str, str]
    kind: str
    sum: str


def parse(row: tuple[str, str, str]) -> Source:
    """``[name::][git+]url[#branch=...]``, PKGBUILD(5)."""
    text, kind, sum = row
    name, named, url = text.partition("::")
    if not named:
        name, url = "", text
    vcs = ""
    if url.startswith(("git+", "git://")):
        vcs, url = "git", url.removeprefix("git+")
    url, _, fragment = url.partition("#")
    key, _, value = fragment.partition("=")
    if vcs:
        url = url.partition("?")[0]
        name = name or url.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    if "://" in url and not vcs and urllib.parse.urlsplit(url).scheme not in ("http", "https", "ftp"):
        raise Refused(f"cannot fetch {text}: only http, https, ftp and git are known")
    return Source(name or url.rsplit("/", 1)[-1], url, vcs, (key, value), kind, sum)


def gather(settings: Settings, rows: Iterable[tuple[str, str, str]], folder: Path, to: Path) -> list[str]:
    """All sources that are not beside the PKGBUILD are in the directory ``to``; what each of them is, as words that
    change when it does. Raises Delayed when an upstream is away, Refused when it says no."""
    found = []
    for row in rows:
        source = parse(row)
        if "://" not in source.url:
            if not (folder / source.url).is_file():
                raise Refused(f"cannot find the source {source.url} beside the PKGBUILD")
            continue
        if not re.fullmatch(r"[\w@%+,.:=~-]+", source.name) or source.name.startswith("."):
            raise Refused(f"cannot take a source of the name {source.name!r}")
        found.append(_mirror(settings, source, to) if source.vcs else _file(settings, source, to))
    return found


# ------------------------------------------------------------ files


def _file(settings: Settings, source: Source, to: Path) -> str:
    key = f"{source.kind}-{source.sum}" if source.sum else f"url-{hashlib.sha256(source.url.encode()).hexdigest()}"
    kept = settings.cache / "files" / key[:8] / key
    kept.parent.mkdir(parents=True, exist_ok=True)
    with locked(settings.cache / "locks" / key):
        if not (source.sum and kept.exists()):  # without a checksum nobody knows but upstream
            _download(settings, source, kept)
    copy(kept, to / source.name)
    os.utime(kept)  # when it was last of use
    with kept.open("rb") as file:
        return f"{source.name} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _download(settings: Settings, source: Source, kept: Path) -> None:
    new = kept.with_name(f".{kept.name}{NEW}")
    with fetched(settings, source.url) as answer, new.open("wb") as file:
        shutil.copyfileobj(answer, file)
    if source.sum:
        name = {"b2": "blake2b"}.get(source.kind, source.kind)
        with new.open("rb") as file:
            seen = hashlib.file_digest(file, name).hexdigest()
        if seen != source.sum:
            new.unlink()
            raise Refused(f"cannot use {source.url}: its {source.kind} is {seen}, not {source.sum}")
    sync(new)
    new.rename(kept)


# ------------------------------------------------------------ git


GIT = {"GIT_TERMINAL_PROMPT": "0", "GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": str(PATIENCE)}


def _mirror(settings: Settings, source: Source, to: Path) -> str:
    """A mirror by the address, brought up to date only for what it has not; and a copy of it for this build."""
    key = hashlib.sha256(source.url.encode()).hexdigest()[:32]
    kept = settings.cache / "git" / key
    kept.parent.mkdir(parents=True, exist_ok=True)
    kind, value = source.reference
    with locked(settings.cache / "locks" / f"git-{key}"):
        fixed = kind in ("commit", "tag")
        revision = _revision(kept, kind, value) if fixed and kept.is_dir() else ""
        if not revision:
            _fetch(settings, source.url, kept)
            revision = _revision(kept, kind, value)
        if not revision:
            raise Refused(f"cannot find {kind or 'HEAD'} {value} in {source.url}")
        copied = to / source.name
        done = run(["git", "clone", "--quiet", "--mirror", "--no-hardlinks", str(kept), str(copied)], timeout=3600)
        if done.code:
            raise Refused(f"cannot copy the mirror of {source.url}: {done.last}")
    run(["git", "--git-dir", str(copied), "config", "remote.origin.url", source.url])
    return f"{source.name} {revision}"


def _fetch(settings: Settings, url: str, kept: Path) -> None:
    upstream = Upstream(settings, url)
    upstream.admit()
    for tries in range(1, ANOTHER + 1):
        done, answer = _git(settings, url, kept)
        if done.code == 0:
            return
        if answer.status not in (*REFUSALS, 503):
            raise upstream.away(done.last)
        upstream.refused(answer.status, done.last, answer.wait, answer.ends, tries)


def _git(settings: Settings, url: str, kept: Path) -> tuple[Done, Answered]:
    """One try to make a mirror or to bring it up to date; git(1) itself does not tell when to come back."""
    trace = kept.with_name(f".{kept.name}.{os.getpid()}.trace")
    env = {**GIT, "GIT_TRACE_CURL": str(trace), "GIT_TRACE_CURL_NO_DATA": "1"}
    git = ["git", *git_words(settings)]
    try:
        if kept.is_dir():
            done = run([*git, "--git-dir", str(kept), "fetch", "--quiet", "--prune", "origin"], env=env, timeout=3600)
        else:
            new = kept.with_name(f".{kept.name}{NEW}")
            shutil.rmtree(new, ignore_errors=True)
            done = run([*git, "clone", "--quiet", "--mirror", url, str(new)], env=env, timeout=3600)
            if done.code == 0:
                new.rename(kept)
        return done, answered(trace.read_text(errors="replace") if trace.exists() else "")
    finally:
        trace.unlink(missing_ok=True)


def _revision(kept: Path, kind: str, value: str) -> str:
    name = {"commit": value, "tag": f"refs/tags/{value}", "branch": f"refs/heads/{value}"}.get(kind, "HEAD")
    done = run(["git", "--git-dir", str(kept), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"])
    return done.out.strip() if done.code == 0 else ""
