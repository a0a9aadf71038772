"""Which builds of this machine are needed, by whom: several fleets, and labs, share one store.

<state>/needed/<digest>.json   one fleet directory, with the keys of everything that its images stand on
<state>/needed.lock            held while such a note is written, and by a gc from its look at them until it has
                               removed what nobody needs

A fleet notes what it needs before it looks for it in the store: a gc beside it knows of it, or has ended before.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from eyas import image
from eyas.cli.place import DEFINITIONS
from eyas.host.disk import write_whole
from eyas.image.stages import stages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def keys(recipes: Iterable[image.Recipe], lock: image.Lock) -> set[str]:
    """Keys of images and of the stages that they stand on, as far as the lock has an answer for them."""
    return {stage.key for recipe in recipes if lock.holds(recipe) for stage in stages(recipe, lock)}


@contextmanager
def locked() -> Iterator[None]:
    """No fleet notes what it needs meanwhile. The lock ends with its process."""
    state = image.state_dir()
    state.mkdir(parents=True, exist_ok=True)
    with (state / "needed.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def note(fleet: Path, recipes: Iterable[image.Recipe], lock: image.Lock) -> None:
    """Note what a fleet needs, so that a gc of another one leaves it. To be done before one looks for it."""
    folder = image.state_dir() / "needed"
    value = {"directory": str(fleet), "keys": sorted(keys(recipes, lock))}
    text = json.dumps(value, indent=1)
    path = folder / f"{sha256(str(fleet).encode()).hexdigest()[:16]}.json"
    with locked():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text, shared=True)


def by_others() -> set[str]:
    """Keys that all noted fleets need whose definitions are still there, and the lab hosts. Notes of others go."""
    found = _lab_host()
    for path in (image.state_dir() / "needed").glob("*.json"):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            there = (Path(value["directory"]) / DEFINITIONS).is_file()
            found |= {str(key) for key in value["keys"]} if there else set()
        except (OSError, ValueError, LookupError, TypeError):
            there = False
        if not there:
            path.unlink(missing_ok=True)
    return found


def _lab_host() -> set[str]:
    from eyas.lab.tree import LAB_PACKAGES, SUITE

    recipe = image.Recipe("lab-host", suite=SUITE, packages=LAB_PACKAGES)
    return keys([recipe], image.read_lock(image.cache_dir() / "lab-host.lock"))
