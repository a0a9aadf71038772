"""A small fleet and what is made of it: each fleet is text of a fleet.py, so that an edit is a person's edit."""

from __future__ import annotations

HEAD = """\
from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Limits, Open, Probe, Root, Uplink, User

base = Image.debian("trixie", packages=[], name="tiny")
small = {"root": Root(size="32M"), "stop_timeout": 5, "drain": 1, "settle": 0}


def fleet_of(*containers, **more):
    return Fleet(
        Host(
            "crash",
            Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
            Bridge("br0", "10.0.9.1/24", "fd00:9::1/64"),
            containers,
            open=[Open(22)],
            **more,
        )
    )


"""

BEFORE = (
    HEAD
    + """\
gone = Container(
    "gone", "10.0.9.10", base, binds=[Bind("/srv/gone", "/data", persistent=True)], forwards=[Forward(8010)], **small
)
again = Container("again", "10.0.9.11", base, files={"/etc/app.conf": "one\\n"}, after=["gone"], **small)
live = Container(
    "live", "10.0.9.12", base,
    files={"/etc/app.conf": "one\\n"}, limits=Limits(memory="512M"), binds=[Bind("/srv/shown", "/shown")],
    needs=["gone"], **small
)

fleet = fleet_of(
    gone, again, live,
    sysctls={"net.ipv4.tcp_fin_timeout": 50},
    files={"/etc/crash.conf": "one\\n", "/etc/only-before.conf": "here\\n"},
    users=[User("bob", 1002)],
)
"""
)

AFTER = (
    HEAD
    + """\
new = Container(
    "new", "10.0.9.10", base,  # takes the address of the one that goes
    binds=[Bind("/srv/new", "/data", persistent=True)], forwards=[Forward(8010), Forward(8011)],
    users=[User("ann", 1001)], probes=[Probe.unit("multi-user.target")], **small
)
again = Container(
    "again", "10.0.9.11", base, files={"/etc/app.conf": "two\\n"}, binds=[Bind("/srv/again")], after=["new"],
    **{**small, "root": Root(size="40M")}
)
live = Container(
    "live", "10.0.9.12", base,
    files={"/etc/app.conf": "two\\n", "/etc/more.conf": "more\\n"}, limits=Limits(memory="640M", tasks=200),
    binds=[Bind("/srv/other", "/shown"), Bind("/srv/more", "/more", readonly=True)],
    needs=["new"], **small
)

fleet = fleet_of(
    new, again, live,
    sysctls={"net.ipv4.tcp_fin_timeout": 40, "net.ipv4.tcp_keepalive_time": 600},
    files={"/etc/crash.conf": "two\\n", "/etc/only-after.conf": "here\\n"},
    users=[User("ann", 1001)],
    units={"crash.service": "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"},
)
"""
)
"""Creates a container, restarts one, changes one while it runs, removes one; and all that a host itself can have.

``live`` runs with one invocation all the time, though what it needs goes, and something else takes that place.
"""
