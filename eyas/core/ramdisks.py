"""RAM disks of a container: mount units of type tmpfs among its configuration, with a size. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

UNITS = "/etc/systemd/system/"
SUFFIX = ".mount"
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class RamDisk(NamedTuple):
    """Where it is in its container, and how much it holds; ``size`` is in bytes, 0 for no limit of its own."""

    path: str
    size: int


def ram_disk(text: str) -> RamDisk | None:
    """What a mount unit (systemd.mount(5)) declares; None for one of another file system.

    Sizes are as tmpfs(5) reads them; one in per cent of the host's memory counts as none.
    """
    rows = {
        key.strip(): value.strip() for key, _, value in (line.partition("=") for line in text.splitlines()) if value
    }
    if rows.get("Type") != "tmpfs" or not rows.get("Where"):
        return None
    size = 0
    for option in rows.get("Options", "").split(","):
        if found := re.fullmatch(r"size=(\d+)([kmg]?)", option.strip(), re.IGNORECASE):
            size = int(found[1]) * _SIZES[found[2].lower()]
    return RamDisk(rows["Where"], size)
