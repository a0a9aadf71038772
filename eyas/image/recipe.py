"""What an image is made of, before anything is looked up: names, not versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BASE_PACKAGES: tuple[str, ...] = (
    "apt",  # people try things in a container, and it is what installs the packages above the base
    "systemd",
    "systemd-sysv",  # /sbin/init
    "dbus",  # machinectl shell, systemctl -M, busctl
    "iproute2",  # the address inside is set with ip -batch
    "ca-certificates",
    "passwd",  # useradd and chpasswd, in maintainer scripts
    "login",
)
"""What every Debian image holds beyond Debian's essential packages: an init, a bus, an address, trust in TLS."""


@dataclass(frozen=True)
class Recipe:
    """How to make one image.

    ``shared`` are the packages of the image that this one extends: whoever shares the same ones (and the suite)
    shares the work of installing them, and the files. ``packages`` are all packages, ``shared`` included or not.
    ``npm`` and ``pip`` are requirements such as ``meshcentral@1.1.x`` and ``flask==3.*``; ``tarball`` is the path of
    a root file system for the kind "tarball". ``origins`` says for a package (or npm or pip requirement) which line
    of the definitions asked for it ("fleet.py:14"); it never influences a build.
    """

    name: str
    kind: str = "debian"
    suite: str = "trixie"
    packages: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    tarball: str = ""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    shared: tuple[str, ...] = ()

    def requests(self) -> tuple[tuple[str, ...], ...]:
        """The packages asked for, layer by layer from the base up, sorted, without repetitions."""
        base = frozenset(BASE_PACKAGES)
        shared = frozenset(self.shared) - base
        own = frozenset(self.packages) - base - shared
        layers = [tuple(sorted(base)), tuple(sorted(shared)), tuple(sorted(own))]
        return (layers[0], *(layer for layer in layers[1:] if layer))
