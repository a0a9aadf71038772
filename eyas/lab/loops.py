"""Loop devices belong to the kernel, not to a namespace: what a lab host attached must be detached for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from eyas.host.command import run


def attached(root: Path) -> Iterator[str]:
    """The loop devices whose file lies below a host's root.

    losetup shows a path as the host saw it, so device and inode decide. A file that was bound elsewhere or
    removed is searched for by its inode.
    """
    if not root.is_dir():
        return
    listing = run(["losetup", "--list", "--json", "--output", "NAME,BACK-INO,BACK-MAJ:MIN,BACK-FILE"], check=False).text
    if not listing:
        return
    device = root.stat().st_dev
    for each in json.loads(listing)["loopdevices"]:
        major, _, minor = str(each["back-maj:min"]).partition(":")
        if os.makedev(int(major), int(minor)) != device:
            continue
        inode, seen = int(each["back-ino"]), str(each["back-file"])
        if _is(Path(seen), inode) and not Path(seen).is_relative_to(root):
            continue  # this machine's own
        if _is(root / seen.lstrip("/"), inode) or _is(Path(seen), inode) or _search(root, inode):
            yield str(each["name"])


def _is(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False


def _search(root: Path, inode: int) -> bool:
    return bool(run(["find", str(root), "-xdev", "-inum", str(inode), "-print", "-quit"], timeout=120).text)


def detach(root: Path) -> None:
    """Detach the loop devices of a host that is off."""
    for name in attached(root):
        run(["losetup", "--detach", name], check=False)
