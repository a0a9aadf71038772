"""Images: what a container's root is made of."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from eyas.core.words import Impact
from eyas.model import origin
from eyas.model.base import Thing, Unknown
from eyas.model.values import Many, Name, Package


class Image(Thing):
    """The recipe of a root: packages, resolved and pinned in eyas.lock."""

    name: Annotated[Name, Impact.none] = Field(description="name in listings")
    kind: Annotated[Literal["debian", "tarball"], Impact.restart] = Field("debian", description="what it starts from")
    suite: Annotated[str, Impact.restart] = Field("trixie", description="release of Debian")
    packages: Annotated[Many[Package], Impact.restart] = Field((), description="Debian packages")
    npm: Annotated[Many[str], Impact.restart] = Field((), description="npm packages")
    pip: Annotated[Many[str], Impact.restart] = Field((), description="Python packages from the package index")
    archive: Annotated[str | None, Impact.restart] = Field(None, description="archive of a root, an absolute path")

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            kind: Literal["debian", "tarball"] = "debian",
            suite: str = "trixie",
            packages: Iterable[str] = (),
            npm: Iterable[str] = (),
            pip: Iterable[str] = (),
            archive: str | None = None,
        ) -> None: ...

    @classmethod
    def debian(
        cls,
        suite: str = "trixie",
        packages: Iterable[str] = (),
        npm: Iterable[str] = (),
        pip: Iterable[str] = (),
        name: str | None = None,
    ) -> Image:
        """A Debian root with these packages beyond what boots a container."""
        return cls(name=f"debian-{suite}" if name is None else name, suite=suite, packages=packages, npm=npm, pip=pip)

    @classmethod
    def tarball(cls, path: str | Path, name: str) -> Image:
        """A root from an archive; a relative path starts at the file that says so. Nothing can be added to it.

        Raises OSError when there is no such file, which ``load`` reports at the line of the call.
        """
        frame = origin.user_frame(sys._getframe(1))
        base = Path(frame.f_code.co_filename).parent if frame is not None else Path.cwd()
        archive = base / path
        archive.stat()
        return cls(name=name, kind="tarball", archive=str(archive))

    def add(
        self,
        packages: Iterable[str] = (),
        npm: Iterable[str] = (),
        pip: Iterable[str] = (),
        name: str | None = None,
    ) -> Image:
        """This image with more packages; those it had keep their origin."""
        more = Image(name=self.name if name is None else name, packages=packages, npm=npm, pip=pip)
        if isinstance(more, Unknown):
            return self
        both = more.with_(
            kind=self.kind,
            suite=self.suite,
            archive=self.archive,
            packages=tuple(dict.fromkeys((*self.packages, *more.packages))),
            npm=tuple(dict.fromkeys((*self.npm, *more.npm))),
            pip=tuple(dict.fromkeys((*self.pip, *more.pip))),
        )
        both.__dict__["_origins"] = {**more.origins, **self.origins}
        return both

    @property
    def origins(self) -> dict[str, str]:
        """Who asked for what: ``package:curl``, ``npm:...``, ``pip:...`` to ``file:line``."""
        known = self.__dict__.get("_origins")
        if known is not None:
            return dict(known)
        lists = (("package", self.packages), ("npm", self.npm), ("pip", self.pip))
        return {f"{kind}:{name}": self.origin for kind, names in lists for name in names}
