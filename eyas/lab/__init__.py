"""The lab: each host of a fleet booted as a systemd machine of its own, beside an internet, on one machine.

A lab host is a systemd-nspawn machine with all capabilities in a network namespace of its own; what manages it
stays outside and reaches it through `Lab.command`, as it would reach a server through SSH.
"""

from eyas.lab.lab import Lab, LabSummary, down, find, list_labs, remove_orphans, up
from eyas.lab.place import Place
from eyas.lab.spec import LabHost
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
    "remove_orphans",
    "up",
]
