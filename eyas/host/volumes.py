"""Image files with an ext4 file system (mke2fs(8), losetup(8), resize2fs(8))."""

from __future__ import annotations

import os

from eyas.core.errors import Failed
from eyas.host.command import run

SLOW = 600  # seconds; a file system on a busy disk


class RealVolumes:
    """`eyas.core.system.Volumes`."""

    def size(self, path: str) -> int | None:
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            return None

    def make(self, path: str, size: int) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        new = f"{path}.eyas-new"  # half a file system is none
        try:
            with open(new, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.truncate(size)
            # The container's own programs fill it: a reserve for the host's root would be of no use.
            run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", "root_owner=0:0,nodiscard", new], timeout=SLOW)
            with open(new, "rb") as file:
                os.fsync(file.fileno())
            os.rename(new, path)
        except OSError as error:
            raise Failed(f"cannot make {path}: {error.strerror or error}", "is there room on its disk?") from None

    def grow(self, path: str, size: int) -> None:
        have = self.size(path)
        if have is None:
            raise Failed(f"cannot make {path} bigger: it is not there", "is its disk mounted?")
        if have < size:
            os.truncate(path, size)
        devices = run(["losetup", "--noheadings", "--output=NAME", "--associated", path]).text.split()
        for device in devices:
            run(["losetup", "--set-capacity", device])
            done = run(["resize2fs", device], timeout=SLOW, check=False)
            if "Permission denied" in done.error:
                raise Failed(
                    f"cannot make {path} bigger while it is mounted: the kernel does not allow it on this host",
                    f"it takes CAP_SYS_RESOURCE; or stop its container, umount {device}, and apply",
                )
            if done.code:
                raise Failed(f"cannot make {path} bigger: {done.error.splitlines()[-1] if done.error else done.code}")
        if not devices:
            checked = run(["e2fsck", "-f", "-p", path], timeout=SLOW, check=False)
            if checked.code > 1:  # 1: errors that it has corrected (e2fsck(8))
                raise Failed(f"cannot make {path} bigger: its file system has errors", f"run e2fsck -f {path}")
            run(["resize2fs", path], timeout=SLOW)
