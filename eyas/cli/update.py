"""`eyas update`: move the pinned versions of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from eyas.cli.context import Context
from eyas.cli.progress import Late
from eyas.core.errors import UsageError

if TYPE_CHECKING:
    from eyas.image import Lock, Recipe
    from eyas.image.lock import Moved

FORMAT = 1


def run(context: Context, *, images: tuple[str, ...] = (), json: bool = False) -> int:
    """Choose versions anew, write eyas.lock, show the difference."""
    from eyas import image
    from eyas.cli import pins
    from eyas.cli.evaluate import containers, read

    definitions = read(context.fleet())
    wanted = pins.named(containers(definitions))
    recipes = definitions.distinct()
    old = image.read_lock(definitions.lock_path)
    exact = [name for name in images if name in wanted]  # images of stacks, by the names that their files have
    chosen = (
        _chosen(recipes, [name for name in images if name not in wanted]) if exact != [*images] or not images else []
    )
    with Late(context.err, context.verbose) as listener:
        if not chosen:
            new = old
        elif len(chosen) == len(recipes):
            new = image.update(recipes, image.cache_dir(), listener)
        else:
            new = image.resolve(recipes, _without(old, recipes, chosen), image.cache_dir(), listener)
        new = pins.pinned(replace(new, pins=old.pins), wanted, listener, anew=exact if images else wanted)
    moved = image.difference(old, new)
    if moved or new != old:
        image.write_lock(definitions.lock_path, new)
    if json:
        context.write_json({"version": FORMAT, "moved": [{**vars(m), "images": list(m.images)} for m in moved]})
    else:
        context.write(text(moved, context.width()))
    return 0


def _chosen(recipes: Sequence[Recipe], names: Sequence[str]) -> list[Recipe]:
    known = [recipe.name for recipe in recipes]
    for name in names:
        if name not in known:
            raise UsageError(f"cannot update {name}: no image has this name", f"there are: {', '.join(known)}")
    return [recipe for recipe in recipes if not names or recipe.name in names]


def _without(lock: Lock, recipes: Sequence[Recipe], chosen: Sequence[Recipe]) -> Lock:
    """The lock without what only the chosen images stand on. A layer that they share with others moves for all of
    them: it exists once, and that is what makes it shared."""
    names = {recipe.name for recipe in chosen}
    layers = {layer for name in names if name in lock.images for layer in lock.images[name].layers}
    others = {
        r.name for r in recipes
        if r.name in lock.images and r.name not in names and not layers & set(lock.images[r.name].layers)
    }  # fmt: skip
    return replace(lock, images={name: image for name, image in lock.images.items() if name in others}).pruned()


def text(moved: Sequence[Moved], width: int = 100) -> str:
    """The difference as lines."""
    from eyas.cli.view.text import Column, count, table

    if not moved:
        return "No version has moved: eyas.lock is as new as the package sources."
    columns = (Column(), Column(), Column(), Column(flexible=True, least=20))
    rows = [[m.kind, m.name, f"{m.old or '(none)'} -> {m.new or '(none)'}", ", ".join(m.images)] for m in moved]
    return f"{table(columns, rows, width)}\n{count(len(moved), 'version')} moved; eyas apply puts them to use."
