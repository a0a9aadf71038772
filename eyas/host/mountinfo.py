"""The table of mounts of a process, as the kernel writes it: proc_pid_mountinfo(5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mount:
    """One line of it."""

    id: int
    parent: int
    device: str
    root: str  # what of the file system is shown
    point: str
    readonly: bool
    slave: bool  # it comes from outside of the container

    @property
    def place(self) -> tuple[str, str]:
        """What is shown, wherever that is."""
        return self.device, self.root.removesuffix("//deleted")


def mounts(text: str) -> list[Mount]:
    return [_mount(line.split(" ")) for line in text.splitlines() if line]


def _mount(words: Sequence[str]) -> Mount:
    tags = words[6 : words.index("-")]
    return Mount(
        int(words[0]),
        int(words[1]),
        words[2],
        _plain(words[3]),
        _plain(words[4]),
        "ro" in words[5].split(","),
        any(tag.startswith("master:") for tag in tags),
    )


def _plain(path: str) -> str:
    """A path of mountinfo, where blanks and backslashes stand as octal numbers."""
    head, *rest = path.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)
