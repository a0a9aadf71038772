"""An image from somebody else's root file system, in one tar file (any compression that tar knows)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, run
from eyas.image.stages import Stage

NOT_DEVICES = ("--exclude=./dev/*", "--exclude=dev/*")


def unpack(stage: Stage, folder: Path) -> Path:
    """Unpacks the tarball with owners, modes and extended attributes, without /dev; returns the tree.

    Raises Failed when the file is not the locked one, or holds no root file system.
    """
    path = Path(stage.tarball)
    tree = folder / "tree"
    tree.mkdir(mode=0o755, parents=True)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror}") from None
    if found != stage.request[0]:
        raise Failed(
            f"cannot use {path}: it is not the file that eyas.lock names (sha256 {found[:12]})",
            "run eyas update to take it as it is now",
        )
    argv = ["tar", "--extract", f"--file={path}", f"--directory={tree}", "--numeric-owner", "--same-permissions"]
    try:
        run([*argv, "--xattrs", "--xattrs-include=*", *NOT_DEVICES, "--anchored"], timeout=1800)
    except CommandFailed as error:
        raise Failed(f"cannot unpack {path}: {(error.result.error.splitlines() or ['tar failed'])[0]}") from None
    if not (tree / "usr").is_dir() or not any((tree / name).exists() for name in ("etc", "usr/lib")):
        names = ", ".join(sorted(entry.name for entry in tree.iterdir())[:4]) or "nothing"
        raise Failed(f"cannot use {path} as a root: it has no usr and etc at its top, but {names}")
    for name in ("dev", "etc", "proc", "run", "sys", "tmp"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "tmp").chmod(0o1777)
    return tree
