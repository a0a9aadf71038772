"""Running containers, from outside: their roots, what they leave behind, their probes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Entry
from eyas.host.command import run
from eyas.host.inside import Inside

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.core.written import Listing, Noise, Writers

EXPORTS = "/run/systemd/nspawn/unix-export"  # a mount that systemd-nspawn leaves when it is killed


class RealContainers:
    """`eyas.core.system.Containers`."""

    def edit(self, container: str, uid_base: int, put: Sequence[Entry], drop: Sequence[str]) -> None:
        try:
            with Inside(paths.root(container), uid_base) as inside:
                # The deepest first, so that a folder is empty when its turn comes.
                for path in sorted(drop, key=lambda p: (-p.count("/"), p)):
                    inside.drop(path)
                for entry in sorted(put, key=lambda e: (e.type != "dir", e.path)):
                    inside.put(entry)
        except OSError as error:
            what = f" {error.filename}" if error.filename else ""
            raise Failed(
                f"cannot change files in the running container {container}:{what} {error.strerror}",
                f"eyas shell {container} shows what is there; a restart gives it a fresh root",
            ) from None

    def bind(self, container: str, uid_base: int, source: str, target: str, readonly: bool, instead: str = "") -> None:
        from eyas.host.mounts import bind

        bind(container, uid_base, source, target, readonly, instead)

    def unbind(self, container: str, uid_base: int, source: str, target: str) -> None:
        from eyas.host.mounts import unbind

        unbind(container, uid_base, source, target)

    def find(self, commit: str, path: str) -> Entry | None:
        try:
            with Inside(paths.tree(commit)) as inside:
                return inside.get(path)
        except OSError as error:
            raise Failed(f"cannot read {path} of the tree {commit[:12]}: {error.strerror}") from None

    def written(
        self, container: str, lowers: Sequence[str], skip: Sequence[str], noise: Noise, *, everything: bool = False
    ) -> Listing:
        from eyas.host.upper import Walk

        layer = f"{paths.WRITABLE}/{container}"
        for upper in (f"{layer}/raw/upper", f"{layer}/rw/upper"):
            if os.path.isdir(upper):
                return Walk(upper, lowers, noise, frozenset(skip), everything).listing()
        raise Failed(f"cannot list what {container} wrote: it does not run", "a container that stops loses it")

    def writers(self, container: str, uid_base: int) -> Writers:
        from eyas.host.writers import writers

        return writers(container, uid_base)

    def read(self, container: str, path: str, uid_base: int) -> Entry | None:
        try:
            with Inside(paths.root(container), uid_base) as inside:
                return inside.get(path)
        except OSError:
            return None

    def weigh(self, container: str, path: str) -> int | None:
        from eyas.host.upper import FLAGS, weigh

        try:
            root = os.open(paths.root(container), FLAGS)
        except OSError:
            return None
        try:
            return weigh(root, path)
        finally:
            os.close(root)

    def probe(self, container: str) -> None:
        run([f"{paths.PROGRAMS}/probe", container], timeout=600, check=False)

    def clear(self, container: str) -> None:
        # A clean stop has done all of it; then no process is needed.
        places = (paths.root(container), f"{paths.WRITABLE}/{container}", f"{EXPORTS}/{container}")
        if any(os.path.lexists(place) for place in places):
            run([f"{paths.PROGRAMS}/root-down", container])
