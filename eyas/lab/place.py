"""Where everything of a lab lives, and what it is called: every name derives from the fleet's directory.

So `lab down` finds what a killed `lab up` left behind without having to trust what was noted.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path


def labs_root() -> Path:
    """The directory of all labs: EYAS_LAB_STATE, else /var/lib/eyas-lab."""
    return Path(os.environ.get("EYAS_LAB_STATE") or "/var/lib/eyas-lab").absolute()


def lab_id(directory: Path) -> str:
    """The name of the lab of a fleet directory: its last component, and eight digits of its whole path's digest."""
    whole = str(directory.resolve())
    short = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-")[:20].strip("-") or "fleet"
    return f"{short}-{_digest(whole)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Place:
    """Paths and names of one lab. ``base`` is the directory of all labs."""

    id: str
    base: Path

    @classmethod
    def of(cls, directory: Path) -> Place:
        """The place of the lab of a fleet directory."""
        return cls(lab_id(directory), labs_root())

    @property
    def path(self) -> Path:
        return self.base / self.id

    @property
    def state(self) -> Path:
        """What the lab is to be: its directory and its hosts."""
        return self.path / "lab.json"

    @property
    def lock(self) -> Path:
        return self.base / f".{self.id}.lock"

    @property
    def authority(self) -> Path:
        return self.path / "authority"

    @property
    def prefix(self) -> str:
        """What the names of the lab's network namespaces and machines start with."""
        return f"eyas-{self.id}-"

    @property
    def internet(self) -> str:
        """The network namespace that plays the internet."""
        return f"{self.prefix}internet"

    @property
    def etc(self) -> Path:
        """What `ip netns exec` binds over /etc for commands in the internet (ip-netns(8))."""
        return Path("/etc/netns") / self.internet

    @property
    def public_names(self) -> Path:
        """The names that clients in the internet resolve, as they were set last."""
        return self.path / "public-names.json"

    @property
    def kept_names(self) -> Path:
        """Names of others in the internet, which stay when those are set anew."""
        return self.path / "kept-names.json"

    @property
    def outer_link(self) -> str:
        """The interface by which this machine reaches the lab's internet (at most 15 characters)."""
        return f"eyas-{_digest(self.id)}"

    @property
    def cgroup(self) -> str:
        """The control group of the lab, relative to the root of each hierarchy."""
        return f"eyas-lab-{self.id}"

    def host(self, name: str) -> HostPlace:
        return HostPlace(self, name)


@dataclass(frozen=True)
class HostPlace:
    """Paths and names of one host of a lab."""

    lab: Place
    name: str

    @property
    def path(self) -> Path:
        return self.lab.path / self.name

    @property
    def root(self) -> Path:
        """The host's disk."""
        return self.path / "root"

    @property
    def console(self) -> Path:
        return self.path / "console.log"

    @property
    def state(self) -> Path:
        """What the keeper says about the running machine."""
        return self.path / "machine.json"

    @property
    def settings(self) -> Path:
        """What the keeper reads: how to boot the machine."""
        return self.path / "boot.json"

    @property
    def namespace(self) -> str:
        """The network namespace of the host."""
        return f"{self.lab.prefix}{self.name}"

    @property
    def machine(self) -> str:
        """The name that the outer systemd-nspawn knows the host by (at most 64 characters)."""
        name = self.namespace
        return name if len(name) <= 64 else f"{name[:55]}-{_digest(name)}"

    @property
    def port(self) -> str:
        """The internet's end of the host's wire (at most 15 characters)."""
        return f"w-{_digest(self.name)}"

    @property
    def cgroup(self) -> str:
        return f"{self.lab.cgroup}/{self.name}"


def all_places(base: Path) -> list[Place]:
    """The places of all labs, also of one that was half taken away and whose definitions nobody knows any more."""
    names = [path.name for path in sorted(base.iterdir()) if path.is_dir()] if base.is_dir() else []
    return [Place(name, base) for name in names if re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{8}", name)]
