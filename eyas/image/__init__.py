"""From recipes to commits: recipe -> lock -> key -> stages -> store.

- `Recipe` says what an image is made of, by name; `resolve` chooses exact versions once and keeps them in a `Lock`
  (eyas.lock), `update` chooses anew, `difference` compares.
- `key` tells the identity of an image before it is built, from recipe and lock alone.
- `build` makes what is missing; `lookup` and `facts` read what is known of a built image.
- `gc`, `refs` and `ship` care for the store.
"""

from eyas.image.builder import Built, build, facts, lookup, present
from eyas.image.disk import cache_dir, state_dir
from eyas.image.lock import Lock, Moved, difference
from eyas.image.lock import read as read_lock
from eyas.image.lock import write as write_lock
from eyas.image.recipe import BASE_PACKAGES, Recipe
from eyas.image.resolver import resolve, update
from eyas.image.stages import key
from eyas.image.store import gc, refs, ship, store_path

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
    "gc",
    "key",
    "lookup",
    "present",
    "read_lock",
    "refs",
    "resolve",
    "ship",
    "state_dir",
    "store_path",
    "update",
    "write_lock",
]
