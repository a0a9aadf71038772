"""The store: a bare OSTree repository, in which equal files of all images exist once.

Refs: ``eyas/<key>`` is a built image or a layer that images stand on; the key says what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, run

PREFIX = "eyas/"
EPOCH = "@1"  # commits carry no real time, so that equal content is an equal commit


def store_path(state: Path) -> Path:
    return state / "store"


def ensure_store(state: Path) -> Path:
    """The store of a state folder, made when it is not there. The folder is closed to users: images hold setuid
    files and hashes of passwords."""
    store = store_path(state)
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    if not (store / "config").exists() or not (store / "objects").is_dir():
        run(["ostree", "init", f"--repo={store}", "--mode=bare"])
    return store


def checkout(store: Path, commit: str, target: Path) -> None:
    """Hard links of a commit's files. Never write into one of them: it is the store's own."""
    run(["ostree", "checkout", f"--repo={store}", "-H", commit, str(target)], timeout=600)


def commit_tree(store: Path, tree: Path, ref: str) -> str:
    """Commits a folder that may consist of hard links into the store; equal folders give equal commits."""
    argv = [
        "ostree", "commit", f"--repo={store}", f"--branch={ref}", "--parent=none", f"--timestamp={EPOCH}",
        "--subject=", "--body=", "--link-checkout-speedup", f"--tree=dir={tree}",
    ]  # fmt: skip
    try:
        return run(argv, timeout=900).text.strip()
    except CommandFailed as error:
        if "No space left" in error.result.error or "free space" in error.result.error:
            raise Failed(
                f"cannot store an image in {store}: the disk is full", "free some space there; the store is sound"
            ) from None
        raise


def rev(store: Path, ref: str) -> str:
    """The commit of a ref, '' when there is none: one file read."""
    try:
        return (store / "refs/heads" / ref).read_text().strip()
    except OSError:
        return ""


def refs(state: Path) -> dict[str, str]:
    """Keys of all that is in the store, with their commits."""
    folder = store_path(state) / "refs/heads" / PREFIX
    return {name.name: name.read_text().strip() for name in sorted(folder.glob("*"))} if folder.is_dir() else {}


def gc(state: Path, keep: Iterable[str]) -> list[str]:
    """Removes every key that is not in ``keep``, with its records and the files that only it had; returns them.

    Whoever calls knows what runs and what the kept runs need; this asks nobody.
    """
    store = store_path(state)
    wanted = set(keep)
    gone = [key for key in refs(state) if key not in wanted]
    for key in gone:
        for record in (state / "builds").glob(f"{key}.*"):
            record.unlink()
        run(["ostree", "refs", f"--repo={store}", "--delete", PREFIX + key])
    if gone:
        run(["ostree", "prune", f"--repo={store}", "--refs-only"], timeout=900)
    return gone


def ship(state: Path, key: str, target: Path) -> str:
    """Brings a built image into another store and returns its commit; hard links on one file system.

    ``key`` is a key or a commit. The target gets a ref ``eyas/<key>`` too, so that its own pruning keeps it.
    """
    source = store_path(state)
    commit = rev(source, PREFIX + key) or key
    if not (target / "config").exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.parent.chmod(0o700)
        run(["ostree", "init", f"--repo={target}", "--mode=bare"])
    if rev(target, PREFIX + key) == commit:
        return commit
    run(["ostree", "pull-local", f"--repo={target}", str(source), commit], timeout=900)
    run(["ostree", "refs", f"--repo={target}", "--force", f"--create={PREFIX}{key}", commit])
    return commit


def fsck(store: Path) -> None:
    """Checks every object; raises CommandFailed when one is damaged."""
    run(["ostree", "fsck", f"--repo={store}", "--all", "--quiet"], timeout=1800)
