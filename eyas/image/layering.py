"""Which packages are installed together, so that work which several images share is done once.

Images form a tree: the base, what images were declared to share, then what turns out to be common to several. How an
image is cut into layers is decided when its versions are, and kept in the lock: an image that comes later joins the
layers that fit it and changes none, because another cut would be another commit, and a restart for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from eyas.core.words import digest
from eyas.image.lock import Layer, Lock
from eyas.image.recipe import Recipe

WORTHWHILE = 3  # different images that must share packages before a layer of its own is cheaper than repeating them

Request = tuple[str, ...]
Cut = tuple[Request, ...]
"""What is asked for in each layer of an image, from the base up."""


def cut(recipes: Sequence[Recipe], lock: Lock) -> dict[str, Cut]:
    """How to layer these images (by name), on top of what the lock has."""
    cuts: dict[str, Cut] = {}
    groups: dict[tuple[str, Cut], list[Recipe]] = {}
    for recipe in recipes:
        known = _known(recipe, lock)
        groups.setdefault((recipe.suite, known), []).append(recipe)
    for (_, known), members in groups.items():
        used = {name for request in known for name in request}
        rest = {recipe.name: frozenset(wanted(recipe) - used) for recipe in members}
        cuts.update({name: (*known, *more) for name, more in _split(rest).items()})
    return cuts


def wanted(recipe: Recipe) -> frozenset[str]:
    """All packages that a recipe asks for by name, the base's included."""
    return frozenset(name for request in recipe.requests() for name in request)


def layer_names(suite: str, cut_: Cut) -> tuple[str, ...]:
    """Names of layers, base first: the suite, then a digest of what was asked for on the way up."""
    return (suite, *(f"{suite}-{digest([list(r) for r in cut_[1 : n + 1]])[:12]}" for n in range(1, len(cut_))))


def _known(recipe: Recipe, lock: Lock) -> Cut:
    """The beginning of an image: the base and what it was declared to share, then locked layers as long as some fit,
    the largest first."""
    known: list[Request] = list(recipe.requests()[:1])
    shared = tuple(sorted(set(recipe.shared) - set(known[0])))
    if shared:
        known.append(shared)
    rest = set(wanted(recipe)) - {name for request in known for name in request}
    while rest:
        top = layer_names(recipe.suite, tuple(known))[-1]
        fitting = [layer.request for layer in _above(top, lock.layers) if set(layer.request) <= rest]
        if not fitting:
            break
        known.append(max(fitting, key=lambda request: (len(request), request)))
        rest -= set(known[-1])
    return tuple(known)


def _above(name: str, layers: Mapping[str, Layer]) -> Iterable[Layer]:
    return (layer for layer in layers.values() if layer.parent == name)


def _split(rest: Mapping[str, frozenset[str]]) -> dict[str, Cut]:
    """Takes out what enough images have in common, the most common first, and goes on with those that have it."""
    cuts: dict[str, Cut] = {}
    left = {name: packages for name, packages in rest.items() if packages}
    cuts.update({name: () for name in rest if name not in left})
    while left:
        sets = set(left.values())
        counts = Counter(name for packages in sets for name in packages)
        package, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
        if count < WORTHWHILE:
            cuts.update({name: (tuple(sorted(packages)),) for name, packages in left.items()})
            break
        having = {name: packages for name, packages in left.items() if package in packages}
        common = frozenset.intersection(*having.values())
        above = _split({name: packages - common for name, packages in having.items()})
        cuts.update({name: (tuple(sorted(common)), *more) for name, more in above.items()})
        left = {name: packages for name, packages in left.items() if name not in having}
    return cuts
