"""How connections of containers leave a host: one resource for all of them, and what a container with a pool sees.

Nothing at all of a fleet that declares no egress.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eyas.core import paths
from eyas.core.errors import DefinitionError
from eyas.core.words import Json, Resource, digest
from eyas.kind.egress.units import SERVICE, SOCKET, TIMER, units
from eyas.model import Container, Host, Place, Pool, System, User
from eyas.model.egress import Egress, Proxy
from eyas.model.egress_marks import numbers
from eyas.model.rules_egress import stable
from eyas.render.accounts import user_id
from eyas.render.entries import Entry, text
from eyas.render.layer import known_unit
from eyas.render.members import policy_of, relays
from eyas.render.policy import Member
from eyas.render.refs import at

GAI = """\
# Addresses like this container's own (fc00::/7) count as others do, or IPv6 would be the last choice (RFC 6724):
# what asks for names by glibc takes IPv6 where there is a choice. All else is as it is without this file.
label ::1/128       0
label ::/0          1
label 2002::/16     2
label ::/96         3
label ::ffff:0:0/96 4
label fec0::/10     5
label fc00::/7      1
label 2001:0::/32   7
"""


RELAY_CONFIG = "/etc/eyas/redsocks.conf"
RELAY = """\
# Configuration {digest}
[Unit]
Description=Outgoing connections that go by a proxy
Documentation=man:redsocks(8) man:eyas(1)
After=network.target eyas-firewall.service
Before=machines.target
StartLimitIntervalSec=0

[Service]
DynamicUser=yes
ExecStart=/usr/sbin/redsocks -c {config}
Restart=always
RestartSec=1
LimitNOFILE=16384

[Install]
WantedBy=multi-user.target
"""


def egress_resources(
    host: Host, places: Mapping[str, Place], systems: Mapping[str, System], facts: Mapping[str, Mapping[str, Any]]
) -> list[Resource]:
    """All that outgoing connections of a host need; nothing for a host without egress.

    Raises DefinitionError for a rule about a user that a container has not.
    """
    asking = [container for container in host.containers if container.egress]
    if not asking:
        return []
    members = {member.name: member for member in policy_of(host, places).members}
    rules: list[Json] = []
    for container in asking:
        marks = numbers(container.egress)
        for rule in container.egress:
            uid = _uid(rule, systems[container.name].users, facts[container.name])
            rules.append({**_rule(rule, container, members, relays(host)), "uid": uid, "mark": marks.get(rule.name, 0)})
    uplink = host.uplink
    fields: dict[str, Json] = {
        "uplink": uplink.interface,
        "address6": (uplink.address6 or "").partition("/")[0],
        "prefix6": str(uplink.network6 or ""),
        "gateway6": uplink.gateway6 or "",
        "range": str(uplink.range6 or ""),
        "mode": uplink.prefix6 or "find",
        "never": [*_never(host)],
        "inbound": [[address, port] for address, port in _inbound(host, places)],
        "vantage": [*host.vantage],
        "resolver": host.bridge.address.partition("/")[0],
        "rules": rules,
    }
    origin = asking[0].egress[0].origin
    found = [Resource("egress:eyas", "egress", "host", fields, origin)]
    names = [container.name for container in asking]
    for name, content in units([c.name for c in asking if pooled(c)], names).items():
        started: dict[str, Json] = {
            "content": content,
            "enabled": name != SERVICE,
            "running": name in (TIMER, SOCKET),
        }
        found.append(Resource(f"unit:{name}", "unit", "host", started, origin))
    return [*found, *_relay(host, members, origin)]


def pooled(container: Container) -> bool:
    """Whether a container has a pool: then it may say that an address was refused."""
    return any(rule.pool for rule in container.egress)


def seen_bind(container: Container) -> list[Json]:
    """The bind by which a container with a pool reports refusals; the host knows who it is by the socket."""
    if not pooled(container):
        return []
    return [
        {
            "source": f"{paths.RUNTIME}/egress/{container.name}",
            "target": paths.EGRESS_SEEN,
            "readonly": True,
            "persistent": False,
            "owner": 0,
            "group": 0,
            "mode": 0o755,
        }
    ]


def entries(container: Container, system: System, facts: Mapping[str, Any]) -> list[Entry]:
    """What a container with a pool has beyond others, in its configuration layer. DefinitionError for a rule about a
    unit that nobody brings."""
    for rule in container.egress:
        if rule.unit:
            known_unit(rule.unit, system, facts, rule.origin, "Egress.unit", f"tell connections of {rule.unit} apart")
    if not pooled(container):
        return []
    # By the first line that fits: whether another address may be tried where one was refused.
    rows = [("pool" if rule.pool else "other", to) for rule in container.egress for to in (*rule.to,) or ("*",)]
    return [text("/etc/gai.conf", GAI), text(paths.EGRESS_POOLS, "".join(f"{how} {to}\n" for how, to in rows))]


def _uid(rule: Egress, users: Sequence[User], facts: Mapping[str, Any]) -> int | None:
    """The number of a rule's user in the container."""
    if not rule.user:
        return None
    uid = user_id(facts, users, rule.user)
    if uid is None:
        message = f"no user {rule.user!r} among the container's packages and users"
        raise DefinitionError(
            [at(rule.origin, "Egress.user", message, "name one that a package or the definition has")]
        )
    return uid


