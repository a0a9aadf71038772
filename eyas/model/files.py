"""What lies in the file system of a container or host: files, links, units, users."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import BeforeValidator, Field

from eyas.core.words import Impact
from eyas.model import origin
from eyas.model.base import Thing
from eyas.model.values import (
    AbsolutePath,
    Made,
    Many,
    Mode,
    Uid,
    UnitName,
    UserName,
    Words,
    refuse,
    unit_name,
)


def _owner(value: object) -> object:
    from eyas.model.values import uid, user_name

    return user_name(uid(value))


Owner: TypeAlias = Annotated[str | int, BeforeValidator(_owner), Words("the name or id of a user or group")]


class File(Thing):
    """A file of a container or of the host."""

    positional: ClassVar[tuple[str, ...]] = ("content",)

    content: Annotated[str | bytes, Impact.live] = Field(description="what is in it")
    mode: Annotated[Mode, Impact.live] = Field(0o644, description="permission bits")
    owner: Annotated[Owner, Impact.live] = Field("root", description="user that owns it")
    group: Annotated[Owner, Impact.live] = Field("root", description="group that owns it")
    reload: Annotated[Many[UnitName], Impact.none] = Field(
        (), description="units that reload when it changes (impact reload)"
    )
    restart: Annotated[Many[UnitName], Impact.none] = Field(
        (), description="units that restart when it changes (impact restart_unit)"
    )
    override: Annotated[bool, Impact.none] = Field(
        False, description="it replaces the file that a part puts at the same path, instead of being refused"
    )

    if TYPE_CHECKING:

        def __init__(
            self,
            content: str | bytes,
            *,
            mode: int = 0o644,
            owner: str | int = "root",
            group: str | int = "root",
            reload: Iterable[str] = (),
            restart: Iterable[str] = (),
            override: bool = False,
        ) -> None: ...

    @classmethod
    def read(cls, path: str | Path, **more: Any) -> File:
        """A file with the content of one beside the definition; a relative path starts at the file that says so.

        Text when it is UTF-8, bytes otherwise. Raises OSError, which ``load`` reports at the line of the call.
        """
        frame = origin.user_frame(sys._getframe(1))
        base = Path(frame.f_code.co_filename).parent if frame is not None else Path()
        raw = (base / path).read_bytes()
        try:
            return cls(raw.decode(), **more)
        except UnicodeDecodeError:
            return cls(raw, **more)


class Link(Thing):
    """A symbolic link."""

    positional: ClassVar[tuple[str, ...]] = ("target",)

    target: Annotated[str, Impact.live] = Field(description="where it leads, absolute or relative to its directory")
    override: Annotated[bool, Impact.none] = Field(False, description="as for a file")

    if TYPE_CHECKING:

        def __init__(self, target: str, *, override: bool = False) -> None: ...


class Unit(Thing):
    """A systemd unit file; a changed unit restarts that unit alone."""

    positional: ClassVar[tuple[str, ...]] = ("content",)

    content: Annotated[str, Impact.restart_unit] = Field(description="the unit file, systemd.unit(5)")
    enable: Annotated[bool, Impact.live] = Field(True, description="start it at boot, as its [Install] section says")
    override: Annotated[bool, Impact.none] = Field(False, description="as for a file")

    if TYPE_CHECKING:

        def __init__(self, content: str, *, enable: bool = True, override: bool = False) -> None: ...


class User(Thing):
    """A user with a fixed id; the same id everywhere makes shared directories work."""

    positional: ClassVar[tuple[str, ...]] = ("name", "uid")

    name: Annotated[UserName, Impact.live] = Field(description="login name, also of the user's own group")
    uid: Annotated[Uid, Impact.live] = Field(description="user id, also of the user's own group")
    groups: Annotated[Many[UserName], Impact.live] = Field((), description="further groups")
    keys: Annotated[Many[str], Impact.live] = Field((), description="SSH public keys that may log in")
    shell: Annotated[AbsolutePath, Impact.live] = Field("/bin/bash", description="login shell")
    home: Annotated[AbsolutePath | None, Impact.live] = Field(
        None, description="home directory; None is /home/<name>", validate_default=False
    )
    gecos: Annotated[str, Impact.live] = Field("", description="full name or purpose")

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            uid: int,
            *,
            groups: Iterable[str] = (),
            keys: Iterable[str] = (),
            shell: str = "/bin/bash",
            home: str | None = None,
            gecos: str = "",
        ) -> None: ...

    @property
    def directory(self) -> str:
        """The home directory, also when it is the usual one."""
        return self.home or f"/home/{self.name}"


def _as(cls: type[Thing]) -> Any:
    """Reader of a mapping whose plain texts mean ``cls(text)``; the made objects have the origin of the call."""

    def read(value: object) -> object:
        if isinstance(value, Mapping):
            return {k: cls(v) if isinstance(v, str | bytes) else v for k, v in value.items()}  # type: ignore[call-arg]
        return value

    return BeforeValidator(read)


Files: TypeAlias = Annotated[
    dict[AbsolutePath, Made[File] | Made[Link]], _as(File), Words("a mapping of paths to texts, File or Link")
]
Units: TypeAlias = Annotated[dict[UnitName, Made[Unit]], _as(Unit), Words("a mapping of unit names to texts or Unit")]


def _environment(value: object) -> object:
    """``{"x.service": {"KEY": "value"}}``; numbers stand for their digits, as a program reads them."""
    if not isinstance(value, Mapping):
        return value
    return {_service(name): _variables(name, values) for name, values in value.items()}


def _service(name: object) -> object:
    if not str(unit_name(name)).endswith(".service"):
        refuse(f"{name} is no service", "only services have an environment: write NAME.service")
    return name


def _variables(name: object, values: object) -> dict[str, str]:
    if not isinstance(values, Mapping):
        refuse(f"the environment of {name} is a mapping", f'write {{"{name}": {{"KEY": "value"}}}}')
    found = {}
    for key, value in values.items():
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            refuse(f"{key!r} is no name of a variable", "letters, digits and _; not a digit first")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            refuse(f"{key} of {name} is {value!r}", "write the text that the program shall read")
        if "\0" in str(value):
            refuse(f"{key} of {name} has a byte 0 in it", "no program could read it")
        found[key] = str(value)
    return found


Environment: TypeAlias = Annotated[
    dict[str, dict[str, str]], BeforeValidator(_environment), Words("a mapping of services to variables")
]
