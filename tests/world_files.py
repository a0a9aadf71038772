"""Files of the world in memory, and the fuse that all its parts burn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from eyas.core.errors import Failed
from eyas.core.system import Entry, FileStat


class Killed(BaseException):
    """The process died here. No `Exception`: nothing may catch it and go on."""


class Fuse:
    """Counts acts that change the host; burns at a given one."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False  # burn when the act is done, not instead of it
        self.count = 0
        self._burning = False

    def act(self) -> None:
        """Call before an act."""
        self.burn()
        self.count += 1
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        self._burning = self.left < 0

    def burn(self) -> None:
        """The process is dead already: the act before was its last."""
        if self._burning:
            raise Killed

    def off(self) -> None:
        self.left, self._burning = None, False


@dataclass
class Counter:
    value: int = 0


_COUNTER = Counter()


def new_id() -> str:
    """An id that never comes twice, the same in each run of the tests."""
    _COUNTER.value += 1
    return hashlib.md5(str(_COUNTER.value).encode()).hexdigest()


@dataclass(frozen=True)
class Node:
    type: str  # file, dir, link
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    data: bytes = b""
    target: str = ""


class WorldFiles:
    def __init__(self, fuse: Fuse) -> None:
        self.fuse = fuse
        self.nodes: dict[str, Node] = {}
        for path in ("/", "/etc", "/etc/systemd", "/etc/systemd/system", "/etc/systemd/network", "/etc/sysctl.d"):
            self.nodes[path] = Node("dir", 0o755)
        for path in (
            "/var",
            "/var/lib",
            "/var/lib/eyas",
            "/var/lib/machines",
            "/run",
            "/home",
            "/usr",
            "/usr/local",
            "/usr/local/lib",
        ):
            self.nodes[path] = Node("dir", 0o755)
        self.nodes["/var/log"] = self.nodes["/var/log/journal"] = Node("dir", 0o755)

    # Looking

    def _resolve(self, path: str, depth: int = 0) -> str:
        node = self.nodes.get(path)
        if node is None or node.type != "link":
            return path
        if depth > 20:
            raise Failed(f"cannot follow {path}: a loop of links")
        target = node.target if node.target.startswith("/") else f"{path.rpartition('/')[0]}/{node.target}"
        return self._resolve(plain(target), depth + 1)

    def read(self, path: str) -> bytes | None:
        check_path(path)
        node = self.nodes.get(self._resolve(path))
        return node.data if node is not None and node.type == "file" else None

    def stat(self, path: str) -> FileStat | None:
        check_path(path)
        node = self.nodes.get(path)
        return FileStat(node.type, node.mode, node.uid, node.gid, len(node.data)) if node is not None else None

    def readlink(self, path: str) -> str | None:
        node = self.nodes.get(path)
        return node.target if node is not None and node.type == "link" else None

    def below(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        return [p for p in self.nodes if p.startswith(prefix)]

    def free(self, path: str) -> int:
        return 1 << 40

    def list(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        names = (p[len(prefix) :] for p in self.nodes if p.startswith(prefix))
        return sorted({name for name in names if name and "/" not in name})

    # Changing

    def parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if not parent:
            return
        node = self.nodes.get(parent)
        if node is None:
            self.parents(parent)
            self.nodes[parent] = Node("dir", 0o755)
        elif node.type != "dir":
            raise Failed(f"cannot make {path}: {parent} is no directory")

    def write(self, path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        check_path(path)
        self.fuse.act()
        assert isinstance(data, bytes)
        if (node := self.nodes.get(path)) is not None and node.type == "dir":
            raise Failed(f"cannot write {path}: it is a directory")
        self.parents(path)
        self.nodes[path] = Node("file", mode, uid, gid, data)

    def symlink(self, target: str, path: str) -> None:
        check_path(path)
        self.fuse.act()
        if (node := self.nodes.get(path)) is not None and node.type == "dir":
            raise Failed(f"cannot link {path}: it is a directory")
        self.parents(path)
        self.nodes[path] = Node("link", 0o777, target=target)

    def link(self, source: str, path: str) -> None:
        check_path(path)
        self.fuse.act()
        if (node := self.nodes.get(source)) is None or node.type != "file":
            raise Failed(f"cannot link {source}: there is no such file")
        self.parents(path)
        self.nodes[path] = node

    def mkdir(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        check_path(path)
        self.fuse.act()
        if (node := self.nodes.get(path)) is not None and node.type != "dir":
            raise Failed(f"cannot make the directory {path}: there is a {node.type}")
        self.parents(path)
        self.nodes[path] = Node("dir", mode, uid, gid)

    def rename(self, old: str, new: str) -> None:
        check_path(old)
        check_path(new)
        self.fuse.act()
        if old not in self.nodes:
            raise Failed(f"cannot move {old}: there is no such file")
        there = self.nodes.get(new)
        if there is not None and (there.type == "dir") != (self.nodes[old].type == "dir"):
            raise Failed(f"cannot move {old} to {new}: there is a {there.type}")
        if there is not None and there.type == "dir" and self.below(new):
            raise Failed(f"cannot move {old} to {new}: directory not empty")
        self.parents(new)
        moved = {new + p[len(old) :]: self.nodes.pop(p) for p in [old, *self.below(old)]}
        self.nodes.update(moved)

    def remove(self, path: str) -> None:
        check_path(path)
        self.fuse.act()
        if self.nodes.get(path) is not None and self.nodes[path].type == "dir" and self.below(path):
            raise Failed(f"cannot remove {path}: directory not empty")
        self.nodes.pop(path, None)

    def remove_tree(self, path: str) -> None:
        check_path(path)
        self.fuse.act()
        if path.count("/") < 3:
            raise Failed(f"cannot remove {path}: too much would go")
        for p in [path, *self.below(path)]:
            self.nodes.pop(p, None)

    def make_tree(self, path: str, entries: Sequence[Entry]) -> None:
        check_path(path)
        self.fuse.act()
        self.parents(path)
        for p in [path, *self.below(path)]:
            self.nodes.pop(p, None)
        self.nodes[path] = Node("dir", 0o755)
        for entry in entries:
            place = f"{path}{entry.path if entry.path.startswith('/') else '/' + entry.path}".rstrip("/")
            if place != path:
                self.parents(place)
            self.nodes[place] = Node(entry.type, entry.mode, entry.uid, entry.gid, entry.data, entry.target)


def check_path(path: str) -> None:
    if not path.startswith("/") or path != plain(path):
        raise AssertionError(f"not an absolute, plain path: {path!r}")


def plain(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
