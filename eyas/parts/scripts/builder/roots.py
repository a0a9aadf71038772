"""Clean roots: the read-only tree below, an empty writable layer on top, in RAM with an end or on disk.

A root is made in the mount namespace of the unit of its build, which is private: whatever becomes of the build, its
mounts end with its last process. What can be left is a directory on disk and a reservation, both by the build's id.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .files import drop, locked, put
from .run import Done, Refused, must, run, say, shown
from .settings import Settings

UID = 1000
FULL = 0.98
"""Part of the cap that counts as all of it."""
INODES = 1 << 20
WHOLE = ("/run/eyas-proc", "/run/eyas-sysfs")
"""Of the grant nspawn. Some kernels mount /proc and /sys only where whole ones are to be seen."""
BY_HAND = "by-hand-"
"""What the ids of roots begin with that somebody looks at; the number of his process follows."""


@dataclass
class Root:
    """A root that is there. ``backing``: ram or disk; ``made``: seconds that it took."""

    settings: Settings
    id: str
    path: Path
    layer: Path
    backing: str
    made: float
    full: bool = False

    def look(self, line: str = "") -> None:
        """Notice that the cap was met."""
        stat = os.statvfs(self.layer)
        used = 1 - stat.f_bavail / max(1, stat.f_blocks)
        if used >= FULL or "No space left on device" in line:
            self.full = True

    def argv(self, script: str, *, network: bool) -> list[str]:
        """A program of the root, by systemd-nspawn(1); the repository is shown at /repo."""
        # Below a mount point of this container, not one itself: that could not be bound in a user namespace.
        return [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--settings=no", "--as-pid2"),
            *("--link-journal=no", "--timezone=off", "--console=pipe", f"--directory={self.path}"),
            f"--machine={self.id[-60:].strip('-')}",
            *(["--resolv-conf=copy-host"] if network else ["--resolv-conf=off", "--private-network"]),
            f"--bind-ro={self.settings.pool}:/repo",
            *(f"--bind-ro={path}" for path in WHOLE),
            *("/bin/sh", "-euc", script),
        ]

    def run(self, script: str, *, network: bool = False) -> Done:
        """Run a script in it to its end."""
        done = run(self.argv(script, network=network), env=NSPAWN, timeout=self.settings.timeout)
        return replace(done, code=-signal.SIGKILL) if KILLED in done.err else done

    def shown(self, script: str, *, network: bool = False, look: Callable[[str], None] | None = None) -> int:
        """The same with its output in the log."""

        died = False

        def each(line: str) -> None:
            nonlocal died
            died = died or KILLED in line
            self.look(line)
            if look:
                look(line)

        code = shown(self.argv(script, network=network), each, env=NSPAWN)
        self.look()
        return -signal.SIGKILL if died and code else code


KILLED = "terminated by signal KILL"
"""What systemd-nspawn says when its program has got it; its exit status says so only sometimes."""
NSPAWN = {"SYSTEMD_NSPAWN_TMPFS_TMP": "0"}
"""Its temporary directory is of the root, and so within the cap."""


def as_builder(command: str) -> str:
    """A command line of the root's script for the user that builds, with a home of its own and nothing else."""
    return (
        f"setpriv --reuid={UID} --regid={UID} --clear-groups --no-new-privs env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin "
        f"HOME=/build LC_ALL=C.UTF-8 USER=build {command}"
    )


@contextmanager
def clean(settings: Settings, id: str, *, disk: bool = False) -> Iterator[Root]:
    """A clean root for as long as the block lasts. On disk when told so, or when the RAM of all roots is taken."""
    backing = "disk" if disk or not _reserve(settings, id) else "ram"
    place = settings.run / "roots" / id
    began = time.monotonic()
    try:
        yield _make(settings, id, place, backing, began)
    finally:
        run(["umount", "-R", "-l", str(place / "root")])
        run(["umount", "-R", "-l", str(place / "layer")])
        remove(settings, id)


def _make(settings: Settings, id: str, place: Path, backing: str, began: float) -> Root:
    layer, root = place / "layer", place / "root"
    if not (settings.tree / "usr").is_dir():
        raise Refused(f"cannot make a root: there is no tree at {settings.tree} (is the grant nspawn given?)")
    for path in (layer, root, *map(Path, WHOLE)):  # a container that started before eyas knew of them has none
        path.mkdir(parents=True, exist_ok=True)
    if backing == "ram":
        must(["mount", "-t", "tmpfs", "-o", f"size={settings.root},mode=0755,nr_inodes={INODES}", "build", str(layer)])
        upper = layer
    else:
        upper = settings.place("scratch", id)
        layer = upper
    for name in ("upper", "work"):
        (upper / name).mkdir()
    options = f"lowerdir={settings.tree},upperdir={upper}/upper,workdir={upper}/work,userxattr"
    must(["mount", "-t", "overlay", "-o", options, "build", str(root)])
    made = Root(settings, id, root, layer, backing, time.monotonic() - began)
    _furnish(made)
    made.made = time.monotonic() - began
    return made


