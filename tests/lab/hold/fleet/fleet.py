"""Two containers that serve, by forwards and to each other, to be restarted while somebody asks."""

from eyas import Bridge, Container, File, Fleet, Forward, Host, Image, Open, Probe, Root, System, Uplink

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

service = System(
    packages=["python3"],
    files={"/usr/local/bin/serve": File.read("serve", mode=0o755, restart=["serve.service"])},
    units={"serve.service": "[Service]\nExecStart=/usr/local/bin/serve\n\n[Install]\nWantedBy=multi-user.target\n"},
    probes=[Probe.http(8080, contains="sees"), Probe.tcp(8081)],
)


def served(name, last, *forwards, **more):
    return Container(name, f"10.0.7.{last}", base, parts=[service], root=Root(size="96M"), forwards=forwards, **more)


shop = served(
    "shop", 10, Forward(80, to=8080), Forward(8081), Forward(5300, "udp"), Forward(7080, to=8080, reflect=False)
)
mill = served("mill", 20, Forward(81, to=8080), uses=[shop])

fleet = Fleet(
    Host(
        "hold",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.7.1/24", "fd00:7::1/64"),
        containers=[shop, mill],
        open=[Open(22)],
    )
)
