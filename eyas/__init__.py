"""eyas: servers of systemd-nspawn containers from Python definitions.

What a definition needs is imported from here. The names are looked up when asked for, so that commands which need no
definitions do not load the machinery behind them.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import every start of eyas would pay for
if TYPE_CHECKING:
    from typing import Any

    from eyas.model import (
        SECURE,
        Acme,
        Answer,
        Backend,
        Bind,
        Bridge,
        Certificate,
        Check,
        Choose,
        Client,
        Container,
        Dns,
        Egress,
        File,
        Fleet,
        Forward,
        Host,
        Identity,
        Image,
        Limits,
        Link,
        Linked,
        Location,
        Login,
        Open,
        Pool,
        Probe,
        Proxy,
        Redirect,
        Rewrite,
        Root,
        Site,
        Static,
        System,
        Trust,
        Unit,
        Uplink,
        Upstream,
        User,
        Zone,
    )

__version__ = "0.1.0"

__all__ = [
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
    "Location",
    "Login",
    "Open",
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
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from eyas import model

        return getattr(model, name)
    raise AttributeError(f"module 'eyas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
