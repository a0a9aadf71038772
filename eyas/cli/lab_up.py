"""`eyas lab up`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from eyas.cli.context import Context
from eyas.cli.progress import Late
from eyas.core.errors import UsageError

if TYPE_CHECKING:
    from eyas.lab import Lab, LabHost
    from eyas.model import Fleet, Host

OWNER = "EYAS_LAB_OWNER"
PREFIX6 = "EYAS_LAB_PREFIX6"  # how the provider of the lab gives IPv6 prefixes, whatever definitions say
CERTIFICATES = "/var/lib/acme"  # where a front keeps authority and certificate, unless told otherwise


def run(context: Context, *, folder: str | None = None) -> int:
    """Boot the hosts of a fleet; those that run are left alone."""
    from eyas.cli.evaluate import read
    from eyas.cli.view.text import count
    from eyas.lab import up

    began = time.monotonic()
    fleet = context.fleet(folder)
    definitions = read(fleet)
    owner = os.environ.get(OWNER)
    if owner is not None and not owner.isdecimal():
        raise UsageError(f"cannot use {OWNER}={owner}: it is the number of a process")
    specs = [_spec(host) for host in definitions.fleet.hosts]
    with Late(context.err, context.verbose) as listener:
        lab = up(Path(fleet), specs, owner=int(owner) if owner is not None else None, listener=listener)
        furnish(lab, definitions.fleet)
    hosts = ", ".join(f"{name} ({', '.join(found)})" for name, found in sorted(lab.summary().addresses.items()))
    context.write(f"The lab is up: {count(len(lab.specs), 'host')}, {time.monotonic() - began:.1f} s: {hosts}")
    return 0


def _spec(host: Host) -> LabHost:
    from eyas.lab import LabHost

    uplink = host.uplink
    return LabHost(
        host.name,
        uplink.interface,
        tuple(a for a in (uplink.address, uplink.address6) if a),
        tuple(g for g in (uplink.gateway, uplink.gateway6) if g),
        prefix6=os.environ.get(PREFIX6) or uplink.prefix6 or "on-link",
    )


def furnish(lab: Lab, fleet: Fleet) -> None:
    """Names of the sites for the lab's internet, and the lab's authority for the fronts, so that clients there trust
    them. Done again after each apply: a site may be new."""
    from eyas.model import merged

    names: dict[str, list[str]] = {}
    for host in fleet.hosts:
        public = [a.partition("/")[0] for a in (host.uplink.address, host.uplink.address6) if a]
        for container in host.containers:
            system = merged(container)
            for site in system.sites:
                names.update((name, public) for name in (site.name, *site.aliases) if "*" not in name)
            if system.sites:
                for bind in system.binds:
                    if bind.persistent and (bind.target or bind.source) == CERTIFICATES:
                        _trust(lab, host.name, bind.source)
    lab.set_names(names)


def _trust(lab: Lab, host: str, source: str) -> None:
    """Give a front the lab's authority, where it has none yet."""
    folder = lab.host(host).root / source.lstrip("/") / "ca"
    if (folder / "ca.crt").exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old, new, mode in (("ca.key", "ca.key", 0o600), ("ca.pem", "ca.crt", 0o644)):
        path = folder / new
        path.touch(mode=mode)
        path.write_bytes((lab.ca_dir / old).read_bytes())
