"""A System for one observation: what several kinds ask systemd for, or read, is asked for and read once.

Everything else goes through to the real one. Only for looking; a look that was used must not be used again later.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property

from eyas.core import paths
from eyas.core.system import System, UnitState
from eyas.kind import owned
from eyas.kind.container.observe import PATTERN
from eyas.kind.disk import mount_unit

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Any


class Look:
    """The system as it is now."""

    def __init__(self, system: System) -> None:
        self._system = system
        units = [id_.split(":", 1)[1] for id_ in owned.ids(system, "unit")]
        units += [mount_unit(id_.split(":", 1)[1]) for id_ in owned.ids(system, "disk")]
        self._patterns = [PATTERN, *units]
        system.ahead(self._patterns)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    else:

        def __getattr__(self, name):
            return getattr(self._system, name)

    @cached_property
    def units(self) -> _Units:
        return _Units(self._system, self._patterns)

    @cached_property
    def files(self) -> _Files:
        return _Files(self._system)


class _Units:
    def __init__(self, system: System, patterns: Sequence[str]) -> None:
        self._system, self._patterns = system, patterns

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    else:

        def __getattr__(self, name):
            return getattr(self._system.units, name)

    @cached_property
    def _states(self) -> dict[str, UnitState]:
        return self._system.units.show(self._patterns)

    def show(self, patterns: Sequence[str], machine: str = "") -> dict[str, UnitState]:
        if machine or not set(patterns) <= set(self._patterns):
            return self._system.units.show(patterns, machine)
        return {
            name: state
            for name, state in self._states.items()
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        }


class _Files:
    """Files of the host, except that the table of owned things is read once."""

    def __init__(self, system: System) -> None:
        self._system = system

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    else:

        def __getattr__(self, name):
            return getattr(self._system.files, name)

    @cached_property
    def _owned(self) -> bytes | None:
        return self._system.files.read(paths.OWNED)

    def read(self, path: str) -> bytes | None:
        return self._owned if path == paths.OWNED else self._system.files.read(path)
