"""Names of the web and what answers to them: sites made of locations, given to a part such as ``front``.

Site("mesh.example.org", to=mesh.port(22260), timeout="1h")
Site("example.org", Static("/srv/www", fallback="/index.html"), expires="10m")
Site("example.org", Location("/", Static("/srv/www")), Location("/api", Proxy(app.port(8000))), aliases=["..."])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from eyas.core.words import Impact
from eyas.model.answers import ANSWERS, Answers, AnyAnswer, Backend, Proxy, Upstream, backends
from eyas.model.base import Thing
from eyas.model.certificates import Certificate
from eyas.model.site_values import (
    HeaderName,
    Headers,
    Lifetime,
    Methods,
    Raw,
    Sources,
    Text,
    Upload,
)
from eyas.model.values import AbsolutePath, Domain, Made, Many, Port, Seconds, Words, refuse, several

if TYPE_CHECKING:
    from eyas.model.machines import Container

SECURE: Mapping[str, str] = {
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
"""Headers that a browser takes as a wish for caution; ``headers={**SECURE, "X-Frame-Options": "DENY"}``."""


def _hashes(value: object) -> object:
    if isinstance(value, Mapping):
        for name, text in value.items():
            if not isinstance(name, str) or not re.fullmatch(r"[^:\s]+", name):
                refuse(f"{name!r} is no name to log in with")
            if not isinstance(text, str) or not re.fullmatch(r"\$[0-9a-z]+\$[^:\s]+|\{SSHA\}\S+", text):
                refuse(f"the password of {name} is not hashed", "write what `openssl passwd -6` says")
    return value


class Login(Thing):
    """A name and a password that the browser asks for (HTTP basic authentication)."""

    positional: ClassVar[tuple[str, ...]] = ("realm",)

    realm: Annotated[Text, Impact.reload] = Field("restricted", description="what browsers show")
    users: Annotated[
        dict[str, str], BeforeValidator(_hashes), Words("a mapping of names to hashed passwords"), Impact.reload
    ] = Field(default_factory=dict, description="who may, with hashes as of `openssl passwd -6`")
    file: Annotated[AbsolutePath | None, Impact.reload] = Field(
        None, description="file in the front that says so instead (htpasswd), readable for www-data"
    )

    if TYPE_CHECKING:

        def __init__(
            self, realm: str = "restricted", *, users: Mapping[str, str] = ..., file: str | None = None
        ) -> None: ...

    @model_validator(mode="after")
    def _one(self) -> Login:
        if bool(self.users) == bool(self.file):
            refuse("it takes users or a file", 'write Login(users={"anna": "$6$..."})')
        return self


class Trust(Thing):
    """Whose word is taken about the visitor's address: other proxies, such as those of a delivery network."""

    positional: ClassVar[tuple[str, ...]] = ("sources", "header")

    sources: Annotated[Sources, Impact.reload] = Field(description="where they connect from")
    header: Annotated[HeaderName, Impact.reload] = Field(
        "X-Forwarded-For", description="the header in which they say it; believed from them alone"
    )

    if TYPE_CHECKING:

        def __init__(self, sources: Iterable[str | Container] | Container, header: str = "X-Forwarded-For") -> None: ...

    @model_validator(mode="after")
    def _not_all(self) -> Trust:
        if any(source.endswith("/0") for source in self.sources):
            refuse("everybody could choose an address then", "name the networks of the proxies")
        return self


