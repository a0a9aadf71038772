"""Fleets to draw: small, but with everything that a plan can be about; an edit is a second fleet of the same names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from eyas.core.words import Resource
from eyas.model import (
    Bind,
    Bridge,
    Container,
    Egress,
    File,
    Forward,
    Host,
    Image,
    Limits,
    Open,
    Root,
    Unit,
    Uplink,
    User,
    merged,
)
from eyas.render import desired

NAMES = ("a", "b", "c", "d")
COMMITS = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("plain", "fat")}
FACTS = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "group": "root:x:0:\nshadow:x:42:\nsudo:x:27:\n",
    "shadow": "root:*:1:0:99999:7:::\n",
    "gshadow": "root:*::\nshadow:*::\nsudo:*::\n",
    "units": {},
}


@dataclass(frozen=True)
class Built:
    commit: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Ready:
    """A built image, as rendering wants it."""

    built: Built
    facts: Mapping[str, Any]
    packages: Sequence[str] = ()


def resources(host: Host) -> dict[str, Resource]:
    """What the host should hold, with the programs and units of eyas itself."""
    from eyas.cli.support import support

    scripts, units = support()
    systems = {c.name: merged(c) for c in host.containers}
    images = {c.name: Ready(Built(COMMITS[c.image.name], {}), FACTS) for c in host.containers}
    return desired(host, systems, images, scripts, units)


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@st.composite
def units(draw: st.DrawFn, name: str) -> dict[str, Unit]:
    program = draw(some("", "x", "y"))
    text = f"[Service]\nExecStart=/bin/{program}\n[Install]\nWantedBy=multi-user.target\n"
    return {name: Unit(text)} if program else {}


@st.composite
def egress(draw: st.DrawFn) -> tuple[Egress, ...]:
    """Mostly none, as in life. No pools: two hosts with the same definitions draw different addresses."""
    way = draw(some("", "", "", "2001:db8:5:1::77", "default"))
    return (Egress("one", to=["192.0.2.0/24"], via=way, ceiling=draw(some(None, 5))),) if way else ()


@st.composite
def containers(draw: st.DrawFn, name: str, made: Sequence[Container]) -> Container:
    before = [other.name for other in made]
    number = 10 + NAMES.index(name)
    files = {path: draw(some("one", "two")) for path in draw(st.sets(some("/etc/x.conf", "/etc/y/z.conf")))}
    if draw(st.booleans()):
        files["/etc/app.conf"] = File(draw(some("1", "2")), reload=["app.service"])
    data = draw(some(None, f"/data/{name}", "/data/shared"))
    more = [Bind(draw(some("/srv/x", "/srv/y")), "/shown", readonly=draw(st.booleans()))] if draw(st.booleans()) else []
    edge = draw(some("after", "needs", "restart_with"))
    others = draw(st.sets(some(*before))) if before else set()
    if any(other.stateless for other in made if other.name in others):
        edge = "after"
    return Container(
        name,
        f"10.0.5.{draw(some(number, number + 20))}",
        Image.debian(packages=["bash"], name=draw(some(*COMMITS))),
        files=files,
        units=draw(units("app.service")),
        users=[User("ann", 1001)] if draw(st.booleans()) else [],
        limits=Limits(memory=draw(some(None, "1G", "2G"))),
        root=Root(size=draw(some("1G", "2G"))),
        binds=[*([Bind(data, persistent=True, shared=data == "/data/shared")] if data else []), *more],
        forwards=[Forward(8000 + number)] if draw(st.booleans()) else [],
        stop_timeout=draw(some(10, 20)),
        hold=draw(some(30, 30, 0)),
        settle=0,
        egress=draw(egress()),
        stateless=draw(st.booleans()) and data in (None, "/data/shared"),
        autostart=draw(some(True, True, True, False)),
        after=sorted(others) if edge == "after" else (),
        needs=sorted(others) if edge == "needs" else (),
        restart_with=sorted(others) if edge == "restart_with" else (),
    )


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    chosen = sorted(draw(st.sets(some(*NAMES), max_size=3))) if NAMES else []
    made: list[Container] = []
    for name in chosen:
        made.append(draw(containers(name, made)))
    return Host(
        "h",
        Uplink("eth0", "203.0.113.2/24", "2001:db8:5:1::2/64", prefix6="routed"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        made,
        open=[Open(22)],
        sysctls={"vm.swappiness": draw(some(10, 20))} if draw(st.booleans()) else {},
        packages=sorted(draw(st.sets(some("curl", "less")))),
        files={"/etc/motd": draw(some("hello", "bye"))} if draw(st.booleans()) else {},
        users=[User("bob", 1002, groups=["sudo"], keys=["ssh-ed25519 AAAA bob"])] if draw(st.booleans()) else [],
        units=draw(units("own.service")),
    )
