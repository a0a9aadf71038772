"""Certificates of a host: their resources, what runs for them on the host, and where containers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eyas.core import paths
from eyas.core.words import Json, Resource
from eyas.kind.certificate import owner
from eyas.model import Acme, Certificate, Dns, Host, System

PACKAGES = ("python3-acme",)
DNS_PACKAGES = ("python3-dnspython",)
AGENT = f"{paths.PROGRAMS}/agent/current/run.py"
SERVICE, TIMER = "eyas-certificates.service", "eyas-certificates.timer"
UNITS = {
    SERVICE: f"""\
[Unit]
Description=Renew certificates whose time has come
Documentation=man:eyas(1)
After=network-online.target machines.target

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I -S -B {AGENT} renew
TimeoutStartSec=3h
""",
    TIMER: """\
[Unit]
Description=Renew certificates whose time has come

[Timer]
OnCalendar=*-*-* 00/6:00
RandomizedDelaySec=6h
FixedRandomDelay=yes
Persistent=yes

[Install]
WantedBy=timers.target
""",
}


def certificate_resources(host: Host, systems: Mapping[str, System]) -> list[Resource]:
    """All that the certificates of a host need; nothing for a host without any."""
    users: dict[str, dict[str, set[str]]] = {}
    known: dict[str, Certificate] = {}
    for container in host.containers:
        for use in systems[container.name].certificates:
            known.setdefault(use.certificate.name, use.certificate)
            users.setdefault(use.certificate.name, {}).setdefault(container.name, set()).update(use.reload)
    fronts = [container.name for container in host.containers if systems[container.name].sites]
    found = [_resource(known[name], users[name], fronts) for name in sorted(known)]
    return [*found, *_support(host, [*known.values()])] if found else []


def _resource(certificate: Certificate, users: Mapping[str, set[str]], fronts: Sequence[str]) -> Resource:
    authority = certificate.authority
    rows: list[Json] = [{"container": name, "reload": [*sorted(units)]} for name, units in sorted(users.items())]
    answering: list[Json] = [*fronts] if authority.challenge == "http" else []
    fields: dict[str, Json] = {
        "names": [*dict.fromkeys(certificate.names)],
        "directory": authority.directory,
        "email": authority.email,
        "ca": authority.ca,
        "challenge": challenge(authority),
        "users": rows,
        "fronts": answering,
    }
    return Resource(f"certificate:{certificate.name}", "certificate", owner(fields), fields, certificate.origin)


def challenge(authority: Acme) -> Json:
    """How names are proved, as the kind knows it: only paths of keys, never keys."""
    dns = authority.challenge
    if not isinstance(dns, Dns):
        return "http"
    zones: list[Json] = [
        {"name": zone.name, "program": zone.program}
        if zone.program
        else {"name": zone.name, "server": zone.server, "port": zone.port, "key": zone.key}
        for zone in dns.zones
    ]
    return {"zones": zones, "wait": dns.wait}


def _support(host: Host, certificates: Sequence[Certificate]) -> list[Resource]:
    """Packages and the timer."""
    by_dns = any(isinstance(certificate.authority.challenge, Dns) for certificate in certificates)
    names = {*PACKAGES, *(DNS_PACKAGES if by_dns else ())} - {*host.packages}
    found = [Resource(f"package:{name}", "package", "host", {}, host.origin) for name in sorted(names)]
    for name, content in UNITS.items():
        timer = name == TIMER
        fields: dict[str, Json] = {"content": content, "enabled": timer, "running": timer}
        found.append(Resource(f"unit:{name}", "unit", "host", fields, host.origin))
    return found


def seen_bind(container: str, system: System) -> list[Json]:
    """The bind by which a container sees its certificates; one that serves sites also answers challenges by it."""
    if not system.certificates and not system.sites:
        return []
    return [
        {
            "source": paths.shown(container),
            "target": paths.SEEN,
            "readonly": True,
            "persistent": False,
            "owner": 0,
            "group": 0,
            "mode": 0o755,
        }
    ]
