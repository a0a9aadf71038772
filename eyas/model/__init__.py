"""The definitions: what a user may say. Typed, frozen values that remember the file and line that made them.

Names are looked up when asked for, so that ``eyas.model.cache`` can be had without the models.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Any

    from eyas.model.answers import Answer, Backend, Choose, Linked, Proxy, Redirect, Rewrite, Static, Upstream
    from eyas.model.certificates import Acme, Certificate, Dns, Zone
    from eyas.model.checks import Check
    from eyas.model.egress import Egress, Pool
    from eyas.model.files import File, Link, Unit, User
    from eyas.model.images import Image
    from eyas.model.loader import Loaded, load
    from eyas.model.machines import Container, Fleet, Host, Limits, Place, Root
    from eyas.model.merge import merged
    from eyas.model.pieces import GRANTS, Bind, Probe, System
    from eyas.model.rules import check
    from eyas.model.schema import MODELS, impacts
    from eyas.model.sites import SECURE, Identity, Location, Login, Site, Trust
    from eyas.model.wiring import Bridge, Client, Forward, Open, Uplink

_HOMES = {
    "rules": "check",
    "checks": "Check",
    "certificates": "Acme Certificate Dns Zone",
    "egress": "Egress Pool",
    "files": "File Link Unit User",
    "images": "Image",
    "loader": "Loaded load",
    "machines": "Container Fleet Host Limits Place Root",
    "merge": "merged",
    "pieces": "GRANTS Bind Probe System",
    "sites": "SECURE Identity Location Login Site Trust",
    "answers": "Answer Backend Choose Linked Proxy Redirect Rewrite Static Upstream",
    "schema": "MODELS impacts",
    "wiring": "Bridge Client Forward Open Uplink",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "GRANTS",
    "MODELS",
    "SECURE",
    "Acme",
    "Answer",
    "Backend",
    "Bind",
    "Bridge",
    "Certificate",
    "Check",
    "Choose",
    "Client",
    "Container",
    "Dns",
    "Egress",
    "File",
    "Fleet",
    "Forward",
    "Host",
    "Identity",
    "Image",
    "Limits",
    "Link",
    "Linked",
    "Loaded",
    "Location",
    "Login",
    "Open",
    "Place",
    "Pool",
    "Probe",
    "Proxy",
    "Redirect",
    "Rewrite",
    "Root",
    "Site",
    "Static",
    "System",
    "Trust",
    "Unit",
    "Uplink",
    "Upstream",
    "User",
    "Zone",
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
