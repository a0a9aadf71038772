"""Image files that hold file systems: that part of a host (`eyas.core.system`)."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # nobody asks at run time, and making protocols takes a host longer than looking at its files


class Volumes(Protocol):
    """Image files that each hold a file system."""

    def size(self, path: str) -> int | None:
        """Bytes that a file can hold, None when there is none."""

    def make(self, path: str, size: int) -> None:
        """A sparse file with an empty ext4 file system; it is there whole, or not at all."""

    def grow(self, path: str, size: int) -> None:
        """Let it hold this much at least, also while it is mounted."""
