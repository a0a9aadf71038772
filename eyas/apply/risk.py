"""Which changes of a plan may cut the connection of whoever asked for it. Pure; asked at both ends."""

from __future__ import annotations

import re

from eyas.core.words import Action, Change, Plan, Step

# What the way to a host stands on, beside links, packet filter and kernel settings of the network.
FOLDERS = (
    "/etc/ssh/", "/etc/network/", "/etc/systemd/network/", "/etc/netplan/", "/etc/NetworkManager/", "/etc/wireguard/",
    "/etc/pam.d/", "/etc/security/", "/etc/nftables",
)  # fmt: skip
FILES = ("/etc/hosts.allow", "/etc/hosts.deny", "/etc/nsswitch.conf", "/etc/sudoers", "/etc/resolv.conf")
UNITS = re.compile(
    r"^(ssh|dropbear|systemd-networkd|systemd-resolved|networking|NetworkManager|nftables|iptables|firewalld|ufw"
    r"|wg-quick|wpa_supplicant|openvpn|tailscale|ifup)"
)
HARMLESS = re.compile(
    r"^(forward \S+ to .* added|port .* of the host opened"
    r"|\S+ may (now|no longer) use .*|\S+ may only reach the world|\S+ is trusted|\S+ comes|\S+ goes)$"
)
COUNTS = re.compile(r"^net\.(netfilter\.nf_conntrack_max|ipv[46]\.neigh\.default\.gc_thresh[123])$")


def risks(plan: Plan) -> dict[str, str]:
    """Ids of changes that may cut the connection, each with what it is."""
    return {change.id: said for change in plan.changes if (said := _risk(change))}


def _risk(change: Change) -> str:
    name = change.id.partition(":")[2]
    if change.kind == "network":
        return f"network file {name}"
    if change.kind == "firewall":
        harmless = change.action is Action.update and all(HARMLESS.match(field.note) for field in change.fields)
        return "" if harmless else "the firewall"
    if change.kind == "sysctl":
        return f"kernel setting {name}" if name.startswith("net.") and not COUNTS.match(name) else ""
    if change.kind == "file":
        near = name.startswith(FOLDERS) or name in FILES or name.endswith("/.ssh/authorized_keys")
        return name if near else ""
    if change.kind == "unit":
        return f"unit {name}" if UNITS.match(name) else ""
    if change.kind == "user":
        return f"user {name}" if change.action is not Action.create else ""
    return ""


def risky_steps(plan: Plan) -> list[int]:
    """Numbers of the steps that do such changes, in their order."""
    ids = risks(plan)
    return [number for number, step in enumerate(plan.steps) if _does(step, ids)]


def _does(step: Step, ids: dict[str, str]) -> bool:
    if step.verb == "settle":  # acts backwards only
        return False
    return step.id in ids or (step.kind == "network" and any(id_.startswith("network:") for id_ in ids))
