"""A small fleet to look at containers with: two that share an image, one for each thing that needs a grant."""

from eyas import (
    Bind,
    Bridge,
    Client,  # noqa: F401, for the container that a test adds
    Container,
    File,
    Fleet,
    Forward,
    Host,
    Image,
    Limits,
    Open,
    Probe,
    Root,
    System,
    Uplink,
)
from eyas.parts import docker, loops, members, nspawn_builder, published, ssh, team

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
people = members("keys", {"kim": 1001})


def service(program, **more):
    lines = "".join(f"{key}={value}\n" for key, value in more.items())
    return f"[Service]\nExecStart={program}\n{lines}\n[Install]\nWantedBy=multi-user.target\n"


answers = System(
    packages=["python3"],
    files={"/usr/local/bin/answer": File.read("answer", mode=0o755, restart=["answer.service"])},
    units={"answer.service": service("/usr/local/bin/answer")},
    probes=[Probe.http(8080, contains="sees"), Probe.tcp(8081)],
)

alpha = Container(
    "alpha", "10.0.7.10", base,
    parts=[ssh(), team(people), answers],
    root=Root(size="96M"),
    limits=Limits(memory="512M", memory_high="384M", cpus=1.5, cpu_weight=50, io_weight=20, tasks=300),
    binds=[
        Bind("/srv/alpha/data", "/data", persistent=True, owner=1001, group=1001, mode=0o750),
        Bind("/srv/alpha/more", "/var/lib/more", persistent=True),
        Bind("/srv/shared", "/shared", readonly=True),
    ],
    forwards=[
        Forward(8080), Forward(8081), Forward(9080, to=8080), Forward(5300, "udp"), Forward(5353, "udp", to=5300),
        Forward(2222, to=22), Forward(7080, to=8080, reflect=False),
    ],
    uses=["dock"],
)  # fmt: skip

beta = Container(
    "beta", "10.0.7.20", base,
    parts=[ssh(), team(people), answers],
    root=Root(size="96M", backing="disk"),
    files={"/usr/local/bin/stubborn": File.read("stubborn", mode=0o755)},
    units={"stubborn.service": service("/usr/local/bin/stubborn")},
    after=[alpha],
    uses=[alpha],
    stop_timeout="3s",
)  # fmt: skip

dock = Container(
    "dock", "10.0.7.30", base,
    parts=[docker("/srv/dock"), published("page", 8088, {"index.html": "from docker\n"})],
    grants=["tun"],
    uses=[alpha, beta],
)  # fmt: skip

nest = Container("nest", "10.0.7.40", base, parts=[nspawn_builder("inner")])

image = Container("image", "10.0.7.50", base, parts=[loops()])

fleet = Fleet(
    Host(
        "cells",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.7.1/24", "fd00:7::1/64"),
        containers=[alpha, beta, dock, nest, image],
        open=[Open(22)],
    )
)
