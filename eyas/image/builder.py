"""Building: stages in parallel where they do not stand on each other, each committed to the store when it is whole.

A build that fails or is killed leaves the store as it was or with finished stages more; what it left in the build
folder is removed by the next one.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eyas.core.errors import EyasError, Failed
from eyas.core.events import Event, Listener
from eyas.host.command import CommandFailed
from eyas.host.disk import write_whole
from eyas.image import store
from eyas.image.chroot import Work
from eyas.image.disk import remove_tree
from eyas.image.fetch import Debs, FetchFailed
from eyas.image.known import View, gather, installed
from eyas.image.recipe import Recipe
from eyas.image.records import PREFIX, present
from eyas.image.stages import Stage
from eyas.image.tree import lay_over, normalise, only_adds

ROOM = "free some space and run it again; the store is sound, and what is finished is kept"
CULPRIT = re.compile(r"error processing (?:package|archive) (?P<name>\S+)")


def build_missing(
    recipes: Sequence[Recipe],
    plans: Mapping[str, list[Stage]],
    state: Path,
    cache: Path,
    jobs: int,
    listener: Listener,
) -> None:
    """Builds these images, whose stages are ``plans`` by name; ``jobs`` stages at a time."""
    with _alone(state, listener) as folder:
        _Builder(state, cache, folder, jobs, listener).build(recipes, plans)


@contextmanager
def _alone(state: Path, listener: Listener) -> Iterator[Path]:
    """One build at a time per state folder; yields an empty folder for it.

    The lock goes with the process, so whoever gets it knows that all that lies in the folder is left over. Nothing is
    mounted there: mounts live and die in the namespaces of the processes that needed them.
    """
    folder = state / "build"
    folder.mkdir(parents=True, exist_ok=True)
    with (state / "build.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            listener(Event("build", "images", "waiting for another build to end"))
            fcntl.flock(handle, fcntl.LOCK_EX)
        for left in folder.iterdir():
            remove_tree(left)
        store.ensure_store(state)
        store.heal(state)
        store.unsettled(state)
        mask = os.umask(0o022)  # an image must not depend on the caller's
        try:
            yield folder
            store.settle(state)
        finally:
            os.umask(mask)
            for left in folder.iterdir():
                remove_tree(left)


class _Builder:
    def __init__(self, state: Path, cache: Path, folder: Path, jobs: int, listener: Listener) -> None:
        self.state = state
        self.cache = cache
        self.folder = folder
        self.jobs = jobs
        self.tell = listener
        self.store = store.ensure_store(state)
        self.checking_out = threading.Lock()
        self.debs = Debs(cache, listener)
        self.users: dict[str, list[Recipe]] = {}  # stage key -> images that need it

    def build(self, recipes: Sequence[Recipe], plans: Mapping[str, list[Stage]]) -> None:
        """Runs all stages that are needed, a stage as soon as the one below it is there."""
        todo: dict[str, Stage] = {}
        for recipe in recipes:
            for stage in plans[recipe.name]:
                self.users.setdefault(stage.key, []).append(recipe)
                if not present(self.state, stage.key):
                    todo[stage.key] = stage
        # Stages that many wait for come first; downloads start in the same order.
        order = sorted(todo.values(), key=lambda s: (s.parent in todo, -len(self.users[s.key])))
        total, done = len(todo), 0
        try:
            for stage in order:
                self.debs.want(stage.debs)
            running: dict[Future[None], Stage] = {}
            with ThreadPoolExecutor(self.jobs, thread_name_prefix="build") as pool:
                while todo or running:
                    for stage in [s for s in order if s.key in todo and s.parent not in todo]:
                        if stage.parent in {s.key for s in running.values()}:
                            continue
                        running[pool.submit(self._stage, todo.pop(stage.key))] = stage
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        stage = running.pop(future)
                        try:
                            future.result()
                        except BaseException:
                            todo.clear()
                            for other in running:
                                other.cancel()
                            raise
                        done += 1
                        self.tell(Event("build", self._name(stage), f"{self._label(stage)} is stored", done, total))
        finally:
            self.debs.close()

    def _name(self, stage: Stage) -> str:
        users = self.users[stage.key]
        return users[0].name if len(users) == 1 else stage.suite or users[0].name

    def _label(self, stage: Stage) -> str:
        users = ", ".join(recipe.name for recipe in self.users[stage.key])
        count = f" ({len(stage.debs)} packages)" if stage.debs else ""
        return f"{stage.kind}{count} of {users}"

    def _stage(self, stage: Stage) -> None:
        folder = self.folder / stage.key[:16]
        try:
            try:
                self.debs.wait(stage.debs)
                self.tell(Event("build", self._name(stage), f"building {self._label(stage)}"))
                self._make(stage, folder)
            except FetchFailed as error:
                raise self._blame(stage, error, error.deb.name) from None
            except EyasError as error:
                raise self._blame(stage, error) from None
        except OSError as error:
            raise Failed(
                f"cannot build image {self._name(stage)}: {error.strerror or error} ({error.filename})",
                ROOM if error.errno == errno.ENOSPC else "",
            ) from None
        finally:
            remove_tree(folder)

    def _make(self, stage: Stage, folder: Path) -> None:
        """Builds a stage in its folder and stores it."""

        def on_line(line: str) -> None:
            self.tell(Event("build", self._name(stage), line, level="debug"))

        if stage.parent:
            work = Work(folder, self._below(stage.parent))
            self._change(stage, work, on_line)
            normalise(work.upper)
            self._store_over(stage, work)
        elif stage.kind == "base":
            from eyas.image.debian import build_base

            self._store_whole(stage, build_base(stage, self.debs, folder, on_line))
        else:
            from eyas.image.tarball import unpack

            self._store_whole(stage, unpack(stage, folder))

    def _change(self, stage: Stage, work: Work, on_line: Callable[[str], None]) -> None:
        if stage.kind == "debs":
            from eyas.image.debian import install_debs

            install_debs(stage, self.debs, work, on_line)
        elif stage.kind == "npm":
            from eyas.image.npm import install_npm

            install_npm(stage, self.cache, work, on_line)
        else:
            from eyas.image.pip import install_pip

            install_pip(stage, self.cache, work, on_line)

    def _below(self, parent: str) -> Path:
        """A checkout of the stage below, made by the first who needs it and shared by all, for reading."""
        with self.checking_out:
            tree = self.folder / f"{parent[:16]}.tree"
            if not tree.exists():
                store.checkout(self.store, PREFIX + parent, tree)
            return tree

    def _store_whole(self, stage: Stage, tree: Path) -> None:
        normalise(tree)
        view = View(tree)
        self._record(stage, gather(view), installed(view), f"dir={tree}")

    def _store_over(self, stage: Stage, work: Work) -> None:
        """Stores the tree below with the changes: as they are when they only add, else by hand in a checkout."""
        if only_adds(work.upper, work.lower):
            view = View(work.upper, work.lower)
            below = f"ref={PREFIX}{stage.parent}"
            self._record(stage, gather(view), installed(view), below, f"dir={work.upper}")
            return
        tree = work.path / "tree"
        store.checkout(self.store, PREFIX + stage.parent, tree)
        lay_over(work.upper, tree)
        view = View(tree)
        self._record(stage, gather(view), installed(view), f"dir={tree}")

    def _record(self, stage: Stage, known: dict[str, Any], versions: dict[str, str], *parts: str) -> None:
        """The commit, the facts, then the record that refers to both: a record means that all is there."""
        commit = store.commit(self.store, PREFIX + stage.key, *parts)
        self._keep(f"{stage.key}.facts.json", known)
        record = {"key": stage.key, "commit": commit, "packages": versions, "os": known["os"]}
        self._keep(f"{stage.key}.json", record)

    def _keep(self, name: str, value: Mapping[str, object]) -> None:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        write_whole(self.state / "builds" / name, text, shared=True)

    def _blame(self, stage: Stage, error: EyasError, package: str = "") -> Failed:
        """Says for whom a stage was built, which package it was about, and which line asked for it."""
        recipe = self.users[stage.key][0]
        said = error.result.error if isinstance(error, CommandFailed) else ""
        if "No space left on device" in said:
            return Failed(f"cannot build image {recipe.name}: the disk of {self.state} is full", ROOM)
        culprit = CULPRIT.search(said)
        if culprit:
            package = culprit["name"].rpartition("/")[2].removesuffix(".deb").partition(":")[0]
        origins = {recipe.origins[package]} if package in recipe.origins else set()
        if not origins:  # it came as a dependency: of one of these
            names = {*stage.request, *(deb.name for deb in stage.debs)}
            origins = {recipe.origins[name] for name in names if name in recipe.origins}
        where = f" (asked for at {', '.join(sorted(origins))})" if origins else ""
        what = f"package {package}: " if culprit else ""
        return Failed(f"cannot build image {recipe.name}{where}: {what}{error.message}", error.hint)
