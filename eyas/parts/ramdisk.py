"""RAM disks: file systems in memory, with an end."""

from __future__ import annotations

from eyas.core.ramdisks import SUFFIX
from eyas.model import System, Unit
from eyas.model.values import path as checked_path
from eyas.model.values import size as checked_size
from eyas.parts.given import given


def ram_disk(path: str, size: str | int, *, mode: int = 0o1777) -> System:
    """A file system in memory at ``path``, of ``size`` at most, empty at each start; ``mode`` of its folder.

    It counts as memory of its container. `eyas check` adds it up, `eyas status` shows when it is full.
    """
    place, most = given("ram_disk.path", path, checked_path), given("ram_disk.size", size, checked_size)
    text = f"""\
[Unit]
Description=RAM disk {place}
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target

[Mount]
What=tmpfs
Where={place}
Type=tmpfs
Options=size={most},mode={mode:04o},nosuid,nodev

[Install]
WantedBy=local-fs.target
"""
    return System(units={escaped(place): Unit(text)})


def escaped(path: str) -> str:
    """The name of a mount unit (systemd.unit(5), "string escaping for inclusion in unit names")."""
    plain = "".join(
        c if c.isascii() and (c.isalnum() or c in ":_.") and not (c == "." and i == 0) else "-" if c == "/" else _hex(c)
        for i, c in enumerate(path.strip("/"))
    )
    return (plain or "-") + SUFFIX


def _hex(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
