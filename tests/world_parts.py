"""The smaller parts of the world in memory: firewall, accounts, packages, store, kernel, containers, keys."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Account, Door, Entry
from eyas.core.written import Listing, Noise, Writers
from tests.world_files import Fuse, Node

if TYPE_CHECKING:
    from tests.world import World


class WorldFirewall:
    def __init__(self, fuse: Fuse) -> None:
        self.fuse = fuse
        self.text = ""

    def check(self, text: str) -> None:
        if "syntax error" in text:
            raise Failed("cannot load the rules: syntax error")

    def load(self, text: str) -> None:
        self.fuse.act()
        self.check(text)
        for name in set(re.findall(r"\$(\w[\w-]*)", text)) - set(re.findall(r"^define (\S+) =", text, re.MULTILINE)):
            raise Failed(f"cannot load the rules: unknown identifier {name}")
        self.text = text

    def digest(self) -> str:
        return self.digest_of(self.text) if self.text else ""

    def digest_of(self, listing: str) -> str:
        return hashlib.sha256(listing.encode()).hexdigest()

    def delete(self) -> None:
        self.fuse.act()
        self.text = ""


class WorldAccounts:
    def __init__(self, world: World) -> None:
        self.world = world
        self.accounts = {"root": Account("root", 0, 0, "/root", "/bin/bash")}
        self.secrets = {"root": "root:*:1::::::"}

    def get(self, name: str) -> Account | None:
        return self.accounts.get(name)

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        numbers = []
        for name, field in ((owner, "uid"), (group, "gid")):
            account = self.accounts.get(name)
            if account is None and not name.isdigit():
                raise Failed(f"cannot find {name}: nobody has this name")
            numbers.append(int(getattr(account, field)) if account else int(name))
        return numbers[0], numbers[1]

    def put(self, account: Account) -> None:
        self.world.fuse.act()
        for other in self.accounts.values():
            if other.uid == account.uid and other.name != account.name:
                raise Failed(f"cannot make the user {account.name}: {other.name} has the id {account.uid}")
        self.accounts[account.name] = account
        self.secrets.setdefault(account.name, f"{account.name}:!:1::::::")
        files = self.world.files
        if account.home not in files.nodes:
            files.parents(account.home)
            files.nodes[account.home] = Node("dir", 0o700, account.uid, account.gid)

    def remove(self, name: str) -> None:
        self.world.fuse.act()
        if name == "root":
            raise Failed("cannot remove root")
        self.accounts.pop(name, None)
        self.secrets.pop(name, None)

    def secret(self, name: str) -> str:
        return self.secrets.get(name, "")

    def put_secret(self, line: str) -> None:
        name = line.partition(":")[0]
        if name not in self.accounts:
            raise Failed(f"cannot set the password of {name}: there is no such user")
        if self.secrets[name] != line:
            self.world.fuse.act()
            self.secrets[name] = line


class WorldPackages:
    def __init__(self, fuse: Fuse) -> None:
        self.fuse = fuse
        self.known = {"bash": "5.2-1"}
        self.here: dict[str, str] = {"bash": "5.2-1"}

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        return {name: self.here[name] for name in names if name in self.here}

    def install(self, names: Sequence[str]) -> None:
        self.fuse.act()
        for name in names:
            if name.startswith("missing"):
                raise Failed(f"cannot install {name}: no such package")
            self.here.setdefault(name, "1.0-1")

    def remove(self, names: Sequence[str]) -> None:
        self.fuse.act()
        for name in names:
            self.here.pop(name, None)


class WorldStore:
    def __init__(self, world: World) -> None:
        self.world = world
        self.commits: set[str] = set()

    def has(self, commit: str) -> bool:
        return commit in self.commits

    def checkout(self, commit: str, path: str) -> None:
        self.world.fuse.act()
        if commit not in self.commits:
            raise Failed(f"cannot check out {commit}: it is not in the store")
        files = self.world.files
        if path in files.nodes:
            raise Failed(f"cannot check out {commit}: {path} is there already")
        files.parents(path)
        files.nodes[path] = Node("dir", 0o755)
        files.nodes[f"{path}/usr"] = Node("dir", 0o755)


class WorldKernel:
    def __init__(self, fuse: Fuse) -> None:
        self.fuse = fuse
        self.values = {
            "net.ipv4.ip_forward": "0",
            "net.ipv6.conf.all.forwarding": "0",
            "vm.swappiness": "60",
            "fs.inotify.max_user_instances": "128",
        }

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def settable(self, key: str) -> bool:
        return key in self.values

    def set(self, key: str, value: str) -> None:
        self.fuse.act()
        if key not in self.values:
            raise Failed(f"cannot set {key}: this kernel has no such setting")
        self.values[key] = value


class WorldContainers:
    def __init__(self, world: World) -> None:
        self.world = world
        self.edited: dict[str, dict[str, Entry | None]] = {}  # container: path in its running root: entry
        self.bound: dict[str, dict[str, tuple[str, bool]]] = {}  # container: target: source, and whether read-only
        self.listings: dict[str, Listing] = {}  # what a test says that a container wrote
        self.inside: dict[tuple[str, str], Entry] = {}  # what a test says that there is in a running root

    def edit(self, container: str, uid_base: int, put: Sequence[Entry], drop: Sequence[str]) -> None:
        self.world.fuse.act()
        if container not in self.world.roots:
            raise Failed(f"cannot write into {container}: it does not run")
        root = self.edited.setdefault(container, {})
        root.update({entry.path: entry for entry in put})
        root.update(dict.fromkeys(drop))

    def bind(self, container: str, uid_base: int, source: str, target: str, readonly: bool, instead: str = "") -> None:
        self.world.fuse.act()
        if container not in self.world.roots:
            raise Failed(f"cannot bind into {container}: it does not run")
        if source not in self.world.files.nodes:
            raise Failed(f"cannot bind {source}: there is no such path")
        self.bound[container][target] = (source, readonly)

    def unbind(self, container: str, uid_base: int, source: str, target: str) -> None:
        self.world.fuse.act()
        self.bound[container].pop(target, None)

    def find(self, commit: str, path: str) -> Entry | None:
        return None

    def written(
        self, container: str, lowers: Sequence[str], skip: Sequence[str], noise: Noise, *, everything: bool = False
    ) -> Listing:
        if container not in self.world.roots:
            raise Failed(f"cannot list what {container} wrote: it does not run")
        return self.listings.get(container, Listing())

    def writers(self, container: str, uid_base: int) -> Writers:
        return Writers()

    def read(self, container: str, path: str, uid_base: int) -> Entry | None:
        return self.inside.get((container, path)) if container in self.world.roots else None

    def weigh(self, container: str, path: str) -> int | None:
        held = self.inside.get((container, path)) if container in self.world.roots else None
        return len(held.data) if held is not None and held.type == "dir" else None

    def probe(self, container: str) -> None:
        self.world.fuse.act()
        if container not in self.world.roots:
            raise Failed(f"cannot probe {container}: it does not run")
        self.world._put(paths.probes(container), b"")

    def clear(self, container: str) -> None:
        self.world.fuse.act()
        if paths.unit_name(container) in self.world.units.running:
            raise Failed(f"cannot clear {container}: it runs")
        self.world.root_down(container)


class WorldTraffic:
    """Doors that are held; nobody is ever busy, unless a test says so in ``connections``."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.forgotten: list[tuple[str, ...]] = []
        self.held: dict[Door, float] = {}
        self.ever: list[Door] = []
        self.connections: dict[str, int] = {}
        self.late: set[str] = set()  # containers whose services are not up when systemd in them is
        self.open: dict[tuple[str, str], tuple[tuple[str, int], ...]] = {}  # (container, unit): what it listens on

    def hold(self, door: Door, seconds: float) -> None:
        self.world.fuse.act()
        if not self.world.firewall.text:
            raise Failed(f"cannot hold {door.container}: no table")
        self.held[door] = max(seconds, self.held.get(door, 0.0))
        self.ever.append(door)

    def release(self, door: Door) -> None:
        if door in self.held:
            self.world.fuse.act()
            del self.held[door]

    def release_all(self) -> None:
        if self.held:
            self.world.fuse.act()
            self.held.clear()

    def busy(self, container: str, ports: Sequence[tuple[str, int]] = ()) -> tuple[str, ...]:
        count = self.connections.get(container, 0) if container in self.world.roots else 0
        return ("198.51.100.10 to port 80 (ESTAB)",) * count

    def listening(self, container: str, units: Sequence[str]) -> tuple[tuple[str, int], ...]:
        if container not in self.world.roots:
            return ()
        return tuple(sorted({port for unit in units for port in self.open.get((container, unit), ())}))

    def back(self, door: Door) -> bool:
        return door.machine not in self.late

    def forget(self, addresses: Sequence[str]) -> None:
        self.world.fuse.act()
        self.forgotten.append(tuple(addresses))


