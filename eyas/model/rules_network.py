"""Rules about who reaches whom: what containers use, what the outside may ask the host for, what the kernel needs."""

from __future__ import annotations

from collections.abc import Iterator

from eyas.core.errors import Diagnostic
from eyas.model.kernel import needed
from eyas.model.machines import Host
from eyas.model.origin import split
from eyas.model.reach import said


def untrusted(host: Host) -> Iterator[Diagnostic]:
    """One that is not trusted uses nobody, whoever says so."""
    shut = {container.name for container in host.containers if container.untrusted}
    for container in host.containers:
        for use in said(container):
            if use.client in shut and use.client != use.server:
                yield Diagnostic(
                    *split(use.origin),
                    "Container.uses",
                    f"cannot let {use.client} use {use.server}: it is untrusted",
                    "leave one of the two out: an untrusted container reaches the world only",
                )


def open_ports(host: Host) -> Iterator[Diagnostic]:
    """A port of the host leads to a container or to the host itself, and is opened once."""
    forwards = {(f.proto, f.port): c for c in host.containers for f in c.forwards}
    seen: dict[tuple[str, int], str] = {}
    for port in host.open:
        key = (port.proto, port.port)
        container = forwards.get(key)
        what = f"cannot open port {port.port}/{port.proto} of host {host.name}"
        if container is not None:
            why = f"{what}: it leads to container {container.name} ({container.statement})"
            yield port.diagnostic("port", why, "leave one of the two out")
        elif key in seen:
            yield port.diagnostic(
                "port", f"{what}: it is open already ({seen[key]})", "put the sources of both into one"
            )
        seen.setdefault(key, port.origin)


def way_in(host: Host) -> Iterator[Diagnostic]:
    """Nobody could log in; what is said only of definitions that are right otherwise."""
    if not host.open:
        yield Diagnostic(
            *split(host.statement),
            "Host.open",
            f"no port of host {host.name} is open to the outside: nobody could log in on it",
            "write Host(..., open=[Open(22)]), with the port of its SSH",
            "warning",
        )


def kernel(host: Host) -> Iterator[Diagnostic]:
    """Declared settings that are too small for so many containers."""
    for key, least in needed(host).items():
        value = str(host.sysctls.get(key, least))
        if value.isdigit() and int(value) < least:
            count = len(host.containers)
            what = "container" if count == 1 else "containers"
            yield host.diagnostic(
                "sysctls",
                f"{key} = {value} is little for {count} {what}",
                f"leave it out, and it is at least {least}",
                "warning",
            )


NETWORK_RULES = (untrusted, open_ports, kernel)
