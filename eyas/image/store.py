"""The store: a bare OSTree repository, in which equal files of all images exist once.

Refs: ``eyas/<key>`` is a built image or a layer that images stand on; the key says what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, run
from eyas.host.disk import write_whole
from eyas.image.records import PREFIX, rev, store_path

EPOCH = "@1"  # commits carry no real time, so that equal content is an equal commit


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


def commit(store: Path, ref: str, *parts: str) -> str:
    """Commits parts, each laid over the ones before: ``dir=PATH`` or ``ref=REF``. Equal parts give equal commits.

    Folders given are used up. Nothing is synced here; see `settle`.
    """
    argv = [
        "ostree", "commit", f"--repo={store}", f"--branch={ref}", "--parent=none", f"--timestamp={EPOCH}",
        "--subject=", "--body=", "--link-checkout-speedup", "--consume", "--fsync=no",
        *(f"--tree={part}" for part in parts),
    ]  # fmt: skip
    try:
        return run(argv, timeout=900).text.strip()
    except CommandFailed as error:
        if "No space left" in error.result.error or "free space" in error.result.error:
            raise Failed(
                f"cannot store an image in {store}: the disk is full", "free some space there; the store is sound"
            ) from None
        raise


def unsettled(state: Path) -> None:
    """Notes, before a build, that the store has content which a power cut could lose (see `settle`)."""
    write_whole(state / "unsettled", _boot(), shared=True)


def settle(state: Path) -> None:
    """Brings all to the disk at once, which is much cheaper than file by file, and takes the note away."""
    run(["sync", "--file-system", str(store_path(state))], timeout=900)
    (state / "unsettled").unlink(missing_ok=True)


def heal(state: Path) -> None:
    """Where the machine went down in the middle of a build, removes from the store what did not reach the disk.

    A build that was only killed needs none of it: what it wrote is in memory, and complete.
    """
    try:
        boot = (state / "unsettled").read_text()
    except OSError:
        return
    if boot == _boot():
        return
    store = store_path(state)
    run(["ostree", "fsck", f"--repo={store}", "--all", "--delete", "--quiet"], timeout=1800, check=False)
    for key, commit in refs(state).items():
        if len(commit) != 64 or (store / f"state/{commit}.commitpartial").exists() or not _has(store, commit):
            forget(state, key)
    prune(state)
    settle(state)


def forget(state: Path, key: str) -> None:
    """Removes the ref of a key and its records; the next build of the key starts anew."""
    for record in (state / "builds").glob(f"{key}.*"):
        record.unlink()
    (store_path(state) / "refs/heads" / PREFIX / key).unlink(missing_ok=True)


def _has(store: Path, commit: str) -> bool:
    return (store / f"objects/{commit[:2]}/{commit[2:]}.commit").exists()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text()


def refs(state: Path) -> dict[str, str]:
    """Keys of all that is in the store, with their commits."""
    folder = store_path(state) / "refs/heads" / PREFIX
    return {name.name: name.read_text().strip() for name in sorted(folder.glob("*"))} if folder.is_dir() else {}


def keep_only(state: Path, keep: Iterable[str]) -> list[str]:
    """Forgets every key that is not in ``keep``, and returns them; `prune` then gives their files back.

    Whoever calls knows what runs and what the kept runs need; this asks nobody.
    """
    wanted = set(keep)
    gone = [key for key in refs(state) if key not in wanted]
    for key in gone:
        forget(state, key)
    return gone


def prune(state: Path) -> None:
    """Removes the files that belong to no key. Builds beside it are safe: OSTree has a lock for that."""
    run(["ostree", "prune", f"--repo={store_path(state)}", "--refs-only"], timeout=900)


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
