"""How a container tells the host whose a connection is: by a number in each packet (DSCP, RFC 2474).

The host sees addresses alone. Within the container the packet filter knows the user of a socket, and the control group
of its process; a service that is named puts its own into a set when it starts (``NFTSet=`` would do that too, and loses
some of them, systemd 257). The host's rules go by the number, and take it off before a packet leaves.

Everything else in such a container has the number 0, whatever its programs ask for. Who is root in the container can
say what they like: the number tells users of one container apart, and protects nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from eyas.core.words import digest
from eyas.model.base import Thing
from eyas.model.egress import Egress
from eyas.model.files import File, Unit
from eyas.model.pieces import System

T = TypeVar("T", bound=Thing)
NAME = "eyas-egress-marks.service"
FILE = "/etc/eyas/egress.nft"
PROGRAM = "/etc/eyas/egress-unit"
TABLE = "inet eyas_egress"
DEEPEST = 6  # levels of control groups below the container's that a service can be at

UNIT = f"""\
# Numbers in packets, by which the host tells users and services of this container apart.
[Unit]
Description=Marks on outgoing connections
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {FILE}
ExecReload=/usr/sbin/nft -f {FILE}
ExecStop=-/usr/sbin/nft delete table {TABLE}

[Install]
WantedBy=sysinit.target
"""

SCRIPT = f"""\
#!/bin/sh
# Tell the packet filter that the control group of this service counts for a rule of egress, or does no more.
group=$(sed -n 's,^0::/,,p' /proc/self/cgroup)
exec /usr/sbin/nft "$1" element {TABLE} "$2" "{{ \\"$group\\" }}"
"""


def numbers(rules: tuple[Egress, ...]) -> dict[str, int]:
    """Rules that count for a user or a unit only, by name, with the number of that user or unit: a packet has one
    number, by which all rules of its sender are to know it."""
    narrow = [rule for rule in rules if rule.user or rule.unit]
    order = [*dict.fromkeys((rule.user, rule.unit) for rule in narrow)]
    return {rule.name: order.index((rule.user, rule.unit)) + 1 for rule in narrow}


def marks(rules: tuple[Egress, ...]) -> System | None:
    """What a container needs to tell them apart; None where no rule asks for it."""
    narrow = [rule for rule in rules if rule.user or rule.unit]
    if not narrow:
        return None
    first = narrow[0]
    made = System(
        packages=["nftables"],
        files={
            FILE: _at(first, File(_table(rules), reload=[NAME])),
            **({PROGRAM: _at(first, File(SCRIPT, mode=0o755))} if any(rule.unit for rule in narrow) else {}),
            **{_drop_in(rule.unit): _at(rule, File(_set_of(rule.unit))) for rule in narrow if rule.unit},
        },
        units={NAME: _at(first, Unit(UNIT))},
    )
    return _at(first, made)


def _table(rules: tuple[Egress, ...]) -> str:
    """Loaded again without losing what services have put into the sets."""
    known = numbers(rules)
    units = dict.fromkeys(rule.unit for rule in rules if rule.unit)
    lines = [f"add table {TABLE}"]
    lines += [f"add set {TABLE} {_set(unit)} {{ type cgroupsv2; }}" for unit in units]
    lines += [f"add chain {TABLE} whose {{ type filter hook output priority mangle; policy accept; }}"]
    lines += [f"flush chain {TABLE} whose"]
    lines += [f"add rule {TABLE} whose meta nfproto {ip} {proto} dscp set cs0" for ip, proto in _FAMILIES.items()]
    firsts = {known[rule.name]: rule for rule in reversed(rules) if rule.name in known}
    # From the end: of a user and a unit that fit, the one that is named first has the last word.
    for number, rule in sorted(firsts.items(), reverse=True):
        whose = [f'meta skuid "{rule.user}"'] if rule.user else []
        whose += [f"socket cgroupv2 level {n} @{_set(rule.unit)}" for n in range(1, DEEPEST + 1) if rule.unit]
        lines += [
            f"add rule {TABLE} whose {who} meta nfproto {ip} {proto} dscp set {number}"
            for who in whose
            for ip, proto in _FAMILIES.items()
        ]
    return "\n".join([*lines, ""])


_FAMILIES: Mapping[str, str] = {"ipv4": "ip", "ipv6": "ip6"}


def _set(unit: str) -> str:
    return f"unit_{digest(unit.encode())[:12]}"


def _drop_in(unit: str) -> str:
    return f"/etc/systemd/system/{unit}.d/50-eyas-egress.conf"


def _set_of(unit: str) -> str:
    return (
        "# Its connections leave the host by a rule of their own.\n"
        f"[Unit]\nAfter={NAME}\nWants={NAME}\n\n"
        f"[Service]\nExecStartPre=-+{PROGRAM} add {_set(unit)}\nExecStopPost=-+{PROGRAM} delete {_set(unit)}\n"
    )


def _at(rule: Egress, thing: T) -> T:
    """The same, as if the line of the rule had made it."""
    thing.__dict__.update({"_origin": rule.origin, "_statement": rule.statement})
    return thing
