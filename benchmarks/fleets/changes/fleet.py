"""Services that are changed while they are used: behind a front, behind forwards, with and without data."""

import knobs

from eyas import (
    Bind,
    Bridge,
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
    Site,
    System,
    Unit,
    Uplink,
)
from eyas.parts import docker, front, postgresql

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

SERVICE = """\
[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/local/bin/answer
Restart=always
RestartSec=0.2
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
"""
COMPOSE = """\
services:
  answer:
    image: answer
    command: /usr/local/bin/answer
    environment:
      GENERATION: "${GENERATION}"
    ports:
      - "8088:8080"
"""


def container(name, last, *parts, **more):
    """What the rows of the table turn at every container: its packages and its root."""
    return Container(
        name, f"10.0.6.{last}", base,
        parts=parts, root=Root(size=knobs.ROOT.get(name, "512M")), packages=knobs.PACKAGES.get(name, []),
        hold=knobs.HOLD, settle=1, start_timeout=15, **more,
    )  # fmt: skip


def answers(name):
    how = knobs.HEALTH.get(name, "well")
    return System(
        packages=["python3"],
        files={
            "/usr/local/bin/answer": File.read("answer", mode=0o755),
            "/etc/answer.conf": File(f"{how} {name} {knobs.TURN}\n", restart=["answer.service"]),
        },
        # one that hangs never says that it has started, which keeps the boot of its container from ending
        units={"answer.service": Unit(SERVICE)},
        probes=[Probe.http(8080, contains=name, timeout=8)],
    )


app = container(
    "app", 20, answers("app"),
    binds=[Bind("/srv/app", "/srv/data", persistent=True), *(Bind(path) for path in knobs.BINDS)],
    limits=Limits(memory=knobs.MEMORY),
    forwards=[Forward(8007), *(Forward(port, to=8007) for port in knobs.FORWARDS)],
)  # fmt: skip
plain = container("plain", 30, answers("plain"), stateless=True)
postgres = container(
    "postgres", 40,
    postgresql(hba=["host postgres postgres 0.0.0.0/0 trust"], settings=knobs.SETTINGS),
    binds=[Bind("/srv/postgres", "/var/lib/postgresql", persistent=True)], forwards=[Forward(5432)],
)  # fmt: skip
compose = container(
    "compose", 50,
    docker("/srv/docker"),
    System(
        packages=["docker-compose", "python3"],
        files={
            "/srv/compose/compose.yaml": COMPOSE,
            "/srv/compose/answer.conf": "well compose\n",
            "/srv/compose/answer": File.read("answer", mode=0o755),
        },
    ),
    forwards=[Forward(8088)],
)  # fmt: skip
sites = [
    site
    for site in (
        Site("app.example.org", to=app.port(8080), timeout="1h"),
        Site("plain.example.org", to=plain.port(8080)),
        Site("compose.example.org", to=compose.port(8088)),
    )
    if site.to.container in knobs.WITH
]
sites += [Site(name, to=app.port(8080)) for name in knobs.SITES]
web = container(
    "web-front", 10, front(*sites),
    binds=[Bind("/srv/acme", "/var/lib/acme", persistent=True)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp")],
)  # fmt: skip

fleet = Fleet(
    Host(
        "changes",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.6.1/24", "fd00:6::1/64"),
        containers=[each for each in (app, plain, postgres, compose, web) if each.name in knobs.WITH],
        open=[Open(22)],
        sysctls={"net.ipv4.tcp_fin_timeout": knobs.HOST_OPTION},
    )
)
