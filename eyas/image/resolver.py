"""From recipes to a lock: which exact versions, decided once and kept until somebody asks for newer ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from eyas.core.errors import Failed
from eyas.core.events import Event, Listener, silent
from eyas.image.apt import ESSENTIAL, AptRoot, UnknownPackage, Unsolvable
from eyas.image.lock import Deb, Layer, Lock, Locked, layer_names
from eyas.image.recipe import Recipe


def resolve(recipes: Sequence[Recipe], lock: Lock, cache: Path, listener: Listener = silent) -> Lock:
    """The lock with all that ``recipes`` ask and ``lock`` does not answer yet; answered ones stay as they are.

    Needs the network only when something is missing. Images that are not among the recipes leave the lock. Raises
    Failed that says which package of which image at which line.
    """
    missing = [recipe for recipe in recipes if not lock.holds(recipe)]
    if missing:
        lock = _Resolver(lock, cache, listener).add(missing)
    return lock.pruned({recipe.name for recipe in recipes})


def update(recipes: Sequence[Recipe], cache: Path, listener: Listener = silent) -> Lock:
    """A lock made anew from what the archives hold now; `difference` tells what moved."""
    return resolve(recipes, Lock(), cache, listener)


class _Resolver:
    def __init__(self, lock: Lock, cache: Path, listener: Listener) -> None:
        self.lock = lock
        self.cache = cache
        self.tell = listener
        self.roots: dict[str, AptRoot] = {}

    def add(self, recipes: Iterable[Recipe]) -> Lock:
        for recipe in recipes:
            self.tell(Event("resolve", recipe.name, "choosing versions"))
            locked = self._tarball(recipe) if recipe.kind == "tarball" else self._debian(recipe)
            self.lock = replace(self.lock, images={**self.lock.images, recipe.name: locked})
        return self.lock

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
        names = layer_names(recipe)
        below: dict[str, Deb] = {}
        parent = ""
        for name, request in zip(names, recipe.requests(), strict=True):
            if name not in self.lock.layers:
                self._layer(recipe, name, parent, request, list(below.values()))
            below.update((deb.name, deb) for deb in self.lock.debs(name))
            parent = name
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

    def _layer(self, recipe: Recipe, name: str, parent: str, request: tuple[str, ...], below: list[Deb]) -> None:
        apt = self._root(recipe.suite)
        words = [ESSENTIAL, *request] if not parent else request
        prefer = {deb.name: deb.version for deb in self.lock.packages.values()}
        try:
            debs = apt.solve(words, below, prefer)
        except UnknownPackage as error:
            raise Failed(
                f"cannot build image {recipe.name}: {recipe.suite} has no package {error.package}"
                f"{_where(recipe, error.package)}",
                error.hint,
            ) from None
        except Unsolvable as error:
            raise Failed(f"cannot build image {recipe.name}: {error.message}{_where(recipe, *request)}") from None
        layer = Layer(parent, recipe.suite, request, tuple(deb.id for deb in debs))
        packages: Mapping[str, Deb] = {**self.lock.packages, **{deb.id: deb for deb in debs}}
        self.lock = replace(self.lock, arch=apt.arch, layers={**self.lock.layers, name: layer}, packages=packages)

    def _root(self, suite: str) -> AptRoot:
        """The lists of a suite, fetched once per resolve: what an archive holds changes without notice."""
        if suite not in self.roots:
            root = AptRoot(self.cache / "apt" / suite, suite)
            self.tell(Event("resolve", suite, "fetching package lists"))
            root.refresh()
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
