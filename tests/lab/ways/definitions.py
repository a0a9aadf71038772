"""A small fleet as text, with the edits that the tests make to it."""

from __future__ import annotations

TEXT = """\
from eyas import Bridge, Container, Fleet, Forward, Host, Image, Limits, Open, Root, Uplink, User

tiny = Image.debian("trixie", packages=[], name="tiny")
fat = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
small = {"root": Root(size="64M"), "stop_timeout": 5}

one = Container("one", "10.0.9.10", %(image)s, forwards=[Forward(port) for port in %(ports)s], **small)
two = Container(
    "two", "10.0.9.11", tiny, files={"/etc/app.conf": "%(app)s\\n"}, limits=Limits(tasks=%(tasks)s), **small
)
three = Container("three", "10.0.9.12", tiny, restart_with=["two"], **small)

fleet = Fleet(
    Host(
        "ways",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        Bridge("br0", "10.0.9.1/24", "fd00:9::1/64"),
        [%(names)s],
        open=[Open(22)],
        sysctls={"net.ipv4.tcp_fin_timeout": %(fin)s},
        files={"/etc/ways.conf": "%(conf)s\\n"},
        packages=%(packages)s,
    )
)
"""

BEFORE = {
    "image": "tiny",
    "ports": "[8010]",
    "app": "one",
    "tasks": "500",
    "names": "one, two",
    "fin": "50",
    "conf": "one",
    "packages": "[]",
}


def fleet(**edits: str) -> str:
    """The text of a fleet.py."""
    return TEXT % {**BEFORE, **edits}
