"""The repository: packages beside each other, a database that is there in full or not at all.

A database is four files (and their signatures), which clients ask for one by one. So each state of it is a directory
of its own below .db, and the names that clients know lead through one link, .db/current, which moves by a rename:

    hello-1-1-x86_64.pkg.tar.zst   hello-1-1-x86_64.pkg.tar.zst.sig
    NAME.db -> .db/current/NAME.db, .db/current -> 0000000017
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable
from functools import cmp_to_key
from pathlib import Path

from .files import copy, drop, locked, point, put, sweep, sync
from .run import Refused, must, run
from .settings import Settings

PACKAGE = re.compile(r"(?P<name>[\w@.+-]+)-(?P<version>[^-/]+-[^-/]+)-(?P<arch>[\w]+)\.pkg\.tar(?:\.\w+)?")
STATES = 3
"""States of the database that stay, for whoever is just reading one."""
ARCHIVE = ".db.tar.gz"


def split(file: str) -> tuple[str, str]:
    """Name and version by the name of a package's file. Raises Refused."""
    found = PACKAGE.fullmatch(file)
    if not found or file.startswith("."):
        raise Refused(f"cannot publish {file!r}: that is no name of a package")
    return found["name"], found["version"]


def fingerprint(settings: Settings) -> str:
    """The key that everything is signed with."""
    for line in must(["gpg", "--batch", "--list-keys", "--with-colons"], env=_master(settings)).splitlines():
        if line.startswith("fpr:"):
            return line.split(":")[9]
    raise Refused(f"cannot sign: there is no key in {settings.signing}")


def _master(settings: Settings) -> dict[str, str]:
    return {"GNUPGHOME": str(settings.gnupg)}


def _signing(settings: Settings) -> dict[str, str]:
    """A home of gpg(1) for this process alone: its agent is of the unit of the build, and would end with the unit while
    another build needs it."""
    home = settings.run / "homes" / str(os.getpid())
    if not home.is_dir():
        new = home.with_name(f".{home.name}")
        drop(new)
        shutil.copytree(settings.gnupg, new)
        new.chmod(0o700)
        new.rename(home)
    return {"GNUPGHOME": str(home)}


def sweep_homes(settings: Settings) -> None:
    """Homes of processes that are over."""
    place = settings.run / "homes"
    for path in place.iterdir() if place.is_dir() else ():
        if not Path(f"/proc/{path.name.strip('.')}").exists():
            drop(path)


def sign(settings: Settings, path: Path) -> None:
    """A detached signature beside a file."""
    argv = ["gpg", "--batch", "--quiet", "--no-tty", "--yes", "--detach-sign", "--no-armor", str(path)]
    must(argv, env=_signing(settings))


def keys(settings: Settings) -> None:
    """The key is there, made by whoever is first; in RAM for signing, and as a keyring for the roots.

    Builds go on while the one who starts them begins anew: what is there is left, and what comes appears as a whole.
    """
    secret = settings.signing / "secret.asc"
    with locked(settings.signing / "lock"):
        _imported(settings, secret)
    public = must(["gpg", "--batch", "--armor", "--export"], env=_master(settings))
    if not settings.keyring.is_dir():
        _keyring(settings, public)
    settings.pool.mkdir(parents=True, exist_ok=True)
    put(settings.pool / f"{settings.repository}.asc", public)
    (settings.pool / f"{settings.repository}.asc").chmod(0o644)


def _imported(settings: Settings, secret: Path) -> None:
    """The key in RAM is the one that is kept."""
    mark = "of"  # what it was made from
    kept = settings.gnupg / mark
    if secret.exists() and kept.exists() and kept.read_text() == _digest(secret):
        return
    new = settings.gnupg.with_name(".gnupg")
    drop(new)
    new.mkdir(parents=True, mode=0o700)
    env = {"GNUPGHOME": str(new)}
    if secret.exists():
        must(["gpg", "--batch", "--quiet", "--import", str(secret)], env=env)
    else:
        words = ["--passphrase", "", "--quick-generate-key", settings.packager, "ed25519", "sign", "never"]
        must(["gpg", "--batch", "--quiet", *words], env=env)
        text = must(["gpg", "--batch", "--armor", "--export-secret-keys"], env=env)
        secret.touch(mode=0o600)
        put(secret, text)
        secret.chmod(0o600)
    run(["gpgconf", "--kill", "all"], env=env)
    for path in new.iterdir():
        if path.is_socket():
            path.unlink()
    (new / mark).write_text(_digest(secret))
    drop(settings.gnupg)
    drop(settings.keyring)
    new.rename(settings.gnupg)


