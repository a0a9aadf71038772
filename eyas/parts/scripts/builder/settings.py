"""What the builder was told, and where it keeps what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from .run import Refused

CONFIG = Path("/etc/eyas/builder.json")


@dataclass(frozen=True)
class Settings:
    """The keys of builder.json. Sizes are bytes, times seconds."""

    repository: str
    """Name of the repository: of its database, and of the section of pacman.conf(5)."""
    directory: Path
    """Where the repository is published; packages are below it, by architecture."""
    packages: Path = Path("/etc/eyas/packages")
    """A folder with a PKGBUILD for each package."""
    data: Path = Path("/var/lib/package-builder")
    cache: Path = Path("/var/cache/package-builder")
    signing: Path = Path("/etc/package-builder/signing")
    run: Path = Path("/run/package-builder")
    tree: Path = Path("/run/eyas-packages")
    """The read-only tree that clean roots are made of."""
    arch: str = "x86_64"
    jobs: int = 2
    ram: int = 4 << 30
    """All roots in RAM together."""
    root: int = 2 << 30
    """One root in RAM; what needs more is built on disk."""
    keep: int = 3
    """Versions of each package that stay."""
    timeout: int = 7200
    """Of one build."""
    retry: int = 60
    """First pause after an upstream that was absent; it doubles, up to an hour."""
    attempts: int = 5
    """How often a build is begun that dies from outside."""
    network: tuple[str, ...] = ()
    """Packages whose build() may use the network."""
    provides: tuple[str, ...] = ()
    """Dependencies that the root has anyhow."""
    sources: str = ""
    """Where a source cache is asked; '': everybody is asked by ourselves."""
    packager: str = "Package Builder <builder@localhost>"
    schedules: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    """By name: patterns of packages, and the priority of their builds."""

    @property
    def pool(self) -> Path:
        """The directory that pacman is given as a server."""
        return self.directory / self.arch

    @property
    def gnupg(self) -> Path:
        """Keys in RAM: gpg(1) wants to write beside them."""
        return self.run / "gnupg"

    @property
    def keyring(self) -> Path:
        """What pacman(8) in a root trusts."""
        return self.run / "keyring"

    def place(self, *names: str) -> Path:
        """A directory of the builder's own data."""
        path = self.data.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def known(self) -> list[str]:
        """Names of the packages that there are definitions of."""
        if not self.packages.is_dir():
            return []
        return sorted(path.name for path in self.packages.iterdir() if (path / "PKGBUILD").is_file())


def read(path: Path = CONFIG) -> Settings:
    """The settings. Raises Refused."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Refused(f"cannot read {path}: {error}") from error
    made = {}
    for one in fields(Settings):
        if one.name in found:
            value = found[one.name]
            if one.type == "Path":
                value = Path(value)
            elif one.name == "schedules":
                value = {name: (tuple(globs), priority) for name, (globs, priority) in value.items()}
            elif isinstance(value, list):
                value = tuple(value)
            made[one.name] = value
    return Settings(**made)
