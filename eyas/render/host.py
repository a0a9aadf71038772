"""What a host holds besides its containers: scripts, bridge, names, firewall, and its own declared things."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from eyas.core.errors import DefinitionError
from eyas.core.words import Json, Resource
from eyas.kind.names import UNIT_NAME
from eyas.kind.names import unit as names_unit
from eyas.kind.slots import hardware
from eyas.model import Bridge, Container, File, Host, Place
from eyas.model.generations import NETWORK, beside
from eyas.model.kernel import needed
from eyas.model.reach import public_names
from eyas.render.firewall import Rule, Wires, ruleset
from eyas.render.generations import Generations
from eyas.render.members import policy_of, ports_of
from eyas.render.refs import Names, at

# What containers on a bridge need of the kernel, whatever the definitions say; a definition may set its own value.
SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
}
PACKAGES = ("dnsmasq-base",)  # the name server of the bridge


def network_resources(bridge: Bridge, origin: str, generations: bool = False) -> list[Resource]:
    """The bridge, as systemd.netdev(5) and systemd.network(5) files; with the way to second generations of containers,
    where there may be some (IPv6 has them in the network of the bridge)."""
    inside = [str(a) for a in (bridge.address, bridge.address6) if a]
    # Written here as the packet filter says it: what containers send is for this address and no other.
    address = f"MACAddress={hardware(bridge.address)}\n"
    netdev = f"[NetDev]\nName={bridge.name}\nKind=bridge\n{address}"
    addresses = "".join(f"\n[Address]\nAddress={a}\nDuplicateAddressDetection=none\n" for a in inside)
    network = (
        f"[Match]\nName={bridge.name}\n\n[Network]\nConfigureWithoutCarrier=yes\nLinkLocalAddressing=ipv6\n"
        f"IPv6AcceptRA=no\n\n[Link]\n{address}RequiredForOnline=no\n{addresses}"
    )
    if generations:
        network += f"\n[Route]\nDestination={NETWORK}\nScope=link\n"
    base = f"50-eyas-{bridge.name}"
    return [
        Resource(f"network:{base}.{kind}", "network", "host", {"content": content}, origin)
        for kind, content in (("netdev", netdev), ("network", network))
    ]


def hosts_text(host: Host, places: Mapping[str, Place]) -> str:
    """A hosts(5) file with every container under its name, the host under its own, and the sites that they serve."""
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    for address in (host.bridge.address, host.bridge.address6):
        if address:
            lines.append(f"{str(address).split('/', 1)[0]}\t{host.name}")
    for name, where in sorted(places.items(), key=lambda item: int(ipaddress.ip_interface(item[1].address4))):
        lines += [f"{a.split('/', 1)[0]}\t{name}" for a in (where.address4, where.address6) if a]
    public = [a.split("/", 1)[0] for a in (host.uplink.address, host.uplink.address6) if a]
    # By the public address, so that one container asks as the world does.
    lines += [f"{address}\t{name}\t# {who}" for name, who in public_names(host).items() for address in public]
    return "\n".join(lines) + "\n"


def firewall_resource(host: Host, places: Mapping[str, Place]) -> Resource:
    """The packet filter: forwards, and who may talk to whom."""
    twice = {c.name: _generations(c, places[c.name]) for c in host.containers if c.stateless}
    rules = [
        Rule(
            forward.proto,
            forward.port,
            twice[c.name].now(4) if c.name in twice else _bare(places[c.name].address4),
            twice[c.name].now(6) if c.name in twice else _bare(places[c.name].address6),
            forward.to or forward.port,
            forward.reflect,
            c.name,
        )
        for c in host.containers
        for forward in c.forwards
    ]
    public = [str(a).split("/", 1)[0] for a in (host.uplink.address, host.uplink.address6) if a]
    net4, net6 = (
        str(ipaddress.ip_interface(str(a)).network) if a else None for a in (host.bridge.address, host.bridge.address6)
    )
    wires = Wires(
        host.uplink.interface,
        host.bridge.name,
        tuple(a for a in public if ":" not in a),
        tuple(a for a in public if ":" in a),
        net4,
        net6,
        hardware(host.bridge.address),
    )
    text = ruleset(rules, wires, [*twice.values()], policy_of(host, places), ports_of(host, places))
    return Resource("firewall:eyas", "firewall", "host", {"ruleset": text}, host.origin)


def _generations(container: Container, where: Place) -> Generations:
    stable6 = _bare(where.address6)
    more = beside(container.address, stable6)
    return Generations(container.name, container.address, stable6, str(_bare(more.address4)), _bare(more.address6))


def _bare(address: str | None) -> str | None:
    return address.split("/", 1)[0] if address else None


def own_resources(host: Host, names: Names) -> list[Resource]:
    """Sysctls, packages, files, users and units of the host itself."""
    sysctls: dict[str, dict[str, Json]] = {key: {"value": value} for key, value in SYSCTLS.items()}
    sysctls |= {key: {"value": str(value), "least": True} for key, value in needed(host).items()}
    sysctls |= {key: {"value": str(value)} for key, value in host.sysctls.items()}
    found = [
        Resource(f"sysctl:{key}", "sysctl", "host", fields, host.origin) for key, fields in sorted(sysctls.items())
    ]
    packages = sorted({*host.packages, *PACKAGES})
    found += [Resource(f"package:{name}", "package", "host", {}, host.origin) for name in packages]
    answering = [a for a in (_bare(host.bridge.address), _bare(host.bridge.address6)) if a]
    server: dict[str, Json] = {"content": names_unit(answering), "enabled": True, "running": True}
    found.append(Resource(f"unit:{UNIT_NAME}", "unit", "host", server, host.origin))
    for path, file in sorted(host.files.items()):
        if not isinstance(file, File):
            raise DefinitionError(
                [
                    at(
                        file.origin,
                        f"files[{path!r}]",
                        "a file of the host cannot be a link",
                        "give its content, or make the link in a unit",
                    )
                ]
            )
        fields: dict[str, Json] = {
            "content": _content(names, file),
            "mode": file.mode,
            "owner": file.owner,
            "group": file.group,
        }
        found.append(Resource(f"file:{path}", "file", "host", fields, file.origin))
    for user in host.users:
        fields = {
            "uid": user.uid,
            "gid": user.uid,
            "home": user.directory,
            "shell": user.shell,
            "groups": [*sorted(user.groups)],
            "keys": list(user.keys),
            "gecos": user.gecos,
        }
        found.append(Resource(f"user:{user.name}", "user", "host", fields, user.origin))
    for name, unit in sorted(host.units.items()):
        fields = {
            "content": str(names.fill(unit.content, unit.origin)),
            "enabled": unit.enable,
            "running": unit.enable,
        }
        found.append(Resource(f"unit:{name}", "unit", "host", fields, unit.origin))
    return found


def _content(names: Names, file: File) -> str:
    filled = names.fill(file.content, file.origin)
    return filled if isinstance(filled, str) else filled.decode("utf-8", "surrogateescape")


def support_resources(scripts: Mapping[str, str], units: Mapping[str, str], origin: str) -> Sequence[Resource]:
    """Our own small programs and boot units, from the kinds that use them."""
    found = [
        Resource(
            f"file:/usr/local/lib/eyas/{name}",
            "file",
            "host",
            {"content": content, "mode": 0o755, "owner": "root", "group": "root"},
            origin,
        )
        for name, content in sorted(scripts.items())
    ]
    found += [
        Resource(f"unit:{name}", "unit", "host", {"content": content, "enabled": True, "running": False}, origin)
        for name, content in sorted(units.items())
    ]
    return found