def _keyring(settings: Settings, public: str) -> None:
    """The public half, as pacman looks for it."""
    new = settings.keyring.with_name(".keyring")
    drop(new)
    new.mkdir(mode=0o755)
    (new / "pubring.gpg").touch()  # the format that pacman looks for
    env = {"GNUPGHOME": str(new)}
    done = run(["gpg", "--batch", "--quiet", "--import"], env=env, input=public)
    trust = f"{fingerprint(settings)}:6:\n"
    done = done if done.code else run(["gpg", "--batch", "--import-ownertrust"], env=env, input=trust)
    if done.code:
        raise Refused(f"cannot make the keyring: {done.last}")
    run(["gpg", "--batch", "--check-trustdb"], env=env)
    run(["gpgconf", "--kill", "all"], env=env)
    for path in new.iterdir():
        if path.is_socket() or path.name.endswith("~"):
            path.unlink()
        elif path.is_file():
            path.chmod(0o644)
    new.rename(settings.keyring)


# ------------------------------------------------------------ adding


def listed(settings: Settings) -> dict[str, str]:
    """Packages in the database: name to the name of the file."""
    path = settings.pool / ".db/current" / f"{settings.repository}{ARCHIVE}"
    if not path.exists():
        return {}
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith("/desc"):
                file = archive.extractfile(member)
                words = file.read().decode().split("\n") if file else []
                found[words[words.index("%NAME%") + 1]] = words[words.index("%FILENAME%") + 1]
    return found


def add(settings: Settings, staged: Path) -> tuple[str, ...]:
    """What lies in this directory is published; names of the packages' files. May be done again after a death.

    Packages are whole before the database knows them, and the database moves by one rename.
    """
    pool, name = settings.pool, settings.repository
    files = sorted(path.name for path in staged.iterdir() if not path.name.endswith((".sig", ".json")))
    with locked(settings.data / "publish.lock"):
        sweep(pool)
        for file in files:
            split(file)
            for part in (file, f"{file}.sig"):
                _place(staged / part, pool / part)
        sync(pool)
        states = _states(pool)
        fresh = pool / ".db" / f".next{len(states)}"
        for left in (pool / ".db").glob(".next*"):
            drop(left)
        fresh.mkdir(parents=True)
        if states:
            for kind in ("db", "files"):
                archive = f"{name}.{kind}.tar.gz"
                shutil.copy(states[-1] / archive, fresh / archive)
        argv = ["repo-add", "--quiet", "--nocolor", "--prevent-downgrade", "--sign", "--key", fingerprint(settings)]
        must([*argv, f"{name}{ARCHIVE}", *(str(pool / file) for file in files)], cwd=str(fresh), env=_signing(settings))
        for path in fresh.iterdir():
            if path.name.endswith((".old", ".old.sig")):
                path.unlink()
            elif not path.is_symlink():
                sync(path)
        sync(fresh)
        number = int(states[-1].name) + 1 if states else 1
        state = fresh.rename(pool / ".db" / f"{number:010d}")
        sync(pool / ".db")
        for path in sorted(state.iterdir()):
            point(pool / path.name, f".db/current/{path.name}")
        point(pool / ".db/current", state.name)
        _forget(settings)
    return tuple(files)


def _place(source: Path, to: Path) -> None:
    if not to.exists():
        copy(source, to)
    elif not to.name.endswith(".sig") and _digest(source) != _digest(to):
        raise Refused(f"cannot publish {to.name}: that version is out already, with another content (raise pkgrel)")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _states(pool: Path) -> list[Path]:
    return sorted(path for path in (pool / ".db").glob("[0-9]*") if path.is_dir() and not path.is_symlink())


# ------------------------------------------------------------ removing


def outdated(files: Iterable[str], current: Iterable[str], keep: int, compare: Callable[[str, str], int]) -> list[str]:
    """Packages beyond the newest ``keep`` versions of each name; never one that the database names."""
    versions: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for file in files:
        found = PACKAGE.fullmatch(file)
        if found:
            versions.setdefault((found["name"], found["arch"]), []).append((found["version"], file))
    named, newest = set(current), cmp_to_key(compare)
    old = []
    for rows in versions.values():
        rows.sort(key=lambda row: newest(row[0]), reverse=True)
        old += [file for _, file in rows[keep:] if file not in named]
    return sorted(old)


def vercmp(one: str, other: str) -> int:
    """The order of versions, as vercmp(8) says it."""
    return int(must(["vercmp", one, other]).strip() or 0)


def _forget(settings: Settings) -> None:
    pool = settings.pool
    current = listed(settings).values()
    for file in outdated((path.name for path in pool.iterdir()), current, max(1, settings.keep), vercmp):
        drop(pool / file)
        drop(pool / f"{file}.sig")
    for state in _states(pool)[:-STATES]:
        drop(state)
