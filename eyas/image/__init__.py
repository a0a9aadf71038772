"""From recipes to commits: recipe -> lock -> key -> stages -> store.

- `Recipe` says what an image is made of, by name; `resolve` chooses exact versions once and keeps them in a `Lock`
  (eyas.lock), `update` chooses anew, `difference` compares.
- `key` tells the identity of an image before it is built, from recipe and lock alone.
- `build` makes what is missing; `lookup` and `facts` read what is known of a built image.
- `keep_only`, `prune`, `refs` and `ship` care for the store.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyas.image.disk import cache_dir, state_dir
    from eyas.image.lock import Lock, Moved, difference
    from eyas.image.lock import read as read_lock
    from eyas.image.lock import write as write_lock
    from eyas.image.locking import resolve, update
    from eyas.image.recipe import BASE_PACKAGES, Recipe
    from eyas.image.records import Built, build, facts, lookup, present, store_path
    from eyas.image.stages import key
    from eyas.image.store import keep_only, prune, refs, ship

_HOMES = {
    "disk": "cache_dir state_dir",
    "lock": "Lock Moved difference",
    "locking": "resolve update",
    "recipe": "BASE_PACKAGES Recipe",
    "records": "Built build facts lookup present store_path",
    "stages": "key",
    "store": "keep_only prune refs ship",
}
_HOME = {name: (module, name) for module, names in _HOMES.items() for name in names.split()}
_HOME |= {"read_lock": ("lock", "read"), "write_lock": ("lock", "write")}

__all__ = [
    "BASE_PACKAGES",
    "Built",
    "Lock",
    "Moved",
    "Recipe",
    "build",
    "cache_dir",
    "difference",
    "facts",
    "keep_only",
    "key",
    "lookup",
    "present",
    "prune",
    "read_lock",
    "refs",
    "resolve",
    "ship",
    "state_dir",
    "store_path",
    "update",
    "write_lock",
]


def __getattr__(name: str) -> Any:
    """Imports a name at its first use: an apply that builds nothing pays for nothing."""
    if name in _HOME:
        module, own = _HOME[name]
        value = getattr(import_module(f"eyas.image.{module}"), own)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'eyas.image' has no attribute {name!r}")
