"""The seam: all that eyas asks of a host and does to one.

`eyas.host.real.Real` is the machine we stand on; tests have a world in memory with the same parts. The
words are those of a host (a file, a unit, a table), never of a program that is started, so that a world
can be written without imitating systemctl or nft. All paths are absolute.

Each part may raise `eyas.core.errors.Failed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Any, Protocol

    from eyas.core.egress import Egress
    from eyas.core.volumes import Volumes
    from eyas.core.written import Listing, Noise, Writers
else:
    Protocol = object  # nobody asks at run time, and making protocols takes a host longer than looking at its files


@dataclass(frozen=True)
class FileStat:
    """What stands at a path itself (links are not followed). ``mode`` is the permission bits."""

    type: str  # file, dir, link, other
    mode: int
    uid: int
    gid: int
    size: int = 0


@dataclass(frozen=True)
class Entry:
    """One file, directory or link to be made below a root. ``path`` is absolute within it; ``data`` is the
    content of a file, ``target`` where a link points."""

    path: str
    type: str  # file, dir, link
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    data: bytes = b""
    target: str = ""


class Files(Protocol):
    """Plain files. Nothing is ever seen half-written, and what has been written survives a power cut."""

    def read(self, path: str) -> bytes | None:
        """The content (links are followed), None when there is no such file."""

    def stat(self, path: str) -> FileStat | None: ...

    def readlink(self, path: str) -> str | None:
        """Where a link points, None when there is no link."""

    def free(self, path: str) -> int:
        """Bytes that the file system of a path has left."""

    def list(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty when there is no directory."""

    def write(self, path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Put a file in place by rename; missing parents are made (0755, root)."""

    def symlink(self, target: str, path: str) -> None:
        """Put a link in place by rename; missing parents are made."""

    def link(self, source: str, path: str) -> None:
        """Give a file another name (a hard link), in the place of what has that name; missing parents are made."""

    def mkdir(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Make a directory with this owner and mode, also when it exists; missing parents are made (0755,
        root)."""

    def rename(self, old: str, new: str) -> None:
        """Move a file, link or directory, across file systems too; missing parents of ``new`` are made."""

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty directory; nothing happens when there is none. Failed when a directory is
        not empty."""

    def remove_tree(self, path: str) -> None:
        """Remove a directory with all below it. Stays on the file system; only for what eyas made."""

    def make_tree(self, path: str, entries: Sequence[Entry]) -> None:
        """Make a directory with these entries in one go: all of it is there afterwards, or nothing is."""


@dataclass(frozen=True)
class UnitState:
    """What systemd says of one unit (systemctl(1), "show")."""

    name: str
    load: str = "not-found"  # loaded, not-found, masked, error, bad-setting
    active: str = "inactive"  # active, activating, deactivating, failed, inactive, reloading, maintenance
    sub: str = "dead"
    result: str = "success"
    invocation: str = ""
    need_reload: bool = False
    main_pid: int = 0
    job: bool = False  # a job waits or runs
    drop_ins: tuple[str, ...] = ()
    memory: int = -1  # bytes; -1 when not accounted
    since: float = 0.0  # when it became active, seconds since the epoch; 0 when it is not
    restarts: int = 0  # how often systemd has started it again by itself; known of units in a container only
    can_reload: bool = True  # known of units in a container only

    @property
    def running(self) -> bool:
        return self.active in ("active", "activating", "reloading")


class Units(Protocol):
    """systemd of the host, or of a running container when ``machine`` names one."""

    def show(self, patterns: Sequence[str], machine: str = "") -> dict[str, UnitState]:
        """States of the units that are loaded and match (a name without wildcard is always answered)."""

    def daemon_reload(self, machine: str = "") -> None: ...

    def start(self, units: Sequence[str], *, wait: bool = True, timeout: float = 600, machine: str = "") -> None:
        """Start, in the order of the units' edges. With ``wait`` until the jobs are done, Failed if one fails."""

    def stop(self, units: Sequence[str], *, timeout: float = 600, machine: str = "", alone: bool = False) -> None:
        """Stop and wait. No error for what does not run or does not exist. ``alone``: whatever depends on them goes
        on running."""

    def restart(self, units: Sequence[str], *, wait: bool = True, timeout: float = 600, machine: str = "") -> None: ...

    def try_restart(self, units: Sequence[str], *, machine: str = "") -> None:
        """Restart those that run; leave the others alone. A name may be a pattern."""

    def reload(self, units: Sequence[str], *, machine: str = "") -> None:
        """Reload those that can be reloaded, restart those that cannot; leave those alone that do not run."""

    def reset_failed(self, units: Sequence[str], machine: str = "") -> None:
        """Forget failures; no error for unknown units."""

    def limit(self, unit: str, properties: Mapping[str, str]) -> None:
        """Let the kernel hold a running unit to these properties, which its files have already."""

    def later(self, unit: str, seconds: float, argv: Sequence[str]) -> None:
        """Run a command of the host in so many seconds, by a timer of systemd's own (``unit``.timer)."""

    def log(self, units: Sequence[str], *, folder: str = "", lines: int = 10) -> list[str]:
        """The last lines of the journal about units: of the host's, or of those of a container by the ``folder`` of
        its journal, which stands on the host also when it does not run."""


class Firewall(Protocol):
    """The nftables tables of eyas (``inet eyas`` and ``bridge eyas``); others are never touched."""

    def load(self, text: str) -> None:
        """Load a rule set in one transaction. Failed when it is refused: nothing has changed then."""

    def check(self, text: str) -> None:
        """Failed, with nft's words, when `load` would refuse this rule set; nothing changes."""

    def digest(self) -> str:
        """Digest of both as the kernel lists them, without handles and counters; '' when one is missing."""

    def digest_of(self, listing: str) -> str:
        """The same digest of a listing (``nft -j list table``) that was taken earlier."""

    def delete(self) -> None:
        """Delete the table, if there is one."""


@dataclass(frozen=True)
class Account:
    """A user of the host. ``groups`` are the supplementary ones, sorted."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    gecos: str = ""
    groups: tuple[str, ...] = ()


class Accounts(Protocol):
    def get(self, name: str) -> Account | None: ...

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        """Numbers of a user and a group, each given by name or as digits. Failed when there is nobody of that name."""

    def put(self, account: Account) -> None:
        """Create or change a user (and the group of the same name and gid); its home is made if missing."""

    def remove(self, name: str) -> None:
        """Remove a user and its own group; its home stays."""

    def secret(self, name: str) -> str:
        """The user's line of shadow(5): its password, as a hash, and the times that belong to it; '' for nobody."""

    def put_secret(self, line: str) -> None:
        """Give a user what such a line says."""


class Packages(Protocol):
    """Packages of the host itself (dpkg)."""

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those of the names that are installed, with their versions."""

    def install(self, names: Sequence[str]) -> None: ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove them; what they were the reason for stays."""


class Store(Protocol):
    """The OSTree store at `eyas.core.paths.STORE`."""

    def has(self, commit: str) -> bool: ...

    def checkout(self, commit: str, path: str) -> None:
        """Hard links of a commit at a path: complete, or not there at all."""


class Kernel(Protocol):
    """Settings under /proc/sys, by their dotted names."""

    def get(self, key: str) -> str | None:
        """The value, None when this kernel has no such setting."""

    def settable(self, key: str) -> bool:
        """Whether it is there and ours to change: some belong to the first network namespace."""

    def set(self, key: str, value: str) -> None: ...


class Containers(Protocol):
    """What can be done to a running container beside its units."""

    def edit(self, container: str, uid_base: int, put: Sequence[Entry], drop: Sequence[str]) -> None:
        """Write into the root of a running container, and remove paths from it.

        Entries carry owners as seen inside. Links that the container made are followed within its root only,
        so nothing can be written elsewhere. Binds and tmpfs of the container are not seen.
        """

    def bind(self, container: str, uid_base: int, source: str, target: str, readonly: bool, instead: str = "") -> None:
        """Show a path of the host in a running container, as its next start will; at once in the place of ``instead``
        when that is what is shown there. What it is mounted on is made when it is missing. Nothing happens when it is
        there already."""

    def unbind(self, container: str, uid_base: int, source: str, target: str) -> None:
        """Take such a bind out of a running container, with all that is mounted on it; what was made for it goes when
        it is empty. Files that somebody has open stay open. Nothing happens when it is not there."""

    def find(self, commit: str, path: str) -> Entry | None:
        """What the package tree of a commit has at a path, None when it has nothing there."""

    def written(
        self, container: str, lowers: Sequence[str], skip: Sequence[str], noise: Noise, *, everything: bool = False
    ) -> Listing:
        """What a running container wrote beyond its layers ``lowers`` (the topmost first), owners as seen inside;
        noise only in sums, unless ``everything``. ``skip`` are paths that were made for it. Failed when it does not
        run."""

    def writers(self, container: str, uid_base: int) -> Writers:
        """Who in a running container could have written what."""

    def read(self, container: str, path: str, uid_base: int) -> Entry | None:
        """What stands at a path in the root of a running container, owners as seen inside; links on the way are
        followed within it."""

    def weigh(self, container: str, path: str) -> int | None:
        """Bytes below a folder in the root of a running container; None when there is no such folder."""

    def probe(self, container: str) -> None:
        """Run the probes of a running container again; what they saw is at `eyas.core.paths.probes`."""

    def clear(self, container: str) -> None:
        """Take away what a container that does not run has left under /run, and its scratch file. No error
        if none."""


@dataclass(frozen=True)
class Door:
    """Where connections to a container arrive: its addresses, of both families, and by them the host's forwards.
    ``ports`` are (tcp or udp, port of the container); none means all. ``machine`` says whose sockets they are, where
    that is not called like the container (one in its second slot)."""

    container: str
    addresses: tuple[str, ...]
    ports: tuple[tuple[str, int], ...] = ()
    machine: str = field(default="", compare=False)


class Traffic(Protocol):
    """Connections towards containers: to let new ones wait, and to know when the others are done."""

    def hold(self, door: Door, seconds: float) -> None:
        """Let new connections wait, also those that come by a forward, until `release`, at most ``seconds``: the
        kernel lets go by itself. What is established goes on. Held twice is held once, until the later end."""

    def release(self, door: Door) -> None:
        """Let go, if it is held, and hand over the attempts that waited: no client waits for its own next one."""

    def release_all(self) -> None:
        """Let go of everything, also of what another process held."""

    def busy(self, container: str, ports: Sequence[tuple[str, int]] = ()) -> tuple[str, ...]:
        """Connections that others made to a running container (or to these ports of it) and that are in the middle
        of something: a request came and was not answered yet, an answer is on its way, or data moved just now; not
        idle ones. Each in words: who made it, to which port, its state. None for a container that does not run."""

    def listening(self, container: str, units: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """The (protocol, port) pairs that processes of these units in a running container listen on for the outside.
        Sockets that systemd inside keeps open itself (systemd.socket(5)) do not count: they wait by themselves."""

    def back(self, door: Door) -> bool:
        """Whether somebody listens again wherever somebody did when all of it was held; also when nobody knows."""

    def forget(self, addresses: Sequence[str]) -> None:
        """Let the kernel forget connections led to these addresses: whoever still sends is led to who is there now."""


class Keys(Protocol):
    def make_host_keys(self, folder: str) -> None:
        """SSH host keys (ssh_host_*_key, 0600) in a folder that is made 0700; those that are there stay."""


class Network(Protocol):
    def reload(self) -> None:
        """Let systemd-networkd read its files and apply them (networkctl(1), "reload")."""

    def wait(self, link: str, timeout: float = 10) -> None:
        """Wait until a link is there; Failed when it is not in time."""

    def delete(self, link: str) -> None:
        """Delete a virtual link; no error when there is none."""


class Certificates(Protocol):
    """Certificates by ACME. An order is an object with ``name``, ``names``, ``directory``, ``email``, ``ca``,
    ``challenge`` (`eyas.kind.certificate`) and ``folder``, which is made with ``key.pem``, ``fullchain.pem`` and
    ``about.json`` (version, names, not_before, not_after, serial, issuer, directory, made), for root alone, whole or
    not at all. No key is ever in an answer."""

    def obtain(self, orders: Sequence[Mapping[str, Any]], web: Sequence[str]) -> dict[str, str]:
        """Ask for certificates; by name why not. ``web`` are the folders whose files are answered on port 80."""

    def placeholder(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Make pairs that nobody trusts, for a server that needs some to start."""

    def revoke(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Tell the authority that the pair in the folder is not to be trusted any more; by name why not."""

    def suggest(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """When the authority suggests to renew (RFC 9773), seconds since the epoch, by name; only where it does."""

    def answers(self, address: str, folder: str) -> bool:
        """Whether what is written to the folder is answered at this address on port 80, for any name."""


class System(Protocol):
    """One host."""

    @property
    def files(self) -> Files: ...
    @property
    def units(self) -> Units: ...
    @property
    def firewall(self) -> Firewall: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def packages(self) -> Packages: ...
    @property
    def store(self) -> Store: ...
    @property
    def kernel(self) -> Kernel: ...
    @property
    def containers(self) -> Containers: ...
    @property
    def traffic(self) -> Traffic: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def network(self) -> Network: ...
    @property
    def certificates(self) -> Certificates: ...
    @property
    def volumes(self) -> Volumes: ...
    @property
    def egress(self) -> Egress: ...

    def ahead(self, patterns: Sequence[str]) -> None:
        """A hint before an observation: these units and the firewall will be asked for. What it fetched is given to
        the next ``units.show(patterns)`` and ``firewall.digest()`` alone."""
