"""Certificates by ACME (RFC 8555): which names, from which authority, how a name is proved to be ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from eyas.core.words import Impact
from eyas.model.base import Thing
from eyas.model.values import AbsolutePath, Domain, Made, Many, Port, Seconds, UnitName, Words, refuse

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


def _url(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"https://[^\s/]+(/\S*)?", value):
        return refuse("the directory of an authority is an https URL", f'write it like "{LETS_ENCRYPT}"')
    return value


def _mail(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[^@\s,:]+@[^@\s,:]+\.[^@\s,:]+", value):
        return refuse("it is no mail address", 'write it like "admin@example.org"')
    return value


def _label(value: object) -> object:
    """What a folder and a resource can be called."""
    if isinstance(value, str) and not re.fullmatch(r"[a-z0-9_]([a-z0-9._-]{0,200}[a-z0-9])?", value):
        return refuse("the name of a certificate is made of a-z, 0-9, ., - and _", "its DNS names are given after it")
    return value


Url: TypeAlias = Annotated[str, BeforeValidator(_url), Words("an https URL", "https URLs")]
Mail: TypeAlias = Annotated[str, BeforeValidator(_mail), Words("a mail address")]
Label: TypeAlias = Annotated[str, BeforeValidator(_label), Words("a name (a-z, 0-9, ., - and _)", "names")]


class Zone(Thing):
    """A DNS zone in which proofs are written: by dynamic update (RFC 2136), or by a program of yours."""

    positional: ClassVar[tuple[str, ...]] = ("name",)

    name: Annotated[Domain, Impact.live] = Field(description="name of the zone")
    server: Annotated[str | None, Impact.live] = Field(
        None, description="address or name of the name server that takes updates"
    )
    port: Annotated[Port, Impact.live] = Field(53, description="its port")
    key: Annotated[AbsolutePath | None, Impact.live] = Field(
        None, description="file on the host with the TSIG key, as tsig-keygen(8) writes it, mode 0600"
    )
    program: Annotated[AbsolutePath | None, Impact.live] = Field(
        None, description="program on the host that adds and removes records, for other providers"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            *,
            server: str | None = None,
            port: int = 53,
            key: str | None = None,
            program: str | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _one_way(self) -> Zone:
        if self.program is None and (self.server is None or self.key is None):
            refuse(
                f"nobody could write to the zone {self.name}",
                'give it a server and a key, or a program: Zone("example.org", server="203.0.113.53", key="/etc/...")',
            )
        if self.program is not None and (self.server is not None or self.key is not None):
            refuse("a zone has a server with a key, or a program", "leave one out")
        return self


class Dns(Thing):
    """Proof by DNS: the only one for wildcards, and for names that do not lead to this host."""

    variadic: ClassVar[str] = "zones"

    zones: Annotated[Many[Made[Zone]], Impact.live] = Field(description="the zones of the names")
    wait: Annotated[Seconds, Impact.live] = Field(
        120, description="how long all name servers of a zone may take to show a record"
    )

    if TYPE_CHECKING:

        def __init__(self, *zones: Zone, wait: str | int = 120) -> None: ...

    @model_validator(mode="after")
    def _some(self) -> Dns:
        if not self.zones:
            refuse("proof by DNS needs at least one zone", 'write Dns(Zone("example.org", ...))')
        return self

    def zone(self, name: str) -> Zone | None:
        """The zone that the proof for a name is written to."""
        labels = ("_acme-challenge." + name.removeprefix("*.")).split(".")
        known = {zone.name: zone for zone in self.zones}
        return next((known[rest] for i in range(len(labels)) if (rest := ".".join(labels[i:])) in known), None)


def _challenge(value: object) -> object:
    if isinstance(value, Dns) or value == "http":
        return value
    return refuse('allowed is "http" or Dns(...)', 'write challenge=Dns(Zone("example.org", ...))')


Challenge: TypeAlias = Annotated[Any, BeforeValidator(_challenge), Words('"http" or a Dns')]


class Acme(Thing):
    """An authority that issues by ACME. To name one is to agree to its terms of service."""

    positional: ClassVar[tuple[str, ...]] = ("directory",)

    directory: Annotated[Url, Impact.reload] = Field(
        LETS_ENCRYPT, description="URL of its directory; its staging and private authorities are others"
    )
    email: Annotated[Mail | None, Impact.live] = Field(None, description="where it writes to when something is wrong")
    challenge: Annotated[Challenge, Impact.live] = Field("http", description="how names are proved to be ours")
    ca: Annotated[AbsolutePath | None, Impact.live] = Field(
        None, description="file on the host with the roots by which the directory itself is trusted"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            directory: str = "https://acme-v02.api.letsencrypt.org/directory",
            *,
            email: str | None = None,
            challenge: str | Dns = "http",
            ca: str | None = None,
        ) -> None: ...


class Certificate(Thing):
    """A certificate and its key on the host, shown to the containers that use it; one order, however many they are."""

    positional: ClassVar[tuple[str, ...]] = ("name", "names", "authority")

    name: Annotated[Label, Impact.live] = Field(description="what it is called on the host and in containers")
    names: Annotated[Many[Domain], Impact.reload] = Field(description="DNS names; a wildcard needs proof by DNS")
    authority: Annotated[Made[Acme], Impact.reload] = Field(description="who issues it")

    if TYPE_CHECKING:

        def __init__(self, name: str, names: Iterable[str], authority: Acme) -> None: ...

    @model_validator(mode="after")
    def _some(self) -> Certificate:
        if not self.names:
            refuse("a certificate needs at least one DNS name")
        return self

    def used(self, reload: Iterable[str]) -> Use:
        """The same with the units in the container that read it anew when it is renewed."""
        return Use(self, reload=reload)

    def covers(self, name: str) -> bool:
        """Whether the certificate is good for a name (RFC 9525, 6.3: a wildcard stands for one label)."""
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names

    @property
    def folder(self) -> str:
        """Where a container that uses it finds ``fullchain.pem`` and ``key.pem``."""
        from eyas.core import paths

        return f"{paths.SEEN}/{self.name}/current"


class Use(Thing):
    """A certificate in a container, and who reads it there: made by `Certificate.used`."""

    positional: ClassVar[tuple[str, ...]] = ("certificate",)

    certificate: Annotated[Made[Certificate], Impact.live] = Field(description="the certificate")
    reload: Annotated[Many[UnitName], Impact.live] = Field(
        (), description="units in the container that are reloaded when it is renewed"
    )

    if TYPE_CHECKING:

        def __init__(self, certificate: Certificate, *, reload: Iterable[str] = ()) -> None: ...

    def __hash__(self) -> int:
        return hash((self.certificate.name, self.reload))


def uses(value: object) -> object:
    """A certificate stands for its use by nobody who had to reload."""
    from eyas.model.values import several

    value = several([value] if isinstance(value, Certificate | Use) else value)
    if not isinstance(value, tuple):
        return value
    return tuple(Use(item) if isinstance(item, Certificate) else item for item in value)


UsedCertificates: TypeAlias = Annotated[tuple[Made[Use], ...], BeforeValidator(uses), Words("a list of certificates")]
