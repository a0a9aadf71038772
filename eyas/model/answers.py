"""What answers at a place of a site: a container, files, a redirect, a literal text, or a choice between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from eyas.core.words import Impact
from eyas.model.base import Thing
from eyas.model.site_values import (
    AwayStatus,
    Body,
    Globs,
    Headers,
    Lifetime,
    Mime,
    Status,
    Target,
    Template,
    Text,
    Types,
    Uri,
    plain,
)
from eyas.model.values import (
    AbsolutePath,
    Address4,
    Count,
    Domain,
    Made,
    Many,
    Name,
    Patience,
    Port,
    Seconds,
    Words,
    refuse,
)

LONG_HOLD = 60
"""Seconds. A front waits for so long for every backend, and for longer only for those of which it knows why."""


class Backend(Thing):
    """A port of a container, as others refer to it: ``mesh.port(22260)``."""

    positional: ClassVar[tuple[str, ...]] = ("container", "port")

    container: Annotated[Name, Impact.reload] = Field(description="name of the container")
    port: Annotated[Port, Impact.reload] = Field(description="port in the container")
    address: Annotated[Address4 | None, Impact.reload] = Field(
        None, description="address of the container, known when made by container.port()"
    )
    hold: Annotated[Patience | None, Impact.reload] = Field(
        None, description="how long connections to it may wait, known when made by container.port()"
    )

    if TYPE_CHECKING:

        def __init__(
            self, container: str, port: int, *, address: str | None = None, hold: str | int | None = None
        ) -> None: ...

    def __str__(self) -> str:
        """``10.0.5.60:22260`` as programs take it; the name stands in when only the name is known."""
        return f"{self.address or self.container}:{self.port}"


class Upstream(Thing):
    """Several backends that do the same: who fails is left alone for a while."""

    positional: ClassVar[tuple[str, ...]] = ("servers",)

    servers: Annotated[Many[Made[Backend]], Impact.reload] = Field(description="who answers, in turn")
    backup: Annotated[Many[Made[Backend]], Impact.reload] = Field(
        (), description="who answers when none of the others does"
    )
    max_fails: Annotated[Count, Impact.reload] = Field(1, description="failures within fail_timeout that make it so")
    fail_timeout: Annotated[Seconds, Impact.reload] = Field(10, description="how long it is left alone then")
    balance: Annotated[Literal["turns", "least", "client"], Impact.reload] = Field(
        "turns", description="in turn, the one with the fewest connections, or always the same for a client"
    )
    keepalive: Annotated[Count | None, Impact.reload] = Field(
        None,
        description="idle connections to keep; None is none: they would count as in use when a container is drained",
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            servers: Iterable[Backend],
            *,
            backup: Iterable[Backend] = (),
            max_fails: int = 1,
            fail_timeout: str | int = 10,
            balance: Literal["turns", "least", "client"] = "turns",
            keepalive: int | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _consistent(self) -> Upstream:
        if self.backup and self.balance == "client":
            refuse("nginx has no backup where a client always has the same server", "leave one of them out")
        return self


class Proxy(Thing):
    """A container answers (ngx_http_proxy_module). It is told the visitor's address, the scheme and the name that
    were asked for (X-Real-IP, X-Forwarded-For, -Proto, -Host); what visitors claim of these never gets to it.
    WebSockets pass."""

    positional: ClassVar[tuple[str, ...]] = ("to",)

    to: Annotated[Made[Backend] | Made[Upstream], Impact.reload] = Field(description="who answers")
    path: Annotated[Uri | None, Impact.reload] = Field(
        None, description="what stands at the backend in place of the location's path; None is the path as it is"
    )
    stream: Annotated[bool, Impact.reload] = Field(
        False, description="pass on at once what comes, and let it be silent for 1 h: event streams, live logs"
    )
    https: Annotated[bool, Impact.reload] = Field(False, description="the backend speaks TLS")
    verify: Annotated[AbsolutePath | None, Impact.reload] = Field(
        None, description="file in the front with the authorities that its certificate is checked against"
    )
    verify_name: Annotated[Domain | None, Impact.reload] = Field(
        None, description="the name in its certificate; None is the name that was asked for"
    )
    host: Annotated[Template | None, Impact.reload] = Field(
        None, description="the name that it is asked by (Host); None is the one that the visitor asked for"
    )
    headers: Annotated[Headers, Impact.reload] = Field(
        default_factory=dict, description="further headers that it is told; nothing secret"
    )
    credentials: Annotated[AbsolutePath | None, Impact.reload] = Field(
        None,
        description='file in the front with lines such as `proxy_set_header Authorization "Basic ...";`: what it is '
        "told and nobody may read here",
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            to: Backend | Upstream,
            *,
            path: str | None = None,
            stream: bool = False,
            https: bool = False,
            verify: str | None = None,
            verify_name: str | None = None,
            host: str | None = None,
            headers: Mapping[str, str | None] = ...,
            credentials: str | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _consistent(self) -> Proxy:
        if (self.verify or self.verify_name) and not self.https:
            refuse("a certificate is checked where the backend speaks TLS", "add https=True")
        if self.verify_name and not self.verify:
            refuse("verify_name says what to check, and nothing is checked", "add verify=FILE")
        return self


class Static(Thing):
    """Files of the front (ngx_http_core_module): in a location ``/docs``, ``/docs/a`` is ROOT/a."""

    positional: ClassVar[tuple[str, ...]] = ("root",)

    root: Annotated[AbsolutePath, Impact.reload] = Field(description="folder in the front")
    fallback: Annotated[Uri | None, Impact.reload] = Field(
        None, description="path that is served for what is not there (a single-page site); None is the status 404"
    )
    index: Annotated[Many[Text], Impact.reload] = Field(("index.html",), description="files that stand for a folder")
    listing: Annotated[Literal["plain", "styled", "json"] | None, Impact.reload] = Field(
        None, description="show what is in a folder that has no index"
    )
    types: Annotated[Types, Impact.reload] = Field(
        default_factory=dict, description="types of content by ending, beside the usual ones"
    )
    hidden: Annotated[Globs, Impact.reload] = Field(
        (), description="names of files that are there for others: not listed, and answered with 404"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            root: str,
            *,
            fallback: str | None = None,
            index: Iterable[str] = ("index.html",),
            listing: Literal["plain", "styled", "json"] | None = None,
            types: Mapping[str, str] = ...,
            hidden: Iterable[str] = (),
        ) -> None: ...


class Redirect(Thing):
    """Another place answers. Variables of nginx may stand in it (``$host``, ``$1`` of a regular expression)."""

    positional: ClassVar[tuple[str, ...]] = ("to",)

    to: Annotated[Target, Impact.reload] = Field(description="address of the web, or path of the same site")
    status: Annotated[AwayStatus, Impact.reload] = Field(
        301, description="301 for good, 302 for now, 307, 308 as asked"
    )
    keep_path: Annotated[bool, Impact.reload] = Field(False, description="path and query that were asked for follow it")
    keep_query: Annotated[bool, Impact.reload] = Field(False, description="the query that was asked for follows it")
    expires: Annotated[Lifetime | None, Impact.reload] = Field(None, description="how long browsers may remember it")

    if TYPE_CHECKING:

        def __init__(
            self,
            to: str,
            *,
            status: int = 301,
            keep_path: bool = False,
            keep_query: bool = False,
            expires: str | int | Mapping[str, str | int] | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _one(self) -> Redirect:
        if self.keep_path and self.keep_query:
            refuse("the query comes with the path", "leave keep_query out")
        if self.keep_path and ("?" in self.to or self.to.endswith("/")):
            refuse(f"the path that was asked for cannot follow {self.to!r}", "end it without slash or query")
        return self


class Answer(Thing):
    """A literal answer."""

    positional: ClassVar[tuple[str, ...]] = ("status", "body")

    status: Annotated[Status, Impact.reload] = Field(description="status")
    body: Annotated[Body, Impact.reload] = Field("", description="text; without one, nginx's own page for an error")
    type: Annotated[Mime, Impact.reload] = Field("text/plain", description="type of its content")

    if TYPE_CHECKING:

        def __init__(self, status: int, body: str = "", *, type: str = "text/plain") -> None: ...

    @model_validator(mode="after")
    def _no_redirect(self) -> Answer:
        if self.status in (301, 302, 303, 307, 308):
            refuse(f"{self.status} is a redirect", 'write Redirect("https://...", status=...)')
        return self


class Rewrite(Thing):
    """The site answers as if another of its paths had been asked for; the query stays."""

    positional: ClassVar[tuple[str, ...]] = ("to",)

    to: Annotated[Uri, Impact.reload] = Field(description="the path; `?` at its end leaves the query away")

    if TYPE_CHECKING:

        def __init__(self, to: str) -> None: ...


class Linked(Thing):
    """A redirect to what a symbolic link leads to: ``/latest.iso`` to ``/2026-01/linux.iso``."""

    positional: ClassVar[tuple[str, ...]] = ("root",)

    root: Annotated[AbsolutePath, Impact.reload] = Field(
        description="folder in the front that the path is looked up in; what leads out of it is not found"
    )
    to: Annotated[Target, Impact.reload] = Field("/", description="what stands before the path that was found")
    status: Annotated[AwayStatus, Impact.reload] = Field(302, description="status of the redirect")

    if TYPE_CHECKING:

        def __init__(self, root: str, *, to: str = "/", status: int = 302) -> None: ...


def _cases(value: object) -> object:
    """``{"eu": Redirect(...), "~^acct:": Redirect(...), "*": Redirect(...)}``: a value, a pattern, any value at all."""
    if isinstance(value, Mapping):
        for case in value:
            plain(case)
            if isinstance(case, str) and not re.fullmatch(r"\*|~.+|[^~*\s].*", case, re.DOTALL):
                refuse(f"{case!r} is no case", 'write a value, "~" and a regular expression, or "*" for any value')
    return value


Choosable: TypeAlias = Made[Redirect] | Made[Answer] | Made[Rewrite]
Cases: TypeAlias = Annotated[
    dict[str, Choosable], BeforeValidator(_cases), Words("a mapping of values to Redirect, Answer or Rewrite")
]


class Choose(Thing):
    """What answers depends on an argument of the query: a mirror (``?mirror=eu``), a resource (webfinger)."""

    positional: ClassVar[tuple[str, ...]] = ("argument", "cases", "otherwise")

    argument: Annotated[Text, Impact.reload] = Field(description="name of the argument")
    cases: Annotated[Cases, Impact.reload] = Field(
        description='answers by value; "~..." is a regular expression, "*" any value; the first that fits counts'
    )
    otherwise: Annotated[Choosable | Made[Proxy] | Made[Static] | Made[Linked], Impact.reload] = Field(
        description="who answers otherwise"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            argument: str,
            cases: Mapping[str, Redirect | Answer | Rewrite],
            otherwise: Redirect | Answer | Rewrite | Proxy | Static | Linked,
        ) -> None: ...

    @model_validator(mode="after")
    def _readable(self) -> Choose:
        if not re.fullmatch(r"[A-Za-z0-9_]+", self.argument):
            refuse("nginx knows arguments by letters, digits and _ only")
        return self


Answers: TypeAlias = Proxy | Static | Redirect | Answer | Rewrite | Linked | Choose
AnyAnswer: TypeAlias = (
    Made[Proxy] | Made[Static] | Made[Redirect] | Made[Answer] | Made[Rewrite] | Made[Linked] | Made[Choose]
)
ANSWERS: tuple[type[Any], ...] = (Proxy, Static, Redirect, Answer, Rewrite, Linked, Choose)


def backends(answer: Answers) -> tuple[Backend, ...]:
    """The containers that an answer needs, those of an upstream in order."""
    if isinstance(answer, Choose):
        return backends(answer.otherwise)
    if not isinstance(answer, Proxy):
        return ()
    return (answer.to,) if isinstance(answer.to, Backend) else (*answer.to.servers, *answer.to.backup)