def remove(settings: Settings, id: str) -> None:
    """Nothing is left of a root whose mounts have ended."""
    place = settings.run / "roots" / id
    for name in ("root", "layer"):
        with suppress(OSError):
            (place / name).rmdir()
    drop(place / ".#root.lck")  # systemd-nspawn's, which it leaves when it is killed
    with suppress(OSError):
        place.rmdir()
    drop(settings.data / "scratch" / id)
    drop(settings.run / "ram" / id)


def left(settings: Settings) -> set[str]:
    """Ids of which there is something."""
    found: set[str] = set()
    for directory in (settings.run / "roots", settings.data / "scratch", settings.run / "ram"):
        if directory.is_dir():
            found |= {path.name for path in directory.iterdir() if not path.name.startswith(".")}
    return {id for id in found if not (id.startswith(BY_HAND) and Path(f"/proc/{id.removeprefix(BY_HAND)}").exists())}


def _reserve(settings: Settings, id: str) -> bool:
    """Take a root's share of the RAM for all of them, if it is there."""
    ram = settings.run / "ram"
    ram.mkdir(parents=True, exist_ok=True)
    with locked(settings.run / "ram.lock"):
        taken = sum(settings.root for path in ram.iterdir() if path.name != id and not path.name.startswith("."))
        if taken + settings.root > settings.ram:
            say(f"on disk: the {settings.ram >> 20} MiB of RAM for builds are taken")
            return False
        put(ram / id, "")
    return True


# ------------------------------------------------------------ what a root has beyond its tree

MAKEPKG = """\
. /etc/makepkg.conf.eyas
CARCH={arch}
CHOST={arch}-pc-linux-gnu
PACKAGER='{packager}'
PKGDEST=/build/out
SRCDEST=/build/sources
BUILDDIR=/build/tmp
PKGEXT=.pkg.tar.zst
BUILDENV=(!distcc !color !ccache check !sign)
MAKEFLAGS=-j{processors}
COMPRESSZST=(zstd -c -T0 -3 -)
"""

PACMAN = """\
[options]
Architecture = {arch}
SigLevel = Required DatabaseRequired
GPGDir = /etc/pacman.d/gnupg
DisableSandbox

[{name}]
Server = file:///repo
"""


def _furnish(root: Root) -> None:
    """The user that builds, settings of makepkg and pacman, the keys to trust, what counts as installed."""
    settings, at = root.settings, root.path
    for table, line in (
        ("passwd", f"build:x:{UID}:{UID}::/build:/bin/sh\n"),
        ("group", f"build:x:{UID}:\n"),
    ):
        with (at / "etc" / table).open("a") as file:
            file.write(line)
    (at / "etc/makepkg.conf").rename(at / "etc/makepkg.conf.eyas")
    values = {"arch": settings.arch, "packager": settings.packager.replace("'", ""), "name": settings.repository}
    (at / "etc/makepkg.conf").write_text(MAKEPKG.format(processors=os.cpu_count() or 1, **values))
    database = settings.pool / f"{settings.repository}.db"
    text = PACMAN.format(**values)
    (at / "etc/pacman.conf").write_text(text if database.exists() else text.partition(f"[{settings.repository}]")[0])
    if settings.keyring.is_dir():
        shutil.copytree(settings.keyring, at / "etc/pacman.d/gnupg", dirs_exist_ok=True)
    _installed(at, settings.provides)
    for name in ("", "work", "out", "sources", "tmp"):
        path = at / "build" / name
        path.mkdir(exist_ok=True)
        os.chown(path, UID, UID)


def _installed(at: Path, provides: Sequence[str]) -> None:
    """An entry of pacman's local database for what the tree brings by other means."""
    local = at / "var/lib/pacman/local"
    entry = local / "build-root-1-1"
    entry.mkdir(parents=True)
    (local / "ALPM_DB_VERSION").write_text("9\n")
    fields = {"NAME": ["build-root"], "VERSION": ["1-1"], "DESC": ["the tree that this root is made of"]}
    fields |= {"ARCH": ["any"], "PROVIDES": list(provides)}
    text = "\n".join(f"%{key}%\n" + "".join(f"{value}\n" for value in values) for key, values in fields.items())
    (entry / "desc").write_text(text)
    (entry / "files").write_text("%FILES%\n")


def give(root: Root, folder: Path) -> None:
    """A package's folder, as the directory to build in."""
    work = root.path / "build/work"
    shutil.copytree(folder, work, dirs_exist_ok=True)
    for directory, names, files in os.walk(work):
        for name in (".", *names, *files):
            os.chown(Path(directory) / name, UID, UID, follow_symlinks=False)
