"""Bootable images of disks (ISO 9660) from Debian's kernel, GRUB and a tree of files."""

from __future__ import annotations

from eyas.model import Bind, System
from eyas.parts.common import LIB, script


def iso_images(directory: str, *, target: str = "/srv/isos") -> System:
    """The tools for bootable images, and ``iso-build OUTPUT INIT [TREE]``, which makes one.

    It boots Debian's kernel with a first process that is the shell script INIT; TREE travels along as a file system
    in an image file (``/live/root.img``), made on a loop device. ``directory`` of the host keeps what is put into
    ``target``. Needs the grant ``loop``, which this part asks for.
    """
    return System(
        packages=[
            "linux-image-cloud-amd64",
            "grub-pc-bin",
            "grub-common",
            "xorriso",
            "mtools",
            "busybox-static",
            "cpio",
        ],
        files={f"{LIB}/iso-build": script("iso-build")},
        binds=[Bind(directory, target, persistent=True)],
        grants=["loop"],
    )
