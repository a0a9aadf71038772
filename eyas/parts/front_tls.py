"""Certificates of the front: one for each site, by an authority that looks at us, or the private one of the front.

With an authority (``front(..., certificates=Acme(...))``) every site has a certificate of its own, named as the site; a
site can have another one instead (``Site(certificate=...)``), which several may share. What serves unknown names, and
shows who is spoken to by HTTP/3, is made in the front at each start; nobody is to trust it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from eyas.core import paths
from eyas.model import Acme, Certificate
from eyas.model.certificates import Use
from eyas.parts.nginx import SERVICE

OWN = "/var/lib/eyas-front"
"""Where the front keeps what it makes itself, when nothing is given to it."""

CHALLENGES = f"""\
# Answers to authorities that issue certificates, written by the host.
location ^~ /.well-known/acme-challenge/ {{
    alias {paths.SEEN}/{paths.CHALLENGES}/;
    default_type text/plain;
    auth_basic off;
    allow all;
    access_log off;
}}
"""


class Named(Protocol):
    """What is to be known of a site here."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def certificate(self) -> Certificate | None: ...


def directory_of(certificates: str | Acme) -> str:
    """Where the front's own authority keeps its things."""
    return certificates if isinstance(certificates, str) else OWN


def certificate_of(site: Named, certificates: str | Acme) -> Certificate | None:
    """The certificate of a site; None for the one of the front's own authority."""
    if site.certificate is not None or isinstance(certificates, str):
        return site.certificate
    names = tuple(dict.fromkeys((site.name, *site.aliases)))
    made = Certificate(site.name.replace("*", "any"), names, certificates)
    made.__dict__["_origin"] = getattr(site, "origin", "")  # the line to look at is that of the site
    return made


def uses_of(sites: Iterable[Named], certificates: str | Acme) -> list[Use]:
    """All certificates of these sites, each once; nginx reads them anew by a reload."""
    found = (certificate_of(site, certificates) for site in sites)
    return list({made.name: Use(made, reload=[SERVICE]) for made in found if made is not None}.values())


def own_names(sites: Iterable[Named], certificates: str | Acme) -> list[str]:
    """Names that the front's own authority issues for."""
    left = (site for site in sites if certificate_of(site, certificates) is None)
    return sorted({name for site in left for name in (site.name, *site.aliases)}) or ["localhost"]


def tls_lines(site: Named, certificates: str | Acme) -> list[str]:
    """The lines of a site's server with TLS that say which certificate it shows; none for the one of all."""
    made = certificate_of(site, certificates)
    if made is None:
        return []
    return [f"ssl_certificate     {made.folder}/fullchain.pem;", f"ssl_certificate_key {made.folder}/key.pem;"]
