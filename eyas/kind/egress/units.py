"""What runs for egress on a host, as systemd units: rules at boot, a program that ends when it has nothing to do."""

from __future__ import annotations

from collections.abc import Iterable

from eyas.core import paths
from eyas.kind.slots import SLOTS, machine

RULES, ANSWER, SERVICE, TIMER, SOCKET = (
    f"eyas-egress{end}" for end in ("-rules.service", "-answer.service", ".service", ".timer", ".socket")
)
AGENT = f"{paths.PROGRAMS}/agent/current/run.py"

_FIXED = {
    RULES: f"""\
[Unit]
Description=Where outgoing connections leave from, as it was last
Documentation=man:eyas(1)
DefaultDependencies=no
Conflicts=shutdown.target
After=systemd-modules-load.service local-fs.target eyas-recover.service eyas-firewall.service nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
ConditionPathExists={paths.EGRESS_RULES}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {paths.EGRESS_RULES}

[Install]
WantedBy=sysinit.target
""",
    SERVICE: f"""\
[Unit]
Description=Addresses that outgoing connections leave from
Documentation=man:eyas(1)
After={RULES} {SOCKET} eyas-names.service
# The socket changes with the containers that have pools, and cannot be made anew while this one has the old one.
PartOf={SOCKET}
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/bin/python3 -I -S -B {AGENT} egress
TimeoutStopSec=30
# It begins every few seconds, and has something to say now and then.
LogLevelMax=notice
""",
    TIMER: f"""\
[Unit]
Description=Look at outgoing connections every few seconds

[Timer]
OnActiveSec=0
OnUnitInactiveSec=10s
AccuracySec=1s
Unit={SERVICE}

[Install]
WantedBy=timers.target
""",
}


def units(containers: Iterable[str], asking: Iterable[str]) -> dict[str, str]:
    """All of them by name. ``containers`` have pools, and may report refusals by a socket of their own, which tells
    who they are. ``asking`` are all whose connections leave by rules: at boot, the link is told of their addresses
    before they start, however soon they begin a connection."""
    before = [paths.unit_name(machine(name, slot)) for name in sorted(asking) for slot in SLOTS]
    answer = f"""\
[Unit]
Description=Neighbours are told of the addresses that connections leave from
Documentation=man:eyas(1)
After=network.target systemd-networkd.service eyas-recover.service {RULES}
Before=machines.target {" ".join(before)}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I -S -B {AGENT} egress answer
TimeoutStartSec=30

[Install]
WantedBy=machines.target
"""
    listen = [f"ListenDatagram={paths.egress_socket(name)}" for name in sorted(containers)]
    socket = f"""\
[Unit]
Description=Reports of refused outgoing connections
Before=machines.target

[Socket]
ListenDatagram={paths.egress_socket("")}
{"".join(f"{line}{chr(10)}" for line in listen)}SocketMode=0666
RemoveOnStop=yes
DirectoryMode=0755
ReceiveBuffer=1M
Service={SERVICE}

[Install]
WantedBy=sockets.target
"""
    return {**_FIXED, ANSWER: answer, SOCKET: socket}
