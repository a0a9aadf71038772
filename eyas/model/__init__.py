"""The definitions: what a user may say. Typed, frozen values that remember the file and line that made them."""

from __future__ import annotations

from eyas.core.words import Impact
from eyas.model.base import Thing
from eyas.model.files import File, Link, Unit, User
from eyas.model.images import Image
from eyas.model.machines import Bridge, Container, Fleet, Forward, Host, Limits, Place, Root, Uplink
from eyas.model.merge import merged
from eyas.model.pieces import GRANTS, Backend, Bind, Probe, Site, System

MODELS: tuple[type[Thing], ...] = (
    Fleet, Host, Uplink, Bridge, Container, Image, Root, Limits, Bind, Forward, Probe,
    System, File, Link, Unit, User, Site, Backend,
)  # fmt: skip
"""Every class of the definitions, in the order of the manual."""


def impacts() -> dict[str, dict[str, Impact]]:
    """What a change of each field costs: ``impacts()["Limits"]["memory"]``."""
    from eyas.model.base import impact

    return {cls.__name__: {field: impact(cls, field) for field in cls.model_fields} for cls in MODELS}


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
    "Place",
    "Probe",
    "Root",
    "Site",
    "System",
    "Unit",
    "Uplink",
    "User",
    "impacts",
    "merged",
]
