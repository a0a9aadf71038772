"""What a lab host's disk starts as: Debian with systemd, built once, then copied for each host."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from eyas.core.errors import Failed
from eyas.core.events import Event, Listener, silent
from eyas.host.command import run

SUITE = "trixie"
LAB_PACKAGES: tuple[str, ...] = (
    "systemd", "systemd-sysv", "systemd-container", "dbus", "libnss-systemd",
    "iproute2", "nftables", "conntrack", "iputils-ping", "curl", "ca-certificates", "openssh-client",
    "python3", "ostree", "procps", "util-linux", "mount", "kmod", "passwd", "e2fsprogs",
)  # fmt: skip
"""The packages of a lab host: what eyas asks of a Debian server, and what people look around with."""


@dataclass(frozen=True)
class StoreTree:
    """A tree in an OSTree repository: its path and a commit or ref."""

    store: Path
    commit: str


Source: TypeAlias = "Path | StoreTree"


def lab_tree(listener: Listener = silent) -> StoreTree:
    """The tree of a lab host: an image like any other, with a lock of its own, in the operator's store.

    Built when it is not there, which takes about a minute. Its versions are those of the day it was first built; when
    the archive no longer has one of them, they are chosen anew.
    """
    # Only who makes a disk pays for these.
    from eyas.image import Recipe, build, cache_dir, key, read_lock, resolve, state_dir, store_path, write_lock
    from eyas.image.lock import Lock

    recipe = Recipe("lab-host", suite=SUITE, packages=LAB_PACKAGES)
    path = cache_dir() / "lab-host.lock"

    def attempt(known: Lock) -> StoreTree:
        lock = resolve([recipe], known, cache_dir(), listener)
        write_lock(path, lock)
        built = build([recipe], lock, state_dir(), cache_dir(), listener=listener)
        return StoreTree(store_path(state_dir()), built[key(recipe, lock)].commit)

    listener(Event("lab", "tree", "looking for the image of a lab host"))
    known = read_lock(path)
    try:
        return attempt(known)
    except Failed:
        if known == Lock():
            raise
        return attempt(Lock())


def copy(source: Source, target: Path) -> None:
    """A full copy of a tree, with owners, modes and attributes; there or not there, never half."""
    fresh = target.with_name(f".{target.name}.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    if isinstance(source, StoreTree):
        run(["ostree", "checkout", f"--repo={source.store}", "--force-copy", source.commit, str(fresh)], timeout=900)
    elif source.is_dir():
        run(["cp", "--archive", "--reflink=auto", "--one-file-system", "-T", str(source), str(fresh)], timeout=900)
    else:
        raise Failed(f"cannot make a lab host: no tree at {source}")
    fresh.rename(target)
