"""Bringing a lock up to what recipes ask; when it is already, nothing is imported, asked or run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eyas.core.events import Listener, silent
from eyas.image.lock import Lock
from eyas.image.recipe import Recipe


def resolve(recipes: Sequence[Recipe], lock: Lock, cache: Path, listener: Listener = silent) -> Lock:
    """The lock with all that ``recipes`` ask and ``lock`` does not answer yet; answered ones stay as they are.

    Needs the network only when something is missing. Images that are not among the recipes leave the lock. Raises
    Failed that says which package of which image at which line.
    """
    missing = [recipe for recipe in recipes if not lock.holds(recipe)]
    if missing:
        from eyas.image.resolver import Resolver

        lock = Resolver(lock, cache, listener).add(missing)
    return lock.pruned({recipe.name for recipe in recipes})


def update(recipes: Sequence[Recipe], cache: Path, listener: Listener = silent) -> Lock:
    """A lock made anew from what the archives hold now; `difference` tells what moved."""
    return resolve(recipes, Lock(), cache, listener)
