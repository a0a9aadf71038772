"""The fleet that docs/impact.md is tested with: three containers as small as they get, and the row of edits of it."""

from __future__ import annotations

FLEET = """\
from eyas import (
    Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Limits, Link, Open, Probe, Root, System, Unit, Uplink,
    User,
)

base = Image.debian("trixie", packages=[], name="tiny")
few = {"stop_timeout": 5, "drain": 0, "settle": 0}


def service(line, *more):
    more = "".join(f"{text}\\n" for text in more)
    return f"[Service]\\nExecStart={line}\\n{more}\\n[Install]\\nWantedBy=multi-user.target\\n"


idle = System(
    units={
        "idle.service": service("sleep infinity", "PrivateTmp=yes", "ProtectSystem=strict"),
        "other.service": service("sleep infinity", "ExecReload=touch /run/reloaded"),
        "spare.service": service("sleep infinity"),
    },
    files={"/etc/shown": Link("/elsewhere")},
)

alpha = Container(
    "alpha", "10.0.9.10", base,
    parts=[idle],
    root=Root(size="32M"),
    limits=Limits(memory="512M"),
    files={"/etc/plain": "one"},
    binds=[Bind("/srv/data", "/data", persistent=True)],
    **few,  # alpha
)
beta = Container(
    "beta", "10.0.9.20", base,
    parts=[idle],
    root=Root(size="32M"),
    files={"/etc/other.conf": File("one", reload=["other.service"])},
    probes=[Probe.unit("idle.service")],
    **few,  # beta
)
gamma = Container(
    "gamma", "10.0.9.30", base,
    parts=[idle],
    root=Root(size="32M"),
    grants=["loop"],
    files={"/etc/idle.conf": File("one", restart=["idle.service"])},
    environment={"spare.service": {"COLOUR": "blue", "WORDS": 'a "b" %c \\\\ $d'}},
    binds=[Bind("/srv/gone", "/gone")],
    **few,  # gamma
)

fleet = Fleet(
    Host(
        "impact",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        Bridge("br0", "10.0.9.1/24", "fd00:9::1/64"),
        [alpha, beta, gamma],
        open=[Open(22)],
        sysctls={"net.ipv4.tcp_fin_timeout": 50},
        files={"/etc/impact.conf": "one"},
        users=[User("ann", 1001)],
        units={"host-idle.service": service("sleep infinity")},
    )
)
"""
