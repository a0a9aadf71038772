"""Work tells, views show: the core emits events, terminals and JSON writers are listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import TypeAlias


@dataclass(frozen=True)
class Event:
    """One piece of news. ``topic`` groups it ("build", "apply", "lab"), ``name`` is what it concerns, ``done`` and
    ``total`` are in the unit of the topic (steps, bytes, packages); total 0 means unknown."""

    topic: str
    name: str
    text: str
    done: int = 0
    total: int = 0
    level: str = "info"  # debug, info, warning


Listener: TypeAlias = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A listener that ignores all."""
