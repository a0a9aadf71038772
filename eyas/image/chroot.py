"""Running package managers on top of a tree, cut off from this machine and from the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from eyas.host.command import Result, stream

SCRIPT = Path(__file__).with_name("chroot.sh")
SOURCE_DATE_EPOCH = "1700000000"
"""The moment at which all images were made, as far as their files tell (2023-11-14). Not 0: shadow(5) takes a
last change of a password at day 0 for "must be changed at the next login"."""

ENVIRONMENT: Mapping[str, str] = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
    "PYTHONHASHSEED": "0",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "TERM": "dumb",
}

ISOLATED: tuple[str, ...] = (
    # The child gets SIGKILL when this process (or its thread) dies, and its pid namespace goes with it.
    "setpriv", "--pdeathsig", "KILL", "--",
    "unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--",
)  # fmt: skip


class Work:
    """The folders of one overlay: ``lower`` is a checkout, which many may share; ``upper`` gets what is changed."""

    def __init__(self, path: Path, lower: Path) -> None:
        self.path = path
        self.lower = lower
        self.upper = path / "upper"
        self.files = path / "files"
        for folder in (path, self.upper, path / "work", path / "root", self.files):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)

    def run(
        self, argv: Sequence[str], on_line: Callable[[str], None] = lambda _line: None, timeout: float = 3600
    ) -> Result:
        """Runs a command with the overlay as its root; raises CommandFailed."""
        words = [*ISOLATED, "sh", str(SCRIPT), str(self.lower), str(self.path), *argv]
        return stream(words, on_line, timeout=timeout, env=ENVIRONMENT)

    def adopt_folders(self) -> None:
        """Gives folders that were made in ``upper`` by hand the owner and mode of those that they lie over."""
        for name, folders, _files in os.walk(self.upper):
            for folder in (Path(name, each) for each in folders):
                below = self.lower / folder.relative_to(self.upper)
                info = below.stat() if below.is_dir() else None
                os.chown(folder, info.st_uid if info else 0, info.st_gid if info else 0)
                folder.chmod(info.st_mode & 0o7777 if info else 0o755)
