"""What a lab host's disk starts as: Debian with systemd, built once, then copied for each host."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from eyas.core.errors import Failed
from eyas.core.events import Event, Listener, silent
from eyas.host.command import CommandFailed, run

SUITE = "trixie"
LAB_PACKAGES: tuple[str, ...] = (
    "systemd", "systemd-sysv", "systemd-container", "dbus", "libnss-systemd",
    "iproute2", "nftables", "conntrack", "iputils-ping", "curl", "ca-certificates", "openssh-client",
    "python3", "ostree", "procps", "util-linux", "mount", "kmod", "passwd", "e2fsprogs", "dnsmasq-base", "iptables",
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

    def attempt(lock: Lock) -> StoreTree:
        built = build([recipe], lock, state_dir(), cache_dir(), listener=listener)
        write_lock(path, lock)
        return StoreTree(store_path(state_dir()), built[key(recipe, lock)].commit)

    listener(Event("lab", "tree", "looking for the image of a lab host"))
    lock = resolve([recipe], read_lock(path), cache_dir(), listener)
    try:
        return attempt(lock)
    except Failed:
        newest = resolve([recipe], Lock(), cache_dir(), listener)
        if newest == lock:
            raise
        return attempt(newest)


def copy(source: Source, folder: Path) -> Path:
    """A full copy of a tree, with owners, modes and attributes, in a new directory of ``folder``; what earlier
    copies left half done there is removed."""
    for left in folder.glob(".root.*"):
        shutil.rmtree(left)
    with contextlib.suppress(CommandFailed):
        # ext4 does not use an inode again within minutes of its deletion, and searches long for another one nearby.
        # In a folder with this mark a new directory's name decides where on the disk it begins (chattr(1)), so a new
        # name finds room at once: 2 s instead of 20 s where much was just deleted.
        run(["chattr", "+T", str(folder)])
    fresh = folder / f".root.{os.urandom(6).hex()}"
    if isinstance(source, StoreTree):
        repository = f"--repo={source.store}"
        run(["ostree", "checkout", repository, "--force-copy", source.commit, str(fresh)], timeout=900)
    elif source.is_dir():
        run(["cp", "--archive", "--reflink=auto", "--one-file-system", "-T", str(source), str(fresh)], timeout=900)
    else:
        raise Failed(f"cannot make a lab host: no tree at {source}")
    return fresh
