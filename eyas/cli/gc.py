"""`eyas gc`: give back what nothing refers to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from eyas.cli.context import Context
from eyas.cli.session import Session

FORMAT = 1


def run(context: Context, *, keep: int | None = None, json: bool = False) -> int:
    """Old runs, trees and layers go from the host; builds that neither a host's runs nor the definitions need go
    from the stores."""
    from eyas import image
    from eyas.cli import needed
    from eyas.cli.view.text import count, size
    from eyas.core import paths

    with Session(context) as session, session.listener:
        connection = session.talk()
        root = connection.transport.root
        assert root is not None
        inside = root / paths.STATE.lstrip("/")
        states = dict.fromkeys([image.state_dir(), inside])
        stores = [state for state in states if (state / "store").is_dir()]
        before = _used(stores)
        gone = connection.gc(keep)
        trees = connection.references()["trees"]
        with needed.locked():
            keys = _keys(session)
            forgotten = {state: image.keep_only(state, _kept(image.refs(state), keys, trees)) for state in stores}
        for state, forgot in forgotten.items():
            if forgot:
                image.prune(state)
                gone += [f"build {key[:12]}" for key in forgot]
    freed = max(0, before - _used(stores))
    if json:
        context.write_json({"version": FORMAT, "removed": list(gone), "freed": freed})
    else:
        if context.verbose:
            context.write("\n".join(gone))
        context.write(f"{count(len(gone), 'thing')} removed, {size(freed)} freed.")
    return 0


def _keys(session: Session) -> set[str]:
    """Keys that the definitions need, those of other fleets on this machine included."""
    from eyas import image
    from eyas.cli import needed

    lock = image.read_lock(session.definitions.lock_path)
    return needed.keys(session.definitions.distinct(), lock) | needed.by_others()


def _kept(known: dict[str, str], needed: set[str], trees: Iterable[str]) -> set[str]:
    """Keys that stay: needed by the definitions, or of a commit that the host's kept runs refer to."""
    used = set(trees)
    return {key for key, commit in known.items() if key in needed or key in used or commit in used}


def _used(folders: Iterable[Path]) -> int:
    """Bytes in use on the file systems of these folders, each file system once."""
    seen: dict[int, int] = {}
    for folder in folders:
        if folder.exists():
            found = os.statvfs(folder)
            seen[folder.stat().st_dev] = (found.f_blocks - found.f_bfree) * found.f_frsize
    return sum(seen.values())
