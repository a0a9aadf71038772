"""The key of an image: what goes in, as one digest, known before anything is built."""

from __future__ import annotations

from dataclasses import dataclass

from eyas.core.errors import Failed
from eyas.core.words import Json, digest
from eyas.image.lock import Deb, Fetched, Lock
from eyas.image.recipe import Recipe

RECIPE_VERSION = 2
"""Raised whenever the way of building changes what comes out; every image is then another one."""


@dataclass(frozen=True)
class Stage:
    """One step of building: a tree made from the tree of ``parent`` ('' for none) and exact inputs.

    ``kind`` is "base", "debs", "npm", "pip" or "tarball". Stages with equal keys are equal, whoever needs them.
    """

    key: str
    parent: str
    kind: str
    suite: str = ""
    debs: tuple[Deb, ...] = ()
    files: tuple[Fetched, ...] = ()
    request: tuple[str, ...] = ()
    tarball: str = ""


def stages(recipe: Recipe, lock: Lock) -> list[Stage]:
    """The stages of an image from the ground up; the last one is the image. Raises Failed when not locked."""
    if not lock.holds(recipe):
        raise Failed(f"cannot tell the versions of image {recipe.name}: eyas.lock does not have it", "run eyas update")
    locked = lock.images[recipe.name]
    if recipe.kind == "tarball":
        key = digest([RECIPE_VERSION, "tarball", locked.tarball])
        return [Stage(key, "", "tarball", tarball=recipe.tarball, request=(locked.tarball,))]
    found: list[Stage] = []
    parent = ""
    for name in locked.layers:
        debs = tuple(lock.debs(name))
        kind = "debs" if parent else "base"
        if not debs:
            continue  # everything asked for was there already
        inputs: list[Json] = [RECIPE_VERSION, kind, parent, recipe.suite, *sorted(deb.sha256 for deb in debs)]
        parent = _add(found, Stage(digest(inputs), parent, kind, suite=recipe.suite, debs=debs))
    for kind, request, files in (("npm", locked.npm_request, locked.npm), ("pip", locked.pip_request, locked.pip)):
        if request:
            listed = sorted(f"{file.path or file.name} {file.version} {file.integrity}" for file in files)
            inputs = [RECIPE_VERSION, kind, parent, *request, *listed]
            parent = _add(found, Stage(digest(inputs), parent, kind, files=files, request=request))
    return found


def key(recipe: Recipe, lock: Lock) -> str:
    """The key of an image (64 hex digits), from the recipe and the lock alone. Raises Failed when not locked."""
    return stages(recipe, lock)[-1].key


def _add(found: list[Stage], stage: Stage) -> str:
    found.append(stage)
    return stage.key
