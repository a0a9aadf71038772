"""Folders: removed for good, and where the operator keeps things."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def state_dir() -> Path:
    """What eyas knows on this machine: the store, the records of builds (EYAS_STATE, /var/lib/eyas)."""
    return Path(os.environ.get("EYAS_STATE") or "/var/lib/eyas")


def cache_dir() -> Path:
    """What can be fetched again: downloads by digest, package lists (EYAS_CACHE, /var/cache/eyas)."""
    return Path(os.environ.get("EYAS_CACHE") or "/var/cache/eyas")


def remove_tree(path: Path) -> None:
    """Removes a folder and all in it; what is not there is removed already."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        shutil.rmtree(path)


def write_fresh(path: Path, content: bytes, mode: int) -> None:
    """Writes a new file, never into an existing one (which may be a hard link into a store); no sync."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.eyas")
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.replace(path)
