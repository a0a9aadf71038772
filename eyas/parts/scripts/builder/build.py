"""One build, from the queue to the repository: what the unit build-ID.service runs."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

from . import publish, roots, sources
from .files import drop, get_json, put, put_json, sync
from .queue import Job, Queue, wake
from .run import Delayed, Killed, Refused, killed, say
from .settings import Settings

MOST_DELAYS = 7
"""Doublings of the pause before another try."""
MAKE = "cd /build/work && exec " + roots.as_builder("makepkg --holdver --noconfirm --nocolor --skippgpcheck")


class Met(Exception):
    """The cap of a root in RAM."""


def perform(settings: Settings, id: str) -> bool:
    """Build, sign and publish; False when the build failed. Everything that ends here is written down."""
    queue = Queue(settings)
    found = get_json(queue.running_at / f"{id}.json")
    if found is None:
        return True  # it was cancelled, or taken back
    one = replace(Job(**{**found, "files": tuple(found["files"])}), attempts=int(found["attempts"]) + 1, waits_for="")
    queue.note(one)
    began = time.time()
    try:
        one, state = _through(settings, queue, one)
        queue.end(replace(one, seconds=time.time() - began), state)
        say(f"{state}: {' '.join(one.files) or one.package}")
    except Delayed as later:
        pause = later.seconds or min(3600, settings.retry * 2 ** min(one.delays, MOST_DELAYS))
        say(f"delayed by {pause:.0f} s: {later}")
        again = replace(one, attempts=0, delays=one.delays + 1, why=str(later), not_before=time.time() + pause)
        queue.back(replace(again, state=""))
    except Killed as died:
        say(f"back to the queue: {died}")
        if one.attempts < settings.attempts:
            queue.back(replace(one, state="", why=str(died)))
        else:
            why = f"it has died {one.attempts} times, the last time because {died}"
            queue.end(replace(one, seconds=time.time() - began), "failed", why)
            return False
    except Refused as no:
        say(f"failed: {no}")
        noted = get_json(queue.running_at / f"{id}.json") or {}
        backing = str(noted.get("backing", ""))
        queue.end(replace(one, seconds=time.time() - began, backing=backing), "failed", str(no))
        return False
    finally:
        wake(settings)
    return True


def _through(settings: Settings, queue: Queue, one: Job) -> tuple[Job, str]:
    staged = queue.staged_at / one.id
    if not staged.is_dir():
        # Packages that were built before, but not published any more, are built anew.
        try:
            one = _built(settings, queue, one, staged, disk=_learned(settings, one.package).exists())
        except Met:
            say(f"the root in RAM is full ({settings.root >> 20} MiB): once more, on disk")
            put(_learned(settings, one.package), "")
            one = _built(settings, queue, one, staged, disk=True)
        if not staged.is_dir():
            return one, "unchanged"
    files = publish.add(settings, staged)
    note = get_json(staged / "build.json") or {}
    put_json(settings.place("built") / f"{one.package}.json", note)
    return replace(one, files=files, backing=str(note.get("backing", one.backing))), "published"


def _learned(settings: Settings, package: str) -> Path:
    return settings.place("disk") / package


def _built(settings: Settings, queue: Queue, one: Job, staged: Path, *, disk: bool) -> Job:
    folder = settings.packages / one.package
    if not (folder / "PKGBUILD").is_file():
        raise Refused(f"cannot build {one.package}: its definition is gone")
    with roots.clean(settings, one.id, disk=disk) as root:
        say(f"a clean root in {'RAM' if root.backing == 'ram' else 'a directory on disk'}, {root.made * 1000:.0f} ms")
        one = replace(one, backing=root.backing)
        queue.note(one)
        roots.give(root, folder)
        about = _about(settings, root, folder)
        _wait(queue, one, about)
        place = root.path / "build/sources"
        fetched = sources.gather(settings, about.sources, folder, place)
        digest = hashlib.sha256("\n".join([_folder(folder), *fetched]).encode()).hexdigest()
        last = get_json(settings.place("built") / f"{one.package}.json") or {}
        current = publish.listed(settings).values()
        if not one.force and last.get("digest") == digest and all(file in current for file in last["files"]):
            return replace(one, files=tuple(last["files"]))
        _own(place)
        _make(settings, root, one, about)
        _stage(settings, root, about, staged, digest, one)
    return one


def _about(settings: Settings, root: roots.Root, folder: Path) -> sources.Info:
    """What the PKGBUILD says; it is a program, so it is asked in the root, once for each content of the folder."""
    kept = settings.place("info") / _folder(folder)
    if not kept.exists():
        done = root.run("cd /build/work && " + roots.as_builder("makepkg --printsrcinfo"))
        if killed(done.code):
            raise Killed("the program that reads the PKGBUILD was killed")
        if done.code:
            raise Refused(f"cannot read the PKGBUILD: {done.last}")
        put(kept, done.out)
    return sources.info(kept.read_text(), settings.arch)


def _wait(queue: Queue, one: Job, about: sources.Info) -> None:
    """What it needs of this repository and is about to be built comes first; but two never wait for each other."""
    mine = {one.package, *about.names}
    for other in [*queue.running(), *queue.waiting()]:
        if other.package in about.needs and other.package not in mine and other.waits_for not in mine:
            queue.note(replace(one, waits_for=other.package))
            raise Delayed(f"it needs {other.package}, which is being built", 2)


def _make(settings: Settings, root: roots.Root, one: Job, about: sources.Info) -> None:
    """Dependencies of the repository by pacman, then makepkg; neither sees a network unless declared."""
    inside = ["trap '' HUP"]
    if about.needs:
        words = " ".join(f"'{need}'" for need in about.needs)
        inside.append(f"missing=$(pacman -T {words}) || pacman -Sy --noconfirm --noprogressbar --asdeps $missing")
    inside.append(f"SOURCE_DATE_EPOCH={int(one.queued)}; export SOURCE_DATE_EPOCH; {MAKE}")
    code = root.shown("\n".join(inside), network=one.package in settings.network)
    if code:
        if root.full and root.backing == "ram":
            raise Met
        if killed(code):
            raise Killed("a program of the build was killed")
        full = ": its root is full" if root.full else ""
        raise Refused(f"cannot build {one.package}: makepkg ended with {code}{full} (package-builder logs {one.id})")


def _stage(settings: Settings, root: roots.Root, about: sources.Info, staged: Path, digest: str, one: Job) -> None:
    """Packages out of the root, signed, in a directory that appears when it is whole."""
    new = staged.with_name(f".{staged.name}.new")
    drop(new)
    new.mkdir()
    files = []
    for path in sorted((root.path / "build/out").iterdir()):
        name, _ = publish.split(path.name)
        if name.removesuffix("-debug") not in about.names or path.is_symlink() or not path.is_file():
            raise Refused(f"cannot take {path.name}: the PKGBUILD has no package of that name")
        data = path.read_bytes()
        (new / path.name).write_bytes(data)
        sync(new / path.name)
        publish.sign(settings, new / path.name)
        files.append(path.name)
    if not files:
        raise Refused(f"cannot find what makepkg has made of {one.package}")
    put_json(new / "build.json", {"digest": digest, "files": files, "backing": root.backing, "job": asdict(one)})
    sync(new)
    new.rename(staged)
    sync(staged.parent)


def _folder(folder: Path) -> str:
    """A digest of what is in a package's folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(f"{path.relative_to(folder)} {path.stat().st_mode & 0o111} ".encode() + path.read_bytes())
    return found.hexdigest()


def _own(place: Path) -> None:
    """The user that builds owns it: git(1) takes a repository of nobody else."""
    for directory, names, files in os.walk(place):
        for name in (".", *names, *files):
            os.chown(Path(directory) / name, roots.UID, roots.UID, follow_symlinks=False)
