"""Builds images in a process of its own, which a test can kill or cut off: STATE CACHE LOCK RECIPES(JSON)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from eyas.core.errors import EyasError
from eyas.core.events import Event
from eyas.image import Recipe, build, read_lock


def recipes_of(text: str) -> list[Recipe]:
    return [Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in item.items()}) for item in json.loads(text)]


def say(event: Event) -> None:
    print(event.topic, event.text, flush=True)


def main() -> int:
    state, cache, lock, recipes = sys.argv[1:]
    try:
        build(recipes_of(recipes), read_lock(Path(lock)), Path(state), Path(cache), listener=say)
    except EyasError as error:
        print(f"refused: {error.message} / {error.hint}", flush=True)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
