"""A front and somebody behind it."""

from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Open, Probe, Root, Site, System, Uplink
from eyas.parts import front

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

echo = Container(
    "echo", "10.0.8.20", base, stateless=True, settle=1, root=Root(size="512M"),
    parts=[
        System(
            packages=["python3"],
            files={"/usr/local/bin/echo-server": File.read("echo", mode=0o755, restart=["echo.service"])},
            units={
                "echo.service": "[Service]\nExecStart=/usr/local/bin/echo-server\n\n"
                "[Install]\nWantedBy=multi-user.target\n"
            },
            probes=[Probe.http(8080, contains="echo")],
        )
    ],
)  # fmt: skip

where = """location = /where {
    return 200 "$remote_addr $server_port $scheme $host";
}"""

web = Container(
    "web-front", "10.0.8.10", base,
    parts=[
        front(
            Site("one.example.org", to=echo.port(8080), timeout="1h", extra=where),
            # another site
        )
    ],
    binds=[Bind("/srv/acme", "/var/lib/acme", persistent=True)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp")],
)  # fmt: skip

fleet = Fleet(
    Host(
        "fronts",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[echo, web],
        open=[Open(22)],
    )
)
