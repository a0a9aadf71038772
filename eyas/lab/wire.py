"""The network of a lab: an internet (one namespace) and a wire (a veth pair) to each host.

The internet holds the hosts' gateway addresses, knows the way to their prefixes, and its clients come from
addresses outside of them. Nothing of it is visible in the namespace of this machine but `outer_link`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from eyas.host.command import run
from eyas.host.disk import write_whole
from eyas.lab.place import HostPlace, Place
from eyas.lab.spec import ROUTED, LabHost

BRIDGE = "wire0"
VOID = "void0"  # a bridge that is down: what comes in goes nowhere
CLIENTS4 = ("198.51.100.10", "198.51.100.11", "198.51.100.12")  # RFC 5737 TEST-NET-2
ARCHIVE = "198.51.100.20"  # where the lab's Debian archive listens
NAMES4, NAMES6 = "198.51.100.52", "2001:db8:ffff::52"  # where its name server does
CLIENTS6 = ("2001:db8:ffff::10", "2001:db8:ffff::11", "2001:db8:ffff::12")  # RFC 3849
_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.arp_announce": "2",  # ask for neighbours as the gateway, not as a distant client
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.all.accept_dad": "0",
}


def namespaces() -> list[str]:
    """The names of all network namespaces of this machine."""
    directory = Path("/run/netns")
    return sorted(each.name for each in directory.iterdir()) if directory.is_dir() else []


def ip(namespace: str, lines: Iterable[str]) -> None:
    """Run ip(8) commands in a namespace, as one process."""
    run(["ip", "-n", namespace, "-batch", "-"], input="".join(f"{line}\n" for line in lines))


def mac(name: str) -> str:
    """A hardware address that stays the same for a name (locally administered)."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))


# ---------------------------------------------------------------- internet


def make_internet(place: Place, hosts: Sequence[LabHost]) -> None:
    """Make the internet, or make an existing one fit the hosts."""
    fresh = place.internet not in namespaces()
    if fresh:
        run(["ip", "netns", "add", place.internet])
    settings = [f"{key}={value}" for key, value in _SYSCTLS.items()]
    run(["ip", "netns", "exec", place.internet, "sysctl", "-q", "-w", *settings])
    links = run(["ip", "-n", place.internet, "-o", "link", "show", "type", "bridge"]).text
    lines = ["link set lo up"]
    if f"{BRIDGE}:" not in links:
        lines.append(f"link add {BRIDGE} address {mac(place.id)} type bridge forward_delay 0")
        lines.append(f"link add {VOID} type bridge")
    lines += [f"addr replace {address}/32 dev lo" for address in (*CLIENTS4, ARCHIVE, NAMES4)]
    lines += [f"addr replace {address}/128 dev lo nodad" for address in (*CLIENTS6, NAMES6)]
    lines += [f"link set {BRIDGE} up", f"addr flush dev {BRIDGE}", *routers(hosts)]
    ip(place.internet, lines)


def routers(hosts: Sequence[LabHost]) -> list[str]:
    """Gateway addresses on the bridge, and the way to each prefix with a distant source address."""
    import ipaddress  # 2 ms that only `up` pays

    interfaces = [ipaddress.ip_interface(address) for host in hosts for address in host.addresses]
    networks = {each.network for each in interfaces}
    taken = {each.ip for each in interfaces}
    routers: dict[str, None] = {}
    for gateway in (ipaddress.ip_address(text) for host in hosts for text in host.gateways):
        home = next((each for each in networks if gateway in each), None)
        length = home.prefixlen if home else 64 if gateway.is_link_local else gateway.max_prefixlen
        routers[f"{gateway}/{length}"] = None
    routed = _routed(hosts)
    for network in networks:  # a router address in each on-link IPv6 prefix, also where the gateway is link-local
        first = network[1] if network.version == 6 and network.num_addresses > 1 and network not in routed else None
        if first is not None and first not in taken:
            routers[f"{first}/{network.prefixlen}"] = None
    lines = [f"addr replace {each} dev {BRIDGE} {'nodad ' if ':' in each else ''}noprefixroute" for each in routers]
    for network in sorted(networks, key=str):
        source = CLIENTS4[0] if network.version == 4 else CLIENTS6[0]
        if network in routed:  # only the host's own address has a neighbour
            lines.append(f"route replace {routed[network]}/128 dev {BRIDGE} src {source}")
            lines.append(f"route replace {network} via {routed[network]} dev {BRIDGE} src {source}")
        else:
            lines.append(f"route replace {network} dev {BRIDGE} src {source}")
    if any(each.startswith("fe80:") for each in routers):
        lines.append(f"route replace fe80::/64 dev {BRIDGE}")
    return lines