class WorldKeys:
    def __init__(self, world: World) -> None:
        self.world = world

    def make_host_keys(self, folder: str) -> None:
        self.world.fuse.act()
        files = self.world.files
        files.parents(f"{folder}/x")
        files.nodes[folder] = Node("dir", 0o700)
        for kind in ("ed25519", "rsa"):
            path = f"{folder}/ssh_host_{kind}_key"
            files.nodes.setdefault(path, Node("file", 0o600, data=f"key of {path}".encode()))


class WorldNetwork:
    """networkd: it makes links when it reads its files, and never takes one away."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.links: set[str] = set()

    def reload(self) -> None:
        self.world.fuse.act()
        self.read()

    def read(self) -> None:
        files = self.world.files
        for name in files.list(paths.NETWORK):
            text = (files.read(f"{paths.NETWORK}/{name}") or b"").decode()
            if name.endswith(".netdev"):
                self.links |= set(re.findall(r"^Name=(\S+)$", text, re.MULTILINE))

    def wait(self, link: str, timeout: float = 10) -> None:
        if link not in self.links:
            raise Failed(f"cannot find the link {link}: it is not there after {timeout:g} s")

    def delete(self, link: str) -> None:
        self.world.fuse.act()
        self.links.discard(link)


class WorldVolumes:
    """Image files that say how much they hold."""

    def __init__(self, world: World) -> None:
        self.world = world

    def size(self, path: str) -> int | None:
        data = self.world.files.read(path)
        return None if data is None else int(data)

    def make(self, path: str, size: int) -> None:
        self.world.files.write(path, str(size).encode(), 0o600)

    def grow(self, path: str, size: int) -> None:
        self.world.files.write(path, str(max(size, self.size(path) or 0)).encode(), 0o600)


class WorldCertificates:
    """An authority in memory, which refuses names that begin with ``refused``; challenges are answered where
    ``answering`` says so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answering: set[str] = set()  # addresses
        self.issued: list[tuple[str, ...]] = []
        self.revoked: list[str] = []
        self.days = 90.0

    def obtain(self, orders: Sequence[Mapping[str, Any]], web: Sequence[str]) -> dict[str, str]:
        errors = {}
        for order in orders:
            bad = [name for name in order["names"] if name.startswith("refused")]
            if bad or (order["challenge"] == "http" and not web):
                errors[str(order["name"])] = f"{bad[0] if bad else 'nobody answers'}: refused (unauthorized)"
            else:
                self.issued.append(tuple(order["names"]))
                self._put(order, str(order["directory"]))
        return errors

    def placeholder(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        for order in orders:
            self._put(order, "")
        return {}

    def revoke(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        self.world.fuse.act()
        for order in orders:
            assert self.world.files.read(f"{order['folder']}/fullchain.pem") is not None
            self.revoked.append(str(order["name"]))
        return {}

    def suggest(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        return {}

    def answers(self, address: str, folder: str) -> bool:
        return address in self.answering and folder in self.world.files.nodes

    def _put(self, order: Mapping[str, Any], directory: str) -> None:
        now = time.time()
        about = {"names": sorted(order["names"]), "not_before": now, "not_after": now + self.days * 86400}
        files, folder = self.world.files, str(order["folder"])
        files.mkdir(folder, 0o700)
        for name, data in (
            ("key.pem", b"key"),
            ("fullchain.pem", b"chain"),
            ("about.json", json.dumps({**about, "directory": directory}).encode()),
        ):
            files.write(f"{folder}/{name}", data, 0o600)
