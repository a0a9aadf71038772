"""A lab as a value, and the three verbs about labs: up, down, list."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyas.core.errors import Failed, UsageError
from eyas.core.events import Event, Listener, silent
from eyas.host.command import Result, run
from eyas.lab import authority, cgroup, furnish, kernel, sweep, tree, wire
from eyas.lab.machine import ENVIRONMENT, JOIN, Machine
from eyas.lab.place import Place, labs_root
from eyas.lab.spec import LabHost, public_addresses
from eyas.lab.state import alive, locked, read_json, start_time, write_json

INTERNET = "internet"
_TRUST = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS")


@dataclass(frozen=True)
class LabSummary:
    """One line of ``eyas lab list``. ``hosts`` gives each host's state: up, booting, off."""

    id: str
    directory: str
    hosts: Mapping[str, str]
    boot_seconds: Mapping[str, float | None]
    addresses: Mapping[str, Sequence[str]]


class Lab:
    """The lab of a fleet directory. It keeps nothing in memory but what the lab is to be."""

    def __init__(self, place: Place, directory: Path, specs: Sequence[LabHost]) -> None:
        self.place = place
        self.directory = directory
        self.specs = tuple(specs)

    @property
    def id(self) -> str:
        return self.place.id

    @property
    def ca_dir(self) -> Path:
        """The directory of the lab's certificate authority: ca.pem, ca.key."""
        return self.place.authority

    @property
    def hosts(self) -> dict[str, Machine]:
        return {spec.name: Machine(self.place.host(spec.name), spec) for spec in self.specs}

    def host(self, name: str) -> Machine:
        """The host of that name; UsageError when there is none."""
        if name not in (hosts := self.hosts):
            raise UsageError(f"cannot find {name} in the lab {self.id}: its hosts are {', '.join(sorted(hosts))}")
        return hosts[name]

    # ------------------------------------------------------------ reach

    def command(self, name: str, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` as root on a host, or as a client in the ``internet``, with its
        three streams passed through. Takes some 0.2 ms; the host's agent is started by it."""
        if name != INTERNET:
            return self.host(name).command(argv)
        if self.place.internet not in wire.namespaces():
            raise Failed(f"cannot reach the internet of the lab {self.id}: the lab is down", "start it: eyas lab up")
        group = cgroup.unified() / self.place.cgroup / INTERNET
        trust = [f"{variable}={self.ca_dir / 'ca.pem'}" for variable in _TRUST]
        term = [f"TERM={os.environ['TERM']}"] if "TERM" in os.environ else []
        return [
            *("/bin/sh", JOIN, str(group), "ip", "netns", "exec", self.place.internet),
            *("env", "-i", *ENVIRONMENT, *term, *trust, *argv),
        ]

    def shell(self, name: str) -> list[str]:
        """The command line of an interactive shell there, to be run on a terminal."""
        if name == INTERNET:
            return self.command(name, ["/bin/bash", "-l"])
        return self.host(name).shell_command()

    def exec(
        self,
        name: str,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,
        timeout: float = 60.0,
        check: bool = True,
    ) -> Result:
        """Run a command on a host or in the internet to its end, and return what it said."""
        if name != INTERNET:
            return self.host(name).run(argv, input=input, timeout=timeout, check=check)
        return run(self.command(name, argv), input=input, timeout=timeout, check=check)

    # ------------------------------------------------------------ power and wire

    def cut(self, name: str) -> None:
        """Cut a host's power; its disk stays as it is in that moment."""
        with locked(self.place):
            self.host(name).cut()

    def boot(self, name: str) -> float:
        """Power a host on and wait until it is up; the seconds that took."""
        with locked(self.place):
            return self.host(name).boot()

    def reboot(self, name: str) -> float:
        """Let a host reboot in order; the seconds from power on until it was up again."""
        with locked(self.place):
            return self.host(name).reboot()

    def block(self, name: str) -> None:
        """Lose every packet on a host's wire, in both directions, until `unblock` (or its next boot)."""
        wire.set_blocked(self.host(name).place, True)

    def unblock(self, name: str) -> None:
        wire.set_blocked(self.host(name).place, False)

    # ------------------------------------------------------------ internet

    def set_names(self, names: Mapping[str, str | Sequence[str]]) -> None:
        """What clients in the internet resolve: each public name with its address or addresses. Replaces all
        names set before; the hosts' own names are always there."""
        known: dict[str, Sequence[str]] = dict(public_addresses(self.specs))
        known.update({name: [each] if isinstance(each, str) else each for name, each in names.items()})
        wire.set_names(self.place, known)

    def issue(self, names: Sequence[str]) -> tuple[str, str]:
        """A certificate by the lab's authority for DNS names: (chain, key) as PEM text."""
        return authority.issue(self.ca_dir, names)

    # ------------------------------------------------------------ state

    def summary(self) -> LabSummary:
        states = {}
        for name, machine in self.hosts.items():
            states[name] = "up" if machine.is_up() else "off" if machine.leader() is None else "booting"
        return LabSummary(
            id=self.id,
            directory=str(self.directory),
            hosts=states,
            boot_seconds={name: machine.boot_seconds for name, machine in self.hosts.items()},
            addresses=public_addresses(self.specs),
        )


def up(
    directory: Path,
    specs: Sequence[LabHost],
    source: tree.Source | None = None,
    *,
    outer: bool = True,
    owner: int | None = None,
    listener: Listener = silent,
) -> Lab:
    """Boot the lab of a fleet directory, or what of it does not run; hosts that run are left alone.

    ``source`` is the tree that a new host's disk is copied from (default: one made of `LAB_PACKAGES`). With
    ``outer`` the hosts' public addresses are made reachable from this machine, where it has no other way to them.
    A lab with an ``owner`` (a process id) is an orphan when that process has ended: see `remove_orphans`.
    Raises Failed when a host does not come up (what it wrote to its console is in the message).
    """
    _need_root()
    place = Place.of(directory)
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise UsageError("cannot make a lab: two of its hosts have one name")
    with locked(place):
        # Noted before the first deed: from now on `down` and `list` know of it.
        write_json(
            place.state,
            {
                "version": 1,
                "directory": str(directory.resolve()),
                "hosts": [spec.to_json() for spec in specs],
                "owner": [owner, start_time(owner)] if owner is not None else None,
            },
        )
        place.path.chmod(0o700)
        lab = Lab(place, directory.resolve(), specs)
        _take_away_strangers(lab, listener)
        kernel.prepare(place.base, listener)
        authority.make_authority(place.authority)
        cgroup.make(f"{place.cgroup}/{INTERNET}")
        wire.make_internet(place, specs)
        if not (place.etc / "hosts").exists():
            lab.set_names({})
        _make_disks(lab, source, listener)
        _boot_all(lab, listener)
        if outer:
            addresses = [each for some in public_addresses(specs).values() for each in some]
            _, reasons = wire.open_outer(place, addresses)
            for reason in reasons:
                listener(Event("lab", "outer", reason, level="warning"))
    return lab


def down(directory: Path, *, keep_data: bool = False, listener: Listener = silent) -> bool:
    """Take a lab away, whatever state it is in; whether there was anything. With ``keep_data`` the disks stay."""
    _need_root()
    return remove(Place.of(directory), keep_data=keep_data, listener=listener)


def remove(place: Place, *, keep_data: bool = False, listener: Listener = silent) -> bool:
    """`down`, for a lab whose directory may be gone."""
    if not sweep.traces(place):
        place.lock.unlink(missing_ok=True)
        return False
    with locked(place):
        if keep_data:
            sweep.power_off(place)
        else:
            sweep.sweep(place)
        listener(Event("lab", place.id, "down"))
        if not any(other.place != place and _runs(other) for other in _labs(place.base)):
            kernel.restore(place.base, listener)
    return True


def remove_orphans(listener: Listener = silent) -> None:
    """Take away the labs whose owner has ended: those of tests that were killed."""
    _need_root()
    for lab in _labs(labs_root()):
        owner = (read_json(lab.place.state) or {}).get("owner")
        if owner is not None and not alive(*owner):
            remove(lab.place, listener=listener)


def find(directory: Path) -> Lab:
    """The lab of a fleet directory; Failed when there is none."""
    place = Place.of(directory)
    lab = _read(place)
    if lab is None:
        raise Failed(f"cannot find a lab of {directory}: there is none", f"start one: eyas lab up {directory}")
    return lab


def list_labs() -> list[LabSummary]:
    """All labs of this machine, also those that are off."""
    return [lab.summary() for lab in _labs(labs_root())]


# ---------------------------------------------------------------- the deeds of up


def _need_root() -> None:
    if os.geteuid() != 0:
        raise Failed("cannot work on a lab: only root can make machines and networks", "run it with sudo")


def _take_away_strangers(lab: Lab, listener: Listener) -> None:
    """Hosts that are no longer of the fleet, or were half removed."""
    for path in sorted(lab.place.path.iterdir()):
        if path.is_dir() and path.name not in lab.hosts and path != lab.place.authority:
            listener(Event("lab", path.name, "no longer of this lab: taken away"))
            sweep.remove_host(lab.place.host(path.name))


def _make_disks(lab: Lab, source: tree.Source | None, listener: Listener) -> None:
    for machine in lab.hosts.values():
        if machine.root.exists():
            if furnish.uplink(machine.root, machine.spec) and machine.leader() is not None:
                machine.run(["networkctl", "reload"])
            continue
        if source is None:
            source = tree.lab_tree(listener)
        listener(Event("lab", machine.name, "making its disk"))
        machine.place.path.mkdir(exist_ok=True)
        prepared = machine.root.with_name("root.prepared")
        if prepared.exists():
            sweep.remove_tree(prepared)
        tree.copy(source, prepared)
        furnish.furnish(prepared, machine.spec, lab.id)
        prepared.rename(machine.root)


def _boot_all(lab: Lab, listener: Listener) -> None:
    """Power all hosts on, then wait for each: they boot at the same time."""
    began = time.monotonic()
    cold = [machine for machine in lab.hosts.values() if not machine.is_up()]
    for machine in cold:
        machine.power_on()
    for done, machine in enumerate(cold, start=1):
        seconds = machine.wait()
        listener(Event("lab", machine.name, f"up, booted in {seconds:.1f} s", done=done, total=len(cold)))
    if len(cold) > 1:
        listener(Event("lab", lab.id, f"{len(cold)} hosts up in {time.monotonic() - began:.1f} s"))


# ---------------------------------------------------------------- labs


def _read(place: Place) -> Lab | None:
    known = read_json(place.state)
    if known is None:
        return None
    return Lab(place, Path(known["directory"]), [LabHost.from_json(each) for each in known["hosts"]])


def _labs(base: Path) -> list[Lab]:
    if not base.is_dir():
        return []
    found = [_read(Place(path.name, base)) for path in sorted(base.iterdir()) if path.is_dir()]
    return [lab for lab in found if lab is not None]


def _runs(lab: Lab) -> bool:
    return cgroup.populated(lab.place.cgroup)
