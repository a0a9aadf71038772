"""Flag files in the /run of a running container, which a program inside looks at: put there by its own root."""

from __future__ import annotations

import os
from collections.abc import Sequence

from eyas.host.namespaces import Place


def flags(machine: str, uid_base: int, folder: str, on: Sequence[str], off: Sequence[str]) -> list[str]:
    """Make the flags ``on`` and remove the flags ``off``; all that are there then. Raises OSError
    (ProcessLookupError where the container does not run)."""

    def deed(_tree: int) -> list[str]:
        if on:
            os.makedirs(folder, 0o755, exist_ok=True)
        for name in on:
            os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
        for name in off:
            try:
                os.unlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    with Place(machine, uid_base) as place:
        return place.inside(deed)
