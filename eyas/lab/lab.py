"""A lab as a value: what it is to be, how its hosts and its internet are reached, and what can be done to them.

Imported by every command that goes to a lab host, so it imports little; booting and taking away are in `life`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyas.core.errors import Failed, UsageError
from eyas.host.command import Result, run
from eyas.lab import cgroup, wire
from eyas.lab.machine import ENVIRONMENT, JOIN, Machine
from eyas.lab.place import Place, labs_root
from eyas.lab.spec import LabHost, public_addresses
from eyas.lab.state import locked, read_json, write_json

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
        names set before; the hosts' own names are always there, and those of `keep_names`."""
        self._write_names({name: [each] if isinstance(each, str) else list(each) for name, each in names.items()})

    def keep_names(self, names: Mapping[str, Sequence[str]]) -> None:
        """Further names, of others in the internet, that stay whatever `set_names` sets; they replace those that were
        kept before."""
        write_json(self.place.kept_names, {name: list(each) for name, each in names.items()}, sync=False)
        self._write_names(read_json(self.place.public_names) or {})

    def _write_names(self, names: Mapping[str, Sequence[str]]) -> None:
        write_json(self.place.public_names, dict(names), sync=False)
        kept = read_json(self.place.kept_names) or {}
        wire.set_names(self.place, {**public_addresses(self.specs), **names, **kept})

    def issue(self, names: Sequence[str]) -> tuple[str, str]:
        """A certificate by the lab's authority for DNS names: (chain, key) as PEM text."""
        from eyas.lab import authority

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


def find(directory: Path) -> Lab:
    """The lab of a fleet directory; Failed when there is none."""
    place = Place.of(directory)
    lab = read(place)
    if lab is None:
        raise Failed(f"cannot find a lab of {directory}: there is none", f"start one: eyas lab up {directory}")
    return lab


def list_labs() -> list[LabSummary]:
    """All labs of this machine, also those that are off."""
    return [lab.summary() for lab in all_labs(labs_root())]


def read(place: Place) -> Lab | None:
    """The lab at a place, None when there is none."""
    known = read_json(place.state)
    if known is None:
        return None
    return Lab(place, Path(known["directory"]), [LabHost.from_json(each) for each in known["hosts"]])


def all_labs(base: Path) -> list[Lab]:
    """All labs whose directories lie in ``base``."""
    if not base.is_dir():
        return []
    found = [read(Place(path.name, base)) for path in sorted(base.iterdir()) if path.is_dir()]
    return [lab for lab in found if lab is not None]