def _routed(hosts: Sequence[LabHost]) -> dict[object, str]:
    """IPv6 prefixes that are sent to one host's address, with that."""
    import ipaddress

    found: dict[object, str] = {}
    for host in hosts:
        for each in map(ipaddress.ip_interface, host.addresses if host.prefix6 == ROUTED else ()):
            if each.version == 6 and each.network.prefixlen < each.max_prefixlen:
                found.setdefault(each.network, str(each.ip))
    return found


def set_names(place: Place, names: Mapping[str, Sequence[str]]) -> None:
    """Write what clients in the internet resolve: each name with its addresses."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{address} {name}" for name, addresses in sorted(names.items()) for address in addresses]
    place.etc.mkdir(parents=True, exist_ok=True)
    contents = {
        "hosts": "".join(f"{line}\n" for line in lines),
        # Nobody listens there: a name that is not in the hosts file is refused at once.
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    for name, text in contents.items():
        write_whole(place.etc / name, text, sync=False, shared=True)


# ---------------------------------------------------------------- wires


def attach(host: HostPlace, interface: str) -> None:
    """Make the host's network namespace anew, with its end of the wire in it: nothing else outlives a boot.

    The machine must be off.
    """
    detach(host)
    run(["ip", "netns", "add", host.namespace])
    ip(
        host.lab.internet,
        [
            f"link add {host.port} type veth peer name {interface} address {mac(host.namespace)} "
            f"netns {host.namespace}",
            f"link set {host.port} alias {host.name} master {BRIDGE} up",
        ],
    )


def detach(host: HostPlace) -> None:
    """Take the host's wire and network namespace away."""
    # First the link: it goes at once, while a namespace is torn down some time after its deletion.
    if host.lab.internet in namespaces():
        run(["ip", "-n", host.lab.internet, "link", "del", host.port], check=False)
    if host.namespace in namespaces():
        remove_namespace(host.namespace)


def remove_namespace(name: str) -> None:
    """Remove a network namespace of the lab, and end what still runs in it: it would keep it alive, nameless."""
    for pid in run(["ip", "netns", "pids", name]).text.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    run(["ip", "netns", "del", name])


def set_blocked(host: HostPlace, blocked: bool) -> None:
    """Lose everything on the host's wire without its noticing (the carrier stays), or no longer."""
    ip(host.lab.internet, [f"link set {host.port} master {VOID if blocked else BRIDGE}"])


# ---------------------------------------------------------------- this machine


def open_outer(place: Place, addresses: Sequence[str]) -> tuple[list[str], list[str]]:
    """Make the hosts' public addresses reachable from this machine's own namespace.

    Returns the addresses that are, and why others are not. Only routes to these very addresses are added.
    """
    close_outer(place)
    reachable, reasons = [], []
    for address in addresses:
        found = run(["ip", "-o", "route", "get", "fibmatch", address], check=False).text
        if not found or found.startswith("default"):
            reachable.append(address)
        else:
            reasons.append(f"{address} is not reachable from this machine: it has a route of its own ({found.strip()})")
    if not reachable:
        return [], reasons
    slot = _free_slot()
    ours4, theirs4 = f"198.51.100.{128 + 4 * slot + 1}", f"198.51.100.{128 + 4 * slot + 2}"
    ours6, theirs6 = f"2001:db8:ffff:1::{4 * slot + 1:x}", f"2001:db8:ffff:1::{4 * slot + 2:x}"
    run(["ip", "link", "add", place.outer_link, "type", "veth", "peer", "name", "outer", "netns", place.internet])
    ip(
        place.internet,
        [f"addr add {theirs4}/30 dev outer", f"addr add {theirs6}/126 dev outer nodad", "link set outer up"],
    )
    lines = [
        f"addr add {ours4}/30 dev {place.outer_link}",
        f"addr add {ours6}/126 dev {place.outer_link} nodad",
        f"link set {place.outer_link} up",
    ]
    for address in reachable:
        via = theirs6 if ":" in address else theirs4
        lines.append(f"route add {address} via {via} dev {place.outer_link}")
    run(["ip", "-batch", "-"], input="".join(f"{line}\n" for line in lines))
    return reachable, reasons


def close_outer(place: Place) -> None:
    """Take the way from this machine into the lab away."""
    if Path("/sys/class/net", place.outer_link).exists():
        with contextlib.suppress(FileNotFoundError):
            run(["ip", "link", "del", place.outer_link])


def _free_slot() -> int:
    """Which of the 32 small networks between this machine and a lab nobody uses."""
    used = run(["ip", "-o", "-4", "addr", "show"]).text
    return next((slot for slot in range(32) if f" 198.51.100.{128 + 4 * slot + 1}/" not in used), 0)