class Identity(Thing):
    """Who the visitor is, told to the backend in a header; requests of nobody are answered with 403. What visitors
    claim in that header themselves never gets to the backend."""

    positional: ClassVar[tuple[str, ...]] = ("header",)

    header: Annotated[HeaderName, Impact.reload] = Field(description="header that the backend reads")
    by: Annotated[Literal["header", "certificate", "login"], Impact.reload] = Field(
        "login",
        description="how it is known: a header of the tunnel or proxy before us, the common name of the visitor's "
        "certificate, or the name of the login",
    )
    source: Annotated[HeaderName | None, Impact.reload] = Field(
        None, description="the header in which the tunnel or proxy says it; believed from it alone"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            header: str,
            *,
            by: Literal["header", "certificate", "login"] = "login",
            source: str | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _complete(self) -> Identity:
        if (self.by == "header") != (self.source is not None):
            refuse('the header that says it goes with by="header"', 'write Identity("X-User", by="header", source=...)')
        return self


def _trust(value: object) -> object:
    """Networks or containers, as Trust."""
    from eyas.model.machines import Container

    if isinstance(value, Trust) or value is None:
        return value
    value = several([value] if isinstance(value, Container) else value)
    return Trust(value) if value else None  # type: ignore[arg-type]


class Settings(Thing):
    """What can be said of a site and of one of its locations; the location's word wins, None is the site's."""

    allow: Annotated[Sources, Impact.reload] = Field((), description="only these may; others get 403")
    deny: Annotated[Sources, Impact.reload] = Field((), description="these may not: they get 403")
    login: Annotated[Made[Login] | Literal[False] | None, Impact.reload] = Field(
        None, description="who has to log in; False is nobody"
    )
    methods: Annotated[Methods, Impact.reload] = Field((), description="only these; others get 405")
    upload: Annotated[Upload | None, Impact.reload] = Field(
        None, description="largest upload, passed on while it comes in; None is the front's default, collected first"
    )
    timeout: Annotated[Seconds | None, Impact.reload] = Field(
        None, description="how long the backend may be silent; None is 60 s"
    )
    buffering: Annotated[bool | None, Impact.reload] = Field(
        None, description="collect answers before passing them on; False for event streams"
    )
    headers: Annotated[Headers, Impact.reload] = Field(
        default_factory=dict, description="headers of answers, in place of the backend's own; see SECURE"
    )
    expires: Annotated[Lifetime | None, Impact.reload] = Field(
        None, description='how long browsers may keep answers; by kind: {"text/html": "never", ".css": "30d"}'
    )
    identity: Annotated[Made[Identity] | None, Impact.reload] = Field(
        None, description="the backend is told who the visitor is"
    )
    access_log: Annotated[bool | None, Impact.reload] = Field(
        None, description="write requests to the site's access log; None is yes"
    )
    extra: Annotated[Raw, Impact.reload] = Field("", description="further nginx lines, for its server or location")


class Location(Settings):
    """What answers below a path of a site. ``Location.exact(path, ...)``, ``Location.regex(pattern, ...)``."""

    positional: ClassVar[tuple[str, ...]] = ("path", "answer")

    path: Annotated[Text, Impact.reload] = Field(description="the path, or the regular expression")
    answer: Annotated[AnyAnswer, Impact.reload] = Field(description="what answers")
    match: Annotated[Literal["prefix", "exact", "regex", "regex-any-case"], Impact.reload] = Field(
        "prefix",
        description="the path and all below, this path alone, or a regular expression: exact paths win, then "
        "expressions in their order, then the longest prefix",
    )
    internal: Annotated[bool, Impact.reload] = Field(
        False, description="not for visitors: a backend leads here (X-Accel-Redirect)"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            path: str,
            answer: Answers,
            *,
            match: Literal["prefix", "exact", "regex", "regex-any-case"] = "prefix",
            internal: bool = False,
            allow: Iterable[str | Container] = (),
            deny: Iterable[str | Container] = (),
            login: Login | Literal[False] | None = None,
            methods: Iterable[str] = (),
            upload: str | int | None = None,
            timeout: str | int | None = None,
            buffering: bool | None = None,
            headers: Mapping[str, str | None] = ...,
            expires: str | int | Mapping[str, str | int] | None = None,
            identity: Identity | None = None,
            access_log: bool | None = None,
            extra: str = "",
        ) -> None: ...

    @classmethod
    def exact(cls, path: str, answer: Answers, **more: Any) -> Location:
        """This path alone."""
        return cls(path, answer, match="exact", **more)

    @classmethod
    def regex(cls, pattern: str, answer: Answers, *, ignore_case: bool = False, **more: Any) -> Location:
        """Paths in which this regular expression is found (PCRE)."""
        return cls(pattern, answer, match="regex-any-case" if ignore_case else "regex", **more)

    @model_validator(mode="after")
    def _written_right(self) -> Location:
        if not self.match.startswith("regex"):
            if not self.path.startswith("/"):
                hint = f'write "/{self.path}", or Location.regex(...)'
                refuse(f"the path {self.path!r} does not start with /", hint)
            if re.search(r"//|/\.\.?(/|$)", self.path):
                refuse(f"nobody can ask for {self.path!r}: nginx takes //, /. and /.. away before it looks")
        elif not self.path:
            refuse("an empty expression is found everywhere", 'write Location("/", ...)')
        return self

    @property
    def key(self) -> tuple[str, str]:
        """What must not be twice in a site."""
        return self.match, self.path


def _locations(value: object) -> object:
    """Locations; an answer alone is one for everything."""
    value = several(value)
    if not isinstance(value, tuple):
        return value
    return tuple(Location("/", item) if isinstance(item, ANSWERS) else item for item in value)


Locations: TypeAlias = Annotated[tuple[Made[Location], ...], BeforeValidator(_locations), Words("Location and answers")]


class Site(Settings):
    """A name of the web and what answers there: a container (``to=``), or locations with all that can answer. What no
    location covers is answered with 404."""

    positional: ClassVar[tuple[str, ...]] = ("name",)
    variadic: ClassVar[str] = "locations"

    name: Annotated[Domain, Impact.reload] = Field(description="DNS name")
    locations: Annotated[Locations, Impact.reload] = Field((), description="what answers where")
    to: Annotated[Made[Backend] | Made[Upstream] | None, Impact.reload] = Field(
        None, description='who answers what no location covers: the same as Location("/", Proxy(to))'
    )
    aliases: Annotated[Many[Domain], Impact.reload] = Field((), description="further names")
    https: Annotated[bool, Impact.reload] = Field(False, description="the backend `to` speaks TLS")
    plain: Annotated[bool, Impact.reload] = Field(
        False, description="answer over plain HTTP as well, instead of leading to HTTPS"
    )
    listen: Annotated[Literal["public", "loopback"], Impact.reload] = Field(
        "public", description="loopback: only for a tunnel in the front, at 127.0.0.1:8080 (plain) and :8443 (TLS)"
    )
    tls_ports: Annotated[Many[Port], Impact.reload] = Field((), description="ports with TLS beside 443")
    hsts: Annotated[Seconds | None, Impact.reload] = Field(
        None, description="how long browsers shall use nothing but HTTPS for this name (Strict-Transport-Security)"
    )
    trust: Annotated[Made[Trust] | None, BeforeValidator(_trust), Impact.reload] = Field(
        None, description="who may tell the visitor's address: networks, containers or a Trust; None is the front's"
    )
    certificate: Annotated[Made[Certificate] | None, Impact.reload] = Field(
        None, description="the certificate that it shows; None is one of its own, by the front's authority"
    )
    client_ca: Annotated[AbsolutePath | None, Impact.reload] = Field(
        None, description="file in the front with authorities: visitors need a certificate of one of them"
    )
    maintenance: Annotated[str | None, Impact.reload] = Field(
        None, description="page (HTML) while it is under maintenance or its backend is away; None is the front's"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            *locations: Location | Answers,
            to: Backend | Upstream | None = None,
            aliases: Iterable[str] = (),
            https: bool = False,
            plain: bool = False,
            listen: Literal["public", "loopback"] = "public",
            tls_ports: Iterable[int] = (),
            hsts: str | int | None = None,
            trust: Trust | Container | Iterable[str | Container] | None = None,
            certificate: Certificate | None = None,
            client_ca: str | None = None,
            maintenance: str | None = None,
            allow: Iterable[str | Container] = (),
            deny: Iterable[str | Container] = (),
            login: Login | Literal[False] | None = None,
            methods: Iterable[str] = (),
            upload: str | int | None = None,
            timeout: str | int | None = None,
            buffering: bool | None = None,
            headers: Mapping[str, str | None] = ...,
            expires: str | int | Mapping[str, str | int] | None = None,
            identity: Identity | None = None,
            access_log: bool | None = None,
            extra: str = "",
        ) -> None: ...

    @property
    def names(self) -> tuple[str, ...]:
        """All names, its own first."""
        return tuple(dict.fromkeys((self.name, *self.aliases)))

    @property
    def places(self) -> tuple[Location, ...]:
        """All locations, also the one that ``to`` stands for."""
        found: tuple[Location, ...] | None = self.__dict__.get("_places")
        if found is None:
            found = self.locations
            if self.to is not None:
                whole = Location("/", Proxy(self.to, https=self.https))
                for thing in (whole, whole.answer):
                    thing.__dict__.update({"_origin": self.origin, "_statement": self.statement})
                found = (*found, whole)
            self.__dict__["_places"] = found
        return found

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The ports of containers that it needs, each once, in the order of its locations."""
        return tuple(dict.fromkeys(b for place in self.places for b in backends(place.answer)))
