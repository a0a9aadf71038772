"""From recipes to a lock: which exact versions, decided once and kept until somebody asks for newer ones."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from eyas.core.errors import Failed
from eyas.core.events import Event, Listener
from eyas.image.apt import ESSENTIAL, AptRoot, UnknownPackage, Unsolvable
from eyas.image.layering import Cut, cut, layer_names
from eyas.image.lock import Deb, Layer, Lock, Locked
from eyas.image.recipe import Recipe


class Resolver:
    """One round of choosing: what is answered is in ``lock``."""

    def __init__(self, lock: Lock, cache: Path, listener: Listener) -> None:
        self.lock = lock
        self.cache = cache
        self.tell = listener
        self.roots: dict[str, AptRoot] = {}
        self.cuts: dict[str, Cut] = {}
        self.writing = threading.Lock()

    def add(self, recipes: Sequence[Recipe]) -> Lock:
        """Layer by layer from the ground up, those of equal height at the same time. Waits while another process is at
        it: what apt may see is narrowed in the cache's folder, for the questions of one."""
        with self._alone():
            return self._add(recipes)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "resolve.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.tell(Event("resolve", "versions", "waiting for another eyas that chooses versions"))
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _add(self, recipes: Sequence[Recipe]) -> Lock:
        debian = [recipe for recipe in recipes if recipe.kind == "debian"]
        self.cuts = cut(debian, self.lock)
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="resolve") as pool:
            for height in range(max((len(each) for each in self.cuts.values()), default=0)):
                list(pool.map(lambda pair: self._layer(*pair), self._missing_layers(debian, height)))
        for recipe in recipes:
            locked = self._tarball(recipe) if recipe.kind == "tarball" else self._debian(recipe)
            self.lock = replace(self.lock, images={**self.lock.images, recipe.name: locked})
        return self.lock

    def _names(self, recipe: Recipe) -> tuple[str, ...]:
        return layer_names(recipe.suite, self.cuts[recipe.name])

    def _missing_layers(self, recipes: Iterable[Recipe], height: int) -> list[tuple[Recipe, int]]:
        """One recipe for each layer of this height that is not locked."""
        missing: dict[str, tuple[Recipe, int]] = {}
        for recipe in recipes:
            names = self._names(recipe)
            if height < len(names) and names[height] not in self.lock.layers:
                self._root(recipe.suite)
                missing.setdefault(names[height], (recipe, height))
        return list(missing.values())

    def _tarball(self, recipe: Recipe) -> Locked:
        extra = sorted({*recipe.packages, *recipe.npm, *recipe.pip})
        if extra:
            raise Failed(
                f"cannot add {extra[0]} to image {recipe.name}: an image from a tarball takes no packages"
                f"{_where(recipe, extra[0])}",
                "put them into the tarball, or use a Debian image",
            )
        return Locked(tarball=file_sha256(Path(recipe.tarball), recipe))

    def _debian(self, recipe: Recipe) -> Locked:
        names = self._names(recipe)
        below = {deb.name: deb for name in names for deb in self.lock.debs(name)}
        old = self.lock.images.get(recipe.name, Locked())
        locked = Locked(layers=names)
        if recipe.npm:
            from eyas.image.npm import resolve_npm

            request = tuple(sorted(recipe.npm))
            files = old.npm if old.npm_request == request else resolve_npm(recipe)
            locked = replace(locked, npm_request=request, npm=tuple(files))
        if recipe.pip:
            from eyas.image.pip import resolve_pip

            request = tuple(sorted(recipe.pip))
            python = below.get("python3")
            files = old.pip if old.pip_request == request else resolve_pip(recipe, self.cache, python)
            locked = replace(locked, pip_request=request, pip=tuple(files))
        return locked

    def _layer(self, recipe: Recipe, height: int) -> None:
        names, request = self._names(recipe), self.cuts[recipe.name][height]
        self.tell(Event("resolve", recipe.name, f"choosing versions of {len(request)} packages"))
        apt = self._root(recipe.suite)
        below = {deb.name: deb for name in names[:height] for deb in self.lock.debs(name)}
        prefer = {deb.name: deb.version for deb in self.lock.packages.values()}
        try:
            debs = apt.solve(request if height else [ESSENTIAL, *request], list(below.values()), prefer)
        except UnknownPackage as error:
            raise Failed(
                f"cannot build image {recipe.name}: {recipe.suite} has no package {error.package}"
                f"{_where(recipe, error.package)}",
                error.hint,
            ) from None
        except Unsolvable as error:
            raise Failed(f"cannot build image {recipe.name}: {error.message}{_where(recipe, *request)}") from None
        layer = Layer(names[height - 1] if height else "", recipe.suite, request, tuple(deb.id for deb in debs))
        with self.writing:
            packages: Mapping[str, Deb] = {**self.lock.packages, **{deb.id: deb for deb in debs}}
            layers = {**self.lock.layers, names[height]: layer}
            self.lock = replace(self.lock, arch=apt.arch, layers=layers, packages=packages)

    def _asked(self, suite: str) -> set[str]:
        """All that may be asked for or counted as installed."""
        asked = {name for each in self.cuts.values() for request in each for name in request}
        locked = (layer for layer in self.lock.layers.values() if layer.suite == suite)
        return asked | {name.partition(" ")[0] for layer in locked for name in layer.packages}

    def _root(self, suite: str) -> AptRoot:
        """The lists of a suite, fetched once per resolve: what an archive holds changes without notice."""
        if suite not in self.roots:
            root = AptRoot(self.cache / "apt" / suite, suite)
            self.tell(Event("resolve", suite, "fetching package lists"))
            root.refresh()
            root.narrow(self._asked(suite))
            self.roots[suite] = root
        return self.roots[suite]


def file_sha256(path: Path, recipe: Recipe) -> str:
    """The digest of a recipe's tarball."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    except OSError as error:
        raise Failed(
            f"cannot read the tarball of image {recipe.name}: {path}: {error.strerror}{_where(recipe, recipe.tarball)}"
        ) from None
    return found.hexdigest()


def _where(recipe: Recipe, *names: str) -> str:
    """`` (asked for at file:line)`` of the names that have an origin."""
    lines = sorted({recipe.origins[name] for name in names if name in recipe.origins})
    return f" (asked for at {', '.join(lines)})" if lines else ""
