"""What a lab host's disk starts as: Debian with systemd, made once, then copied for each host."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from eyas.core.errors import Failed
from eyas.core.events import Event, Listener
from eyas.host.command import run, stream

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


def lab_tree(listener: Listener) -> Path:
    """The tree of a lab host, made by mmdebstrap(1) from this machine's apt sources when it is not in the cache."""
    from eyas.image.sources import machine_archive  # only who makes a tree pays for it

    lines = machine_archive().lines(SUITE)
    key = hashlib.sha256("\n".join((SUITE, *LAB_PACKAGES, *lines)).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("EYAS_CACHE") or "/var/cache/eyas") / "lab"
    tree = cache / key
    if tree.is_dir():
        return tree
    cache.mkdir(parents=True, exist_ok=True)
    fresh = cache / f".{key}.{os.getpid()}.new"
    listener(Event("lab", "tree", "making the disk of a lab host (once)"))
    sources = cache / f".{key}.{os.getpid()}.list"
    sources.write_text("".join(f"{line}\n" for line in lines))
    try:
        # A mount namespace of its own: a killed mmdebstrap leaves no /proc mounted in there.
        stream(
            ["unshare", "--mount", "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
             f"--include={','.join(LAB_PACKAGES)}", SUITE, str(fresh), str(sources)],
            lambda line: listener(Event("lab", "tree", line, level="debug")),
            timeout=1800,
        )  # fmt: skip
        fresh.chmod(0o755)
        if not tree.is_dir():
            fresh.rename(tree)
    finally:
        sources.unlink(missing_ok=True)
        if fresh.exists():
            shutil.rmtree(fresh)
    return tree


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
