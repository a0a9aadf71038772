"""Running package managers on top of a tree, cut off from this machine and from the network."""

from __future__ import annotations

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
    """The folders of one overlay: ``lower`` is a checkout, ``upper`` gets what is changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lower = path / "lower"
        self.upper = path / "upper"
        self.files = path / "files"
        for folder in (path, self.upper, path / "work", path / "root", self.files):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)

    def run(
        self, argv: Sequence[str], on_line: Callable[[str], None] = lambda _line: None, timeout: float = 3600
    ) -> Result:
        """Runs a command with the overlay as its root; raises CommandFailed."""
        words = [*ISOLATED, "sh", str(SCRIPT), str(self.path), str(self.files), *argv]
        return stream(words, on_line, timeout=timeout, env=ENVIRONMENT)
