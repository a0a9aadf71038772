"""The definitions: what a user may say. Typed, frozen values that remember the file and line that made them.

Names are looked up when asked for, so that ``eyas.model.cache`` can be had without the models.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Any

    from eyas.model.files import File, Link, Unit, User
    from eyas.model.images import Image
    from eyas.model.loader import Loaded, load
    from eyas.model.machines import Bridge, Container, Fleet, Forward, Host, Limits, Place, Root, Uplink
    from eyas.model.merge import merged
    from eyas.model.pieces import GRANTS, Backend, Bind, Probe, Site, System
    from eyas.model.rules import check
    from eyas.model.schema import MODELS, impacts

_HOMES = {
    "rules": "check",
    "files": "File Link Unit User",
    "images": "Image",
    "loader": "Loaded load",
    "machines": "Bridge Container Fleet Forward Host Limits Place Root Uplink",
    "merge": "merged",
    "pieces": "GRANTS Backend Bind Probe Site System",
    "schema": "MODELS impacts",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "GRANTS",
    "MODELS",
    "Backend",
    "Bind",
    "Bridge",
    "Container",
    "File",
    "Fleet",
    "Forward",
    "Host",
    "Image",
    "Limits",
    "Link",
    "Loaded",
    "Place",
    "Probe",
    "Root",
    "Site",
    "System",
    "Unit",
    "Uplink",
    "User",
    "check",
    "impacts",
    "load",
    "merged",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"eyas.model.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'eyas.model' has no attribute {name!r}")
