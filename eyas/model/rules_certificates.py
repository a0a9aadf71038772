"""Rules about certificates: names that are not covered, proofs that cannot be made, one thing declared twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from eyas.core.errors import Diagnostic
from eyas.model.certificates import Certificate, Dns
from eyas.model.machines import Container, Host
from eyas.model.merge import merge

Findings: TypeAlias = Iterator[Diagnostic]

MOST = 100
"""Names that public authorities put into one certificate."""
CHALLENGE_PORT = 80


def declared(host: Host) -> dict[str, list[Certificate]]:
    """The certificates that containers of a host use, by name, each different one once."""
    found: dict[str, list[Certificate]] = {}
    for container in host.containers:
        for use in merge(container)[0].certificates:
            same = found.setdefault(use.certificate.name, [])
            if use.certificate not in same:
                same.append(use.certificate)
    return found


def fronts(host: Host) -> list[Container]:
    """Containers that serve sites: they answer challenges on port 80."""
    return [container for container in host.containers if merge(container)[0].sites]


def certificates(host: Host) -> Findings:
    """All rules of this page."""
    first: dict[frozenset[str], Certificate] = {}
    for name, same in declared(host).items():
        for other in same[1:]:
            yield other.diagnostic(
                "name",
                f"cannot have two certificates named {name}: another one is at {same[0].origin}",
                "share one object among its users, or give them different names",
            )
        yield from _provable(host, same[0])
        twin = first.setdefault(frozenset(same[0].names), same[0])
        if twin is not same[0] and twin.authority.directory == same[0].authority.directory:
            message = f"certificate {name} has the names of {twin.name} ({twin.origin}): two orders for the same"
            yield same[0].diagnostic("names", message, "share one object among its users", "warning")
    yield from _covered(host)


def _provable(host: Host, certificate: Certificate) -> Findings:
    """Whether each name can be proved by the challenge that the authority is given."""
    what, challenge = f"cannot get certificate {certificate.name}", certificate.authority.challenge
    if len(certificate.names) > MOST:
        message = f"{what}: it has {len(certificate.names)} names, and authorities allow {MOST}"
        yield certificate.diagnostic("names", message, "make several")
    for name in sorted({name for name in certificate.names if certificate.names.count(name) > 1}):
        yield certificate.diagnostic(
            "names", f"certificate {certificate.name} has the name {name} twice", "", "warning"
        )
    if isinstance(challenge, Dns):
        for name in certificate.names:
            if challenge.zone(name) is None:
                zones = ", ".join(zone.name for zone in challenge.zones)
                message = f"{what}: {name} is in no zone of its authority ({zones})"
                yield certificate.diagnostic("names", message, f"add its zone at {challenge.origin}")
        return
    wild = next((name for name in certificate.names if name.startswith("*")), "")
    if wild:
        message = f"{what}: {wild} cannot be proved by HTTP"
        hint = f'a wildcard needs proof by DNS: Acme(challenge=Dns(Zone("{wild[2:]}", ...)))'
        yield certificate.diagnostic("names", message, hint)
    answering = fronts(host)
    if not any(f.proto == "tcp" and f.port == CHALLENGE_PORT for front in answering for f in front.forwards):
        who = f"{answering[0].name} serves sites, but port 80 of the host does not lead to it" if answering else ""
        message = f"{what} by HTTP: {who or f'no container of {host.name} serves sites'}"
        hint = "add Forward(80) to the front" if answering else "proof by DNS needs none: Acme(challenge=Dns(...))"
        yield certificate.diagnostic("authority", message, hint)


def _covered(host: Host) -> Findings:
    """Names of sites that their certificate does not have."""
    for container in fronts(host):
        for site in merge(container)[0].sites:
            certificate = site.certificate
            for name in site.names if certificate is not None else ():
                if certificate is not None and not certificate.covers(name):
                    yield site.diagnostic(
                        "certificate",
                        f"cannot serve {name} with certificate {certificate.name} ({certificate.origin}): "
                        f"it has {', '.join(certificate.names)}",
                        f"add {name} to its names",
                    )
