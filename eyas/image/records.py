"""What is known of images that were built: small files beside the store, read without running anything.

This is what every apply reads, so what builds is imported only when there is something to build.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eyas.core.errors import Failed
from eyas.core.events import Listener, silent
from eyas.image.lock import Lock
from eyas.image.recipe import Recipe
from eyas.image.stages import stages

STORE = "store"
PREFIX = "eyas/"  # of refs: eyas/<key>


@dataclass(frozen=True)
class Built:
    """One image in the store. ``packages``: versions of all that dpkg has installed; ``os``: os-release fields."""

    key: str
    commit: str
    packages: Mapping[str, str] = field(default_factory=dict)
    os: Mapping[str, str] = field(default_factory=dict)


def lookup(state: Path, key: str) -> Built | None:
    """What is known of a built image, or None when it was not built here: one small file."""
    try:
        data = json.loads((state / "builds" / f"{key}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return Built(data["key"], data["commit"], data["packages"], data["os"])


def facts(state: Path, key: str) -> dict[str, Any]:
    """The facts of a built image (see `eyas.image.known.gather`); Failed when it was not built here."""
    try:
        found: dict[str, Any] = json.loads((state / "builds" / f"{key}.facts.json").read_bytes())
    except (OSError, ValueError):
        raise Failed(f"cannot read the facts of image {key[:12]}: it was not built here", "build it first") from None
    return found


def build(
    recipes: Sequence[Recipe],
    lock: Lock,
    state: Path,
    cache: Path,
    jobs: int = 0,
    listener: Listener = silent,
) -> dict[str, Built]:
    """Builds what is not in the store yet and returns all images by key.

    ``jobs`` stages run at a time (0: one per core). Raises Failed that names package, image and line. With
    everything there it reads a few small files and runs nothing.
    """
    plans = {recipe.name: stages(recipe, lock) for recipe in recipes}
    keys = {name: plan[-1].key for name, plan in plans.items()}
    missing = [recipe for recipe in recipes if not present(state, keys[recipe.name])]
    if missing:
        from eyas.image.builder import build_missing

        build_missing(missing, plans, state, cache, jobs or os.cpu_count() or 1, listener)
    found: dict[str, Built] = {}
    for name, image in keys.items():
        built = lookup(state, image)
        if built is None:
            raise Failed(
                f"cannot find image {name} after it was built",
                "another command on this machine has removed it meanwhile (eyas gc): run this one again",
            )
        found[image] = built
    return found


def present(state: Path, key: str) -> bool:
    """Whether an image is both recorded and in the store."""
    built = lookup(state, key)
    return built is not None and rev(store_path(state), PREFIX + key) == built.commit


def store_path(state: Path) -> Path:
    return state / STORE


def rev(store: Path, ref: str) -> str:
    """The commit of a ref, '' when there is none: one file read."""
    try:
        return (store / "refs/heads" / ref).read_text().strip()
    except OSError:
        return ""
