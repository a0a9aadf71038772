"""Making a tree say nothing about when and where it was built.

Everything here replaces or unlinks files and never writes into one: the tree may be made of the store's hard links.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

OVERLAY_ATTRIBUTES = "trusted.overlay."

EMPTIED = ("dev", "proc", "run", "sys", "tmp", "var/tmp", "var/log", "var/cache/apt", "var/lib/apt/lists")
"""Folders whose files go."""

KEEP_FOLDERS = ("var/log", "var/cache/apt", "var/lib/apt/lists")
"""Of these, the folders inside stay: services expect theirs with its owner, apt insists on "partial"."""

REMOVED = (
    # random or secret: each machine makes its own
    "etc/ssh/ssh_host_*",
    "etc/ssl/private/ssl-cert-snakeoil.key",
    "etc/ssl/certs/ssl-cert-snakeoil.pem",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/dbus/machine-id",
    "etc/docker/key.json",
    # of the build machine
    "etc/resolv.conf",
    "etc/hostname",
    # backups and locks of the tools that wrote the files beside them
    "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/.pwd.lock",
    "var/lib/dpkg/*-old", "var/cache/debconf/*-old", "var/lib/dpkg/lock*", "var/lib/dpkg/triggers/Lock",
    "var/lib/apt/extended_states.*", "var/lib/apt/daily_lock", "var/lib/ucf/*.[0-9]",
    # caches that hold times or inode numbers, and are made again by whoever misses them
    "var/cache/ldconfig/aux-cache",
    "var/cache/fontconfig/*",
    "var/cache/man/*",
    "var/lib/systemd/catalog/database",
    "usr/sbin/policy-rc.d",
)  # fmt: skip


def lay_over(upper: Path, tree: Path) -> None:
    """Applies the upper folder of an overlay to a checkout of what was below it; upper is used up.

    Format: Documentation/filesystems/overlayfs.rst of the kernel (whiteouts are character devices 0:0, replaced
    folders carry the attribute trusted.overlay.opaque).
    """
    for entry in sorted(os.scandir(upper), key=lambda e: e.name):
        target = tree / entry.name
        info = entry.stat(follow_symlinks=False)
        if _is_whiteout(info):
            _remove(target)
        elif entry.is_dir(follow_symlinks=False):
            opaque = _attribute(entry.path, OVERLAY_ATTRIBUTES + "opaque") == b"y"
            _strip(entry.path)
            if opaque or not _is_dir(target):
                _remove(target)
                Path(entry.path).rename(target)
                _drop_whiteouts(target)
            else:
                lay_over(Path(entry.path), target)
                _same_attributes(Path(entry.path), target, info)
        else:
            _strip(entry.path)
            if _is_dir(target):
                _remove(target)
            Path(entry.path).replace(target)


def only_adds(upper: Path, lower: Path) -> bool:
    """Whether an upper folder adds and replaces files, and deletes nothing of the lower tree. Then it is stripped of
    the overlay's attributes, and can be laid over its lower tree by any program."""
    folders: list[str] = []
    for folder, names, files in os.walk(upper):
        folders += [os.path.join(folder, name) for name in names]  # noqa: PTH118 (thousands of them)
        if any(_is_whiteout(os.lstat(os.path.join(folder, name))) for name in files):  # noqa: PTH118
            return False
    for folder in folders:  # every new folder is opaque; it matters only where it hides one
        if _attribute(folder, OVERLAY_ATTRIBUTES + "opaque") == b"y":
            below = lower / Path(folder).relative_to(upper)
            if below.exists() or below.is_symlink():
                return False
    for path in [*(Path(folder) for folder in folders), *walk(upper), upper]:
        _strip(os.fspath(path))
    return True


def normalise(tree: Path) -> None:
    """Removes from a finished tree all that differs from one build to the next; also from an upper folder whose lower
    tree is normal already. What has times only in its inode is left alone, since the store keeps no times."""
    for name in EMPTIED:
        _empty(tree / name, keep_folders=name in KEEP_FOLDERS)
    for pattern in REMOVED:
        for path in tree.glob(pattern):
            _remove(path)
    for path in (tree / "etc/ssl/certs").glob("*.[0-9]"):
        if path.is_symlink() and path.readlink().name == "ssl-cert-snakeoil.pem":
            path.unlink()
    (tree / "etc").mkdir(exist_ok=True)
    _replace(tree / "etc/machine-id", b"", 0o444)
    for path in walk(tree):
        if path.name.endswith(".pyc"):
            _freeze_bytecode(path)
        elif _is_special(path) and not _is_whiteout(path.lstat()):
            path.unlink()


def walk(tree: Path) -> Iterator[Path]:
    """Everything that is not a folder."""
    for folder, _folders, files in os.walk(tree):
        for name in files:
            yield Path(folder, name)


def _is_special(path: Path) -> bool:
    mode = path.lstat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


UNCHECKED = (1).to_bytes(4, "little")


def _freeze_bytecode(path: Path) -> None:
    """Turns a .pyc that is valid for one time of its source into one that is always valid (PEP 552, unchecked hash):
    the store has no times, so Python would compile each module again at each import. The code itself is kept."""
    raw = path.read_bytes()
    if len(raw) > 16 and raw[4:8] != UNCHECKED:
        info = path.lstat()
        _replace(path, raw[:4] + UNCHECKED + bytes(8) + raw[16:], stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid)


def _replace(path: Path, content: bytes, mode: int, uid: int = 0, gid: int = 0) -> None:
    fresh = path.with_name(f".{path.name}.eyas")
    fresh.write_bytes(content)
    os.chown(fresh, uid, gid)
    fresh.chmod(mode)
    fresh.replace(path)


def _empty(folder: Path, keep_folders: bool) -> None:
    if not _is_dir(folder):
        return
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _empty(Path(entry.path), keep_folders)
            if not keep_folders:
                Path(entry.path).rmdir()
        else:
            Path(entry.path).unlink()


def _drop_whiteouts(folder: Path) -> None:
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root, name)
            info = path.lstat()
            if _is_whiteout(info):
                path.unlink()
            else:
                _strip(os.fspath(path))


def _same_attributes(source: Path, target: Path, info: os.stat_result) -> None:
    os.chown(target, info.st_uid, info.st_gid)
    target.chmod(stat.S_IMODE(info.st_mode))
    names = set(os.listxattr(source, follow_symlinks=False))
    for name in names:
        os.setxattr(target, name, os.getxattr(source, name))
    for name in set(os.listxattr(target)) - names:
        os.removexattr(target, name)


def _strip(path: str) -> None:
    for name in _overlay_attributes(os.listxattr(path, follow_symlinks=False)):
        os.removexattr(path, name, follow_symlinks=False)


def _overlay_attributes(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(OVERLAY_ATTRIBUTES)]


def _attribute(path: str, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return os.getxattr(path, name, follow_symlinks=False)
    return b""


def _is_whiteout(info: os.stat_result) -> bool:
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _is_dir(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    if _is_dir(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
