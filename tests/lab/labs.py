"""What tests of labs share by import: conftest.py of another folder may stand for the name ``conftest``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from eyas.lab import Lab, LabHost

GARUDA = LabHost(
    "immortalis",
    addresses=("203.0.113.112/26", "2001:db8:5:1::2/64"),
    gateways=("203.0.113.65", "fe80::1"),
)

LabMaker: TypeAlias = Callable[..., Lab]