def _rule(
    rule: Egress, container: Container, members: Mapping[str, Member], ports: Mapping[Proxy, int]
) -> dict[str, Json]:
    member = members[container.name]
    via = "pool" if rule.pool else "proxy" if rule.proxy else "address" if rule.address else "default"
    six = ":" in rule.address
    return {
        "name": f"{container.name}/{rule.name}",
        "container": container.name,
        "sources4": [*member.from4],
        "sources6": [*member.from6],
        "names": [*rule.names],
        "networks": [*rule.networks],
        "ports": [[proto, int(port)] for port, _, proto in (item.partition("/") for item in rule.ports)],
        "user": rule.user,
        "unit": rule.unit,
        "via": via,
        "address4": "" if six else rule.address,
        "address6": rule.address if six else "",
        "pool": _pool(rule.pool) if rule.pool else {},
        "proxy": _proxy(rule, members, ports),
        "ipv4": rule.ipv4,
        "ceiling": rule.ceiling or 0,
    }


def _pool(pool: Pool) -> dict[str, Json]:
    return {
        "size": pool.size,
        "life": pool.life,
        "uses": pool.uses or 0,
        "per": pool.per,
        "sticky": pool.sticky,
        "rest": pool.rest,
    }


def _proxy(rule: Egress, members: Mapping[str, Member], ports: Mapping[Proxy, int]) -> dict[str, Json]:
    """A proxy by its address; a container by its declared one."""
    if rule.proxy is None:
        return {}
    host = _where(rule.proxy, members)
    return {"kind": rule.proxy.kind, "host": host, "port": rule.proxy.port, "local": ports[rule.proxy]}


def _where(proxy: Proxy, members: Mapping[str, Member]) -> str:
    member = members.get(proxy.host)
    return member.asked4 if member else proxy.host


def _relay(host: Host, members: Mapping[str, Member], origin: str) -> list[Resource]:
    """redsocks(8), which takes connections that the packet filter leads to it, and speaks to the proxy in their name.
    Its package brings a unit of this name, which would listen by an example."""
    ports = relays(host)
    if not ports:
        return []
    address = host.bridge.address.partition("/")[0]
    config = "".join(
        f"redsocks {{ local_ip = {address}; local_port = {port}; ip = {_where(proxy, members)}; "
        f"port = {proxy.port}; type = {proxy.kind}; }}\n"
        for proxy, port in ports.items()
    )
    config = f'base {{ log = "stderr"; log_info = off; daemon = off; redirector = iptables; }}\n{config}'
    file: dict[str, Json] = {"content": config, "mode": 0o644, "owner": "root", "group": "root"}
    unit: dict[str, Json] = {
        "content": RELAY.format(config=RELAY_CONFIG, digest=digest(config.encode())[:12]),
        "enabled": True,
        "running": True,
    }
    return [
        Resource("package:redsocks", "package", "host", {}, origin),
        Resource(f"file:{RELAY_CONFIG}", "file", "host", file, origin),
        Resource("unit:redsocks.service", "unit", "host", unit, origin),
    ]


def _never(host: Host) -> list[str]:
    """Single addresses of the prefix that somebody has, and the one that means any router (RFC 4291, 2.6.1)."""
    prefix = host.uplink.network6
    if prefix is None:
        return []
    taken = {prefix.network_address}
    taken |= {
        h.network.network_address for h in stable(host) if h.network.prefixlen == 128 and h.network.subnet_of(prefix)
    }
    return [str(address) for address in sorted(taken)]


def _inbound(host: Host, places: Mapping[str, Place]) -> list[tuple[str, int]]:
    """What the world may ask this host for over TCP, as far as the host itself can ask for it in the same way."""
    four = host.uplink.address.partition("/")[0]
    six = (host.uplink.address6 or "").partition("/")[0]
    found: set[tuple[str, int]] = set()
    for port in host.open:
        if port.proto == "tcp" and not port.sources:
            found |= {(address, port.port) for address in (four, six) if address}
    for container in host.containers:
        for forward in container.forwards:
            if forward.proto == "tcp" and forward.reflect:
                found.add((four, forward.port))
                if six and places[container.name].address6:
                    found.add((six, forward.port))
    return sorted(found, key=lambda pair: (":" in pair[0], pair[1]))
