"""Checks: what has to be so between a container and the rest of the world, asked by ``eyas verify``.

A probe tells whether a container is ready, and the host asks it at every start. A check tells whether containers,
names, ports and visitors fit together; it is asked when somebody wants to know, and changes nothing on a host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from eyas.core.words import Impact
from eyas.model.base import Thing
from eyas.model.values import AbsolutePath, Domain, Many, Name, Port, Seconds, UnitName, refuse

if TYPE_CHECKING:
    from eyas.model.answers import Backend

LOG = "/var/log/nginx/access.log"


class Check(Thing):
    """What `eyas verify` asks beyond what it knows by itself. A part declares those of the program that it runs."""

    positional: ClassVar[tuple[str, ...]] = ()

    type: Annotated[Literal["connect", "http", "postgres", "command", "client_address"], Impact.none] = Field(
        description="what is asked"
    )
    to: Annotated[Name | None, Impact.none] = Field(None, description="container that is connected to (connect)")
    port: Annotated[Port | None, Impact.none] = Field(None, description="its port (connect)")
    url: Annotated[str, Impact.none] = Field(
        "", description="what is asked for (http), or a database as a client's settings name it (postgres)"
    )
    status: Annotated[int, Impact.none] = Field(200, description="status of the answer (http)")
    contains: Annotated[str | None, Impact.none] = Field(None, description="text in the answer (http, command)")
    argv: Annotated[Many[str], Impact.none] = Field((), description="program and arguments, exit 0 is well (command)")
    unit: Annotated[UnitName | None, Impact.none] = Field(
        None, description="service whose environment has the database's URL (postgres)"
    )
    variable: Annotated[str, Impact.none] = Field("", description="variable with the URL (postgres)")
    site: Annotated[Domain | None, Impact.none] = Field(None, description="site that is asked for (client_address)")
    path: Annotated[str, Impact.none] = Field("/", description="path that is asked for (client_address)")
    log: Annotated[AbsolutePath, Impact.none] = Field(
        LOG, description="access log in the container whose lines begin with the visitor's address (client_address)"
    )
    where: Annotated[Literal["inside", "host", "outside"], Impact.none] = Field(
        "inside", description="who asks: the container itself, its host, or a client of the world (http)"
    )
    remedy: Annotated[str, Impact.none] = Field("", description="what to do when it is not so, in place of our words")
    timeout: Annotated[Seconds, Impact.none] = Field(10, description="how long the answer may take")

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            type: Literal["connect", "http", "postgres", "command", "client_address"],
            to: str | None = None,
            port: int | None = None,
            url: str = "",
            status: int = 200,
            contains: str | None = None,
            argv: Iterable[str] = (),
            unit: str | None = None,
            variable: str = "",
            site: str | None = None,
            path: str = "/",
            log: str = "/var/log/nginx/access.log",
            where: Literal["inside", "host", "outside"] = "inside",
            remedy: str = "",
            timeout: str | int = 10,
        ) -> None: ...

    @classmethod
    def connect(cls, to: Backend, *, remedy: str = "", timeout: str | int = 10) -> Check:
        """The container can connect to this port of another one (``postgres.port(5432)``)."""
        return cls(type="connect", to=to.container, port=to.port, remedy=remedy, timeout=timeout)

    @classmethod
    def http(
        cls,
        url: str,
        *,
        status: int = 200,
        contains: str | None = None,
        where: Literal["inside", "host", "outside"] = "inside",
        remedy: str = "",
        timeout: str | int = 10,
    ) -> Check:
        """A GET of this URL is answered with this status, and this text in the body."""
        return cls(
            type="http", url=url, status=status, contains=contains, where=where, remedy=remedy, timeout=timeout
        )  # fmt: skip

    @classmethod
    def postgres(
        cls,
        url: str = "",
        *,
        unit: str | None = None,
        variable: str = "",
        remedy: str = "",
        timeout: str | int = 10,
    ) -> Check:
        """The database that a client is set to use lets it in: asked from the container, as this role, by the URL
        (``postgresql://ROLE@HOST/DATABASE``) given here, or by the one that a service has in its environment."""
        return cls(type="postgres", url=url, unit=unit, variable=variable, remedy=remedy, timeout=timeout)

    @classmethod
    def command(
        cls, argv: Iterable[str], *, contains: str | None = None, remedy: str = "", timeout: str | int = 10
    ) -> Check:
        """A program in the container ends with exit code 0, and says this."""
        return cls(type="command", argv=argv, contains=contains, remedy=remedy, timeout=timeout)

    @classmethod
    def client_address(cls, site: str, *, log: str = LOG, path: str = "/", remedy: str = "") -> Check:
        """A server behind the front knows the visitor's own address: a request for the site, with a mark in it, is
        made, and the line of the access log that has the mark begins with the address it was made from."""
        return cls(type="client_address", site=site, log=log, path=path, remedy=remedy)

    @model_validator(mode="after")
    def _complete(self) -> Check:
        needed = {
            "connect": (self.to and self.port, "Check.connect(postgres.port(5432))"),
            "http": (self.url, 'Check.http("https://www.example.org/")'),
            "postgres": (self.url or (self.unit and self.variable), 'Check.postgres("postgresql://ROLE@HOST/NAME")'),
            "command": (self.argv, 'Check.command(["/usr/bin/true"])'),
            "client_address": (self.site, 'Check.client_address("www.example.org")'),
        }
        given, example = needed[self.type]
        if not given:
            refuse(f"a check of type {self.type} does not say what to ask", f"write {example}")
        url = urlsplit(self.url)
        if self.type == "http" and (url.scheme not in ("http", "https") or not url.hostname):
            refuse("the URL of an HTTP check begins with http:// or https:// and a name")
        if not self.path.startswith("/"):
            refuse("the path of a check starts with /")
        return self

    @property
    def label(self) -> str:
        """``connect postgres:5432``: a check in a listing, without a password."""
        url = re.sub(r"//([^/:@]*):[^/@]*@", r"//\1@", self.url)
        return {
            "connect": f"connect {self.to}:{self.port}",
            "http": f"http {url}",
            "postgres": f"postgres {self.variable + ' of ' + str(self.unit) if self.unit else url}",
            "command": f"command {' '.join(self.argv)}",
            "client_address": f"client address of {self.site}",
        }[self.type]
