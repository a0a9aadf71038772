"""The agent as files: what is put on a host, under which digest, and how it gets there.

    /usr/local/lib/eyas/agent/<digest>/run.py       the launcher; python3 -I -S has no other path to our modules
                                      eyas/...      core, kind, apply, host, remote: standard library only
    /usr/local/lib/eyas/agent/current -> <digest>   for the boot (eyas-recover.service)

A digest stands for the content, so an agent is never changed in place, and two operators with two versions of eyas do
not disturb each other. Everything is synced: after a power cut the agent is what puts the host back. Modules are
compiled on the host, by its own Python, once (`argv("compile")`); later starts write nothing (-B).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import eyas
from eyas.core import paths
from eyas.core.errors import Failed
from eyas.host.disk import sync_folder, sync_tree

FOLDER = f"{paths.PROGRAMS}/agent"
PARTS = ("core", "kind", "apply", "host", "remote/agent")
SINGLE = ("remote/__init__.py", "remote/protocol.py")
SUFFIXES = (".py", ".sh")
KEEP = 3  # agents that stay: the current one and the last before

# The package's own __init__ offers what definitions need, which is not on a host.
TOP = f'"""eyas on a host: the agent."""\n\n__version__ = "{eyas.__version__}"\n'

LAUNCHER = '''\
"""Start of the agent: python3 -I -S -B run.py serve | recover [--boot] [--accept] | compile"""
import os
import sys


class Brief:
    """Stands for inspect while dataclasses is imported: writing the signatures of our classes into docstrings that
    nobody reads on a host, and importing what can, takes a quarter of the start. What another release of Python asks
    of it besides is had from the real one."""

    __spec__ = None  # asked for by every import of it, and not worth the real one
    signature = staticmethod(lambda *_args, **_more: "")
    unwrap = staticmethod(lambda function, **_more: function)
    get_annotations = staticmethod(lambda cls, **_more: cls.__dict__.get("__annotations__", {}))

    def __getattr__(self, name):
        sys.modules.pop("inspect", None)
        import inspect

        return getattr(inspect, name)


sys.modules["inspect"] = Brief()
import dataclasses

sys.modules.pop("inspect", None)  # whoever imports it later gets the real one

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from eyas.remote.agent.__main__ import main

sys.exit(main(sys.argv[1:]))
'''


@cache
def files() -> Mapping[str, bytes]:
    """Every file of the agent by its path below the digest's folder."""
    package = Path(eyas.__file__).parent
    found = {f"eyas/{name}": (package / name).read_bytes() for name in SINGLE}
    for part in PARTS:
        for path in _below(package / part):
            found[f"eyas/{path.relative_to(package)}"] = path.read_bytes()
    found["eyas/__init__.py"] = TOP.encode()
    found["run.py"] = LAUNCHER.encode()
    return dict(sorted(found.items()))


def _below(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(base, name) for name in sorted(names) if name.endswith(SUFFIXES))


def folders() -> list[str]:
    """The folders of the package that the agent is made from: when no file in them changed, neither did the agent."""
    package = Path(eyas.__file__).parent
    roots = [package / part for part in (*PARTS, "remote")]
    return sorted({base for root in roots for base, _, _ in os.walk(root) if not base.endswith("__pycache__")})


@cache
def digest() -> str:
    """What an agent of this version is called: the first 16 hex digits of a SHA-256 over paths and contents."""
    sum_ = hashlib.sha256()
    for path, data in files().items():
        sum_.update(f"{path}\0{len(data)}\0".encode() + data)
    return sum_.hexdigest()[:16]


def launcher() -> str:
    """Path of this version's launcher on a host."""
    return f"{FOLDER}/{digest()}/run.py"


def argv(*words: str) -> list[str]:
    """The command that starts this version on a host: isolated (-I), without site packages (-S), writing no
    bytecode (-B)."""
    return ["/usr/bin/python3", "-I", "-S", "-B", launcher(), *words]


def installed(root: Path) -> bool:
    """Whether a host whose root is at ``root`` has this version."""
    return _inside(root, launcher()).is_file()


def install(root: Path) -> None:
    """Put this version on a host whose root is reachable as files, and make it the current one; old ones go.
    The caller compiles it there (`argv("compile")`). Failed when the root cannot be written.
    """
    folder = _inside(root, FOLDER)
    try:
        target = folder / digest()
        if not target.is_dir():
            _write(folder, target)
        _point(folder, digest())
        _prune(folder)
    except OSError as error:
        raise Failed(
            f"cannot install the agent in {folder}: {error.strerror or error}",
            "eyas manages a host as its root user",
        ) from error


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _write(folder: Path, target: Path) -> None:
    """All files in a new folder, which gets its name last: whoever finds the name finds all of it."""
    new = folder / f".{target.name}.{os.getpid()}"
    shutil.rmtree(new, ignore_errors=True)
    for path, data in files().items():
        place = new / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(0o644)
    sync_tree(new)
    try:
        new.rename(target)
    except OSError:
        if not target.is_dir():  # not somebody else who was faster
            raise
        shutil.rmtree(new, ignore_errors=True)
    sync_folder(folder)


def _point(folder: Path, name: str) -> None:
    link = folder / "current"
    if link.is_symlink() and str(link.readlink()) == name:
        return
    new = folder / f".current.{os.getpid()}"
    new.unlink(missing_ok=True)
    new.symlink_to(name)
    new.rename(link)
    sync_folder(folder)


def _prune(folder: Path) -> None:
    """Remove agents but the newest ones. One that runs has loaded what it needs, or is younger than that."""
    agents = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    agents.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in agents[KEEP:]:
        if path.name != digest():
            shutil.rmtree(path, ignore_errors=True)
