"""A front, a database, and an application with an nginx of its own: what a fleet gets wrong when it moves."""

from eyas import (
    Bind,
    Bridge,
    Check,
    Container,
    File,
    Fleet,
    Forward,
    Host,
    Image,
    Open,
    Probe,
    Site,
    System,
    Unit,
    Uplink,
)
from eyas.parts import Database, front, join, nginx, postgresql

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
times = {"stop_timeout": 5, "drain": 1, "settle": 1}

postgres = Container(
    "postgres",
    "10.0.14.50",
    base,
    parts=[postgresql([Database("social", clients=["social"])])],
    binds=[Bind("/srv/postgres", "/var/lib/postgresql", persistent=True)],
    **times,
)

# the visitor's address is believed of the front alone
SERVER = """\
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    set_real_ip_from @{web-front.address};
    set_real_ip_from @{web-front.address6};
    real_ip_header X-Forwarded-For;
    location / {
        proxy_pass http://127.0.0.1:3000;
        proxy_set_header X-Real-IP $remote_addr;
    }
}
"""
SERVICE = "[Service]\nExecStart=/usr/local/bin/social\n\n[Install]\nWantedBy=multi-user.target\n"

social = Container(
    "social", "10.0.14.80", base,
    parts=[
        join(
            nginx({"social": SERVER}),
            System(
                packages=["python3"],
                files={"/usr/local/bin/social": File.read("social", mode=0o755, restart=["social.service"])},
                units={"social.service": Unit(SERVICE)},
                environment={"social.service": {"DATABASE": "postgresql://social@postgres/social"}},
                probes=[Probe.http(80, contains="social")],
                checks=[
                    Check.postgres(unit="social.service", variable="DATABASE"),
                    Check.client_address("social.example.org"),
                    Check.http("https://social.example.org:8448/", contains="social", where="outside"),
                ],
            ),
        )
    ],
    after=[postgres], **times,
)  # fmt: skip

web = Container(
    "web-front", "10.0.14.10", base,
    parts=[
        front(
            Site("social.example.org", to=social.port(80), aliases=["www.social.example.org"], tls_ports=[8448]),
        )
    ],
    binds=[Bind("/srv/acme", "/var/lib/acme", persistent=True)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp"), Forward(8448)], **times,
)  # fmt: skip

# stands for the host's own SSH
DOOR = """\
[Service]
ExecStart=/usr/bin/python3 -m http.server 2222 --bind :: --directory /run/eyas/probes

[Install]
WantedBy=multi-user.target
"""

fleet = Fleet(
    Host(
        "verified",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.14.1/24", "fd00:14::1/64"),
        containers=[postgres, social, web],
        open=[Open(2222)],
        units={"door.service": Unit(DOOR)},
    )
)
