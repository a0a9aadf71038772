"""The lab: each host of a fleet booted as a systemd machine of its own, beside an internet, on one machine.

A lab host is a systemd-nspawn machine with all capabilities in a network namespace of its own; what manages it
stays outside and reaches it through `Lab.command`, as it would reach a server through SSH.

- `up`, `down`, `remove_orphans`: the life of a lab.
- `find`, `list_labs`: labs that there are. A `Lab` gives commands that reach its hosts and its internet, and can cut
  their power, boot and reboot them, block their wires, and name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyas.lab.lab import Lab, LabSummary, find, list_labs
from eyas.lab.place import Place
from eyas.lab.spec import LabHost

if TYPE_CHECKING:
    from eyas.lab.life import down, remove, remove_orphans, up
    from eyas.lab.tree import LAB_PACKAGES, StoreTree

__all__ = [
    "LAB_PACKAGES",
    "Lab",
    "LabHost",
    "LabSummary",
    "Place",
    "StoreTree",
    "down",
    "find",
    "list_labs",
    "remove",
    "remove_orphans",
    "up",
]

_LATER = dict.fromkeys(("down", "remove", "remove_orphans", "up"), "life")
_LATER |= dict.fromkeys(("LAB_PACKAGES", "StoreTree"), "tree")


def __getattr__(name: str) -> object:
    """What only a lab's life needs is imported when it is asked for: every command to a lab host comes through here."""
    if name not in _LATER:
        raise AttributeError(name)
    import importlib

    return getattr(importlib.import_module(f"eyas.lab.{_LATER[name]}"), name)
