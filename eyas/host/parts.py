"""Small parts of the real host: the store, kernel settings, SSH host keys, networkd."""

from __future__ import annotations

import os
import time

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.host.command import run
from eyas.host.disk import NEW, sync_folder


class RealStore:
    """`eyas.core.system.Store`, by ostree(1)."""

    def has(self, commit: str) -> bool:
        return os.path.exists(f"{paths.STORE}/objects/{commit[:2]}/{commit[2:]}.commit")

    def checkout(self, commit: str, path: str) -> None:
        if not self.has(commit):
            raise Failed(
                f"cannot check out {commit[:12]}: the store of this host does not have it",
                "eyas build makes it, and eyas apply brings it",
            )
        new = path + NEW
        if os.path.lexists(new):
            import shutil

            shutil.rmtree(new)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        # Hard links, so that all containers share their pages in memory as well as their blocks on disk.
        run(["ostree", "checkout", f"--repo={paths.STORE}", "--require-hardlinks", commit, new], timeout=600)
        # Thousands of directories were made by another process: one sync of their file system for all of them.
        run(["sync", "--file-system", new], timeout=600)
        os.rename(new, path)
        sync_folder(os.path.dirname(path))


class RealKernel:
    """`eyas.core.system.Kernel`: files under /proc/sys (proc_sys(5)). ``root`` is that folder."""

    def __init__(self, root: str = "/proc/sys") -> None:
        self._root = root

    def _at(self, key: str) -> str:
        # As sysctl(8): the first separator decides; a name with dots (eth0.5) is written with slashes.
        name = key if "/" in key and ("." not in key or key.index("/") < key.index(".")) else key.replace(".", "/")
        return f"{self._root}/{name}"

    def get(self, key: str) -> str | None:
        try:
            with open(self._at(key), encoding="utf-8") as file:
                return " ".join(file.read().split())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Failed(f"cannot read the kernel setting {key}: {error.strerror}") from None

    def settable(self, key: str) -> bool:
        return os.access(self._at(key), os.W_OK)

    def set(self, key: str, value: str) -> None:
        try:
            with os.fdopen(os.open(self._at(key), os.O_WRONLY | os.O_CLOEXEC), "w", encoding="utf-8") as file:
                file.write(value)
        except FileNotFoundError:
            raise Failed(
                f"cannot set {key}: this kernel has no such setting", "a module may have to be loaded for it"
            ) from None
        except OSError as error:
            raise Failed(f"cannot set {key} to {value!r}: {error.strerror}") from None


class RealKeys:
    """`eyas.core.system.Keys`, by ssh-keygen(1)."""

    TYPES = ("ed25519", "ecdsa", "rsa")

    def make_host_keys(self, folder: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for kind in self.TYPES:
            path = f"{folder}/ssh_host_{kind}_key"
            if os.path.exists(path) and os.path.exists(path + ".pub"):
                continue
            new = f"{folder}/new_{kind}"
            for name in (new, new + ".pub"):
                if os.path.exists(name):
                    os.unlink(name)
            run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", new])
            os.rename(new + ".pub", path + ".pub")
            os.rename(new, path)  # the private key last: it is what says that the pair is there
        sync_folder(folder)


class RealNetwork:
    """`eyas.core.system.Network`."""

    def reload(self) -> None:
        run(["networkctl", "reload"])

    def wait(self, link: str, timeout: float = 10) -> None:
        end = time.monotonic() + timeout
        while not _is_link(link):
            if time.monotonic() > end:
                raise Failed(
                    f"cannot find the network link {link}: systemd-networkd has not made it in {timeout:g} s",
                    "look at: networkctl status; journalctl -u systemd-networkd -n 20",
                )
            time.sleep(0.02)

    def delete(self, link: str) -> None:
        if _is_link(link):
            run(["ip", "link", "delete", link])


def _is_link(name: str) -> bool:
    """Whether there is a network link of this name. /proc/sys/net is always that of our own network namespace; /sys may
    be of the one that it was mounted in, as in a host that runs in a namespace."""
    return os.path.exists(f"/proc/sys/net/ipv4/conf/{name}")
