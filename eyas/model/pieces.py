"""What containers and parts are made of: files, links, units, users, binds, probes, sites, and the System of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from eyas.core.grants import GRANTS as GIVEN
from eyas.core.words import Impact
from eyas.model.base import Thing
from eyas.model.certificates import Certificate, Use, UsedCertificates
from eyas.model.checks import Check
from eyas.model.files import Environment, File, Files, Link, Owner, Unit, Units, User
from eyas.model.sites import Site
from eyas.model.values import (
    AbsolutePath,
    Bytes,
    Made,
    Many,
    Mode,
    Package,
    Pattern,
    Port,
    Seconds,
    UnitName,
    Words,
    nearest,
    refuse,
)
from eyas.model.wiring import Client, Partners

if TYPE_CHECKING:
    from eyas.model.answers import Backend
    from eyas.model.machines import Container
SMALLEST = 16 << 20  # bytes that an ext4 file system with a journal makes sense with
GRANTS = tuple(GIVEN)
"""What a container can be given beyond the default."""


def _grant(value: object) -> object:
    if isinstance(value, str) and value not in GRANTS:
        near = nearest(value, GRANTS)
        return refuse(f"a grant is one of {', '.join(GRANTS)}", f'did you mean "{near}"?' if near else "")
    return value


Grant: TypeAlias = Annotated[str, BeforeValidator(_grant), Words("a grant (docker, nspawn, tun or loop)", "grants")]


class Bind(Thing):
    """A path of the host shown in a container."""

    positional: ClassVar[tuple[str, ...]] = ("source", "target")

    source: Annotated[AbsolutePath, Impact.live] = Field(
        description="path on the host; created when it is not there. Another one for persistent data is a restart"
    )
    target: Annotated[AbsolutePath, Impact.live] = Field(
        "", description="path in the container; the same as the source when not given", validate_default=False
    )
    persistent: Annotated[bool, Impact.none] = Field(
        False, description="it is the container's own data: never removed, listed when left behind"
    )
    readonly: Annotated[bool, Impact.live] = Field(False, description="the container cannot write to it")
    owner: Annotated[Owner, Impact.none] = Field("root", description="owner that it is created with")
    group: Annotated[Owner, Impact.none] = Field("root", description="group that it is created with")
    mode: Annotated[Mode, Impact.none] = Field(0o755, description="mode that it is created with")
    shared: Annotated[bool, Impact.none] = Field(
        False, description="several may use it at once: containers, or two generations of a stateless one"
    )

    carry: Annotated[bool, Impact.none] = Field(
        False, description="begin with what the container has at the target now, where the source is empty"
    )

    size: Annotated[Bytes | None, Impact.live] = Field(
        None,
        description="how much it can hold: a disk of its own in SOURCE.disk, which grows in use and never shrinks",
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            source: str,
            target: str | None = None,
            *,
            persistent: bool = False,
            readonly: bool = False,
            owner: str | int = "root",
            group: str | int = "root",
            mode: int = 0o755,
            shared: bool = False,
            carry: bool = False,
            size: str | int | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _sized(self) -> Bind:
        if self.size is not None and not self.persistent:
            refuse("a bind with a size is data, and has a disk of its own", "write persistent=True")
        if self.size is not None and self.size < SMALLEST:
            refuse("a disk of its own has 16M at least", 'write size="1G"')
        return self

    @model_validator(mode="before")
    @classmethod
    def _same_path(cls, values: dict[str, Any]) -> dict[str, Any]:
        return values if values.get("target") is not None else {**values, "target": values.get("source")}


class Probe(Thing):
    """How we know that a container works: it is ready when systemd in it says so and its probes pass."""

    type: Annotated[Literal["tcp", "http", "command", "unit"], Impact.live] = Field(description="what is tried")
    port: Annotated[Port | None, Impact.live] = Field(None, description="port in the container (tcp, http)")
    path: Annotated[str, Impact.live] = Field("/", description="path that is asked for (http)")
    status: Annotated[int, Impact.live] = Field(200, description="status of the answer (http)")
    contains: Annotated[str | None, Impact.live] = Field(None, description="text in the answer (http)")
    argv: Annotated[Many[str], Impact.live] = Field(
        (), description="program and arguments, exit 0 is success (command)"
    )
    unit_name: Annotated[UnitName | None, Impact.live] = Field(None, description="unit that is active (unit)")
    timeout: Annotated[Seconds, Impact.live] = Field(60, description="how long it may take to pass after the start")

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            type: Literal["tcp", "http", "command", "unit"],
            port: int | None = None,
            path: str = "/",
            status: int = 200,
            contains: str | None = None,
            argv: Iterable[str] = (),
            unit_name: str | None = None,
            timeout: str | int = 60,
        ) -> None: ...

    @classmethod
    def tcp(cls, port: int, timeout: str | int = "60s") -> Probe:
        """Something accepts connections on this port."""
        return cls(type="tcp", port=port, timeout=timeout)

    @classmethod
    def http(
        cls, port: int, path: str = "/", status: int = 200, contains: str | None = None, timeout: str | int = "60s"
    ) -> Probe:
        """A GET request is answered with this status, and this text in the body."""
        return cls(type="http", port=port, path=path, status=status, contains=contains, timeout=timeout)

    @classmethod
    def command(cls, argv: Iterable[str], timeout: str | int = "60s") -> Probe:
        """A program in the container ends with exit code 0."""
        return cls(type="command", argv=argv, timeout=timeout)

    @classmethod
    def unit(cls, name: str, timeout: str | int = "60s") -> Probe:
        """A unit in the container is active."""
        return cls(type="unit", unit_name=name, timeout=timeout)

    @model_validator(mode="after")
    def _complete(self) -> Probe:
        if self.type in ("tcp", "http") and self.port is None:
            refuse(f"a probe of type {self.type} needs a port", f"write Probe.{self.type}(PORT)")
        if self.type == "command" and not self.argv:
            refuse("a probe of type command needs a program", 'write Probe.command(["pg_isready"])')
        if self.type == "unit" and self.unit_name is None:
            refuse("a probe of type unit needs the name of a unit", 'write Probe.unit("nginx.service")')
        if not self.path.startswith("/"):
            refuse("the path of an HTTP probe starts with /")
        if not 100 <= self.status <= 599:
            refuse("an HTTP status is between 100 and 599")
        return self

    @property
    def label(self) -> str:
        """``tcp 5432``, ``http 80 /health``: a probe in a listing."""
        return " ".join(
            {
                "tcp": (f"tcp {self.port}",),
                "http": (f"http {self.port}", self.path),
                "command": ("command", *self.argv),
                "unit": (f"unit {self.unit_name}",),
            }[self.type]
        )


class System(Thing):
    """A part: everything that belongs together to make a container do one thing. Parts merge."""

    packages: Annotated[Many[Package], Impact.restart] = Field((), description="Debian packages")
    npm: Annotated[Many[str], Impact.restart] = Field((), description="npm packages")
    pip: Annotated[Many[str], Impact.restart] = Field((), description="Python packages from the package index")
    files: Annotated[Files, Impact.live] = Field(
        default_factory=dict, description="files by path; text means File(text). See File for units that follow"
    )
    units: Annotated[Units, Impact.restart_unit] = Field(
        default_factory=dict, description="systemd units by name; text means Unit(text)"
    )
    environment: Annotated[Environment, Impact.restart_unit] = Field(
        default_factory=dict, description="variables of services, by service; nothing secret, for anybody can read them"
    )
    users: Annotated[Many[Made[User]], Impact.live] = Field((), description="users")
    tmpfiles: Annotated[Many[str], Impact.live] = Field((), description="lines of tmpfiles.d(5)")
    enable: Annotated[Many[UnitName], Impact.live] = Field((), description="units of packages that start at boot")
    mask: Annotated[Many[UnitName], Impact.live] = Field((), description="units that must never start")
    binds: Annotated[Many[Made[Bind]], Impact.live] = Field((), description="host paths shown in the container")
    probes: Annotated[Many[Made[Probe]], Impact.live] = Field((), description="how we know that it works")
    grants: Annotated[Many[Grant], Impact.restart] = Field((), description="what it needs beyond the default")
    sites: Annotated[Many[Made[Site]], Impact.reload] = Field((), description="names that it serves for others")
    uses: Annotated[Partners, Impact.live] = Field((), description="containers, or ports of them, that it talks to")
    clients: Annotated[Many[Made[Client]], Impact.live] = Field(
        (), description="other containers that use a port of this one, and which"
    )
    certificates: Annotated[UsedCertificates, Impact.live] = Field(
        (), description="certificates that it uses: below `/etc/eyas/certificates`; see Certificate.used"
    )
    noise: Annotated[Many[Pattern], Impact.live] = Field(
        (), description="patterns of paths that nobody misses after a restart (`/var/lib/x/tmp/**`, `*.pyc`)"
    )
    checks: Annotated[Many[Made[Check]], Impact.none] = Field((), description="what `eyas verify` asks about it")

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            packages: Iterable[str] = (),
            npm: Iterable[str] = (),
            pip: Iterable[str] = (),
            files: Mapping[str, str | bytes | File | Link] = ...,
            units: Mapping[str, str | Unit] = ...,
            environment: Mapping[str, Mapping[str, str | float]] = ...,
            users: Iterable[User] = (),
            tmpfiles: Iterable[str] = (),
            enable: Iterable[str] = (),
            mask: Iterable[str] = (),
            binds: Iterable[Bind] = (),
            probes: Iterable[Probe] = (),
            grants: Iterable[str] = (),
            sites: Iterable[Site] = (),
            uses: Iterable[Container | Backend | str] = (),
            clients: Iterable[Client] = (),
            certificates: Iterable[Certificate | Use] = (),
            noise: Iterable[str] = (),
            checks: Iterable[Check] = (),
        ) -> None: ...

    @property
    def origins(self) -> dict[str, str]:
        """Who asked for what: ``package:curl``, ``file:/etc/motd``, ``unit:x.service`` to ``file:line``."""
        known = self.__dict__.get("_origins")
        return dict(known) if known is not None else own_origins(self)


def own_origins(system: System) -> dict[str, str]:
    """The origins of a System that nobody merged: that of each object, its own for plain texts."""
    origins = {f"package:{name}": system.origin for name in system.packages}
    origins |= {f"npm:{name}": system.origin for name in system.npm}
    origins |= {f"pip:{name}": system.origin for name in system.pip}
    origins |= {f"file:{path}": file.origin for path, file in system.files.items()}
    origins |= {f"unit:{name}": unit.origin for name, unit in system.units.items()}
    origins |= {f"environment:{unit}:{key}": system.origin for unit, env in system.environment.items() for key in env}
    return origins | {f"user:{user.name}": user.origin for user in system.users}
