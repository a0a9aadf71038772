"""Who may talk to whom: a shop that uses a database, a stateless one with two generations, strangers, one that nobody
trusts, and a name so long that its port on the bridge is called otherwise."""

from eyas import (
    Bridge,
    Container,
    File,
    Fleet,
    Forward,
    Host,
    Image,
    Open,
    Probe,
    Root,
    Site,
    System,
    Uplink,
)  # fmt: skip

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

service = System(
    packages=["python3"],
    files={"/usr/local/bin/serve": File.read("serve", mode=0o755, restart=["serve.service"])},
    units={"serve.service": "[Service]\nExecStart=/usr/local/bin/serve\n\n[Install]\nWantedBy=multi-user.target\n"},
    probes=[Probe.http(8080, contains="sees"), Probe.tcp(8081)],
)


def served(name, last, *forwards, parts=(), **more):
    return Container(
        name, f"10.0.7.{last}", base, parts=[service, *parts], root=Root(size="96M"), forwards=forwards, **more
    )


data = served("data", 20)
twin = served("twin", 40, Forward(82, to=8080), stateless=True)
shop = served(
    "shop", 10, Forward(80, to=8080), Forward(8081), Forward(5300, "udp"), Forward(7080, to=8080, reflect=False),
    parts=[System(sites=[Site("shop.example.org", to=twin.port(8080), aliases=["www.example.org"])])],
    uses=[data.port(8080)],
)  # fmt: skip
other = served("other", 30, uses=[twin])
guest = served("guest", 50, Forward(83, to=8080), untrusted=True)
long = served("somebody-with-a-long-name", 60, uses=[data])

fleet = Fleet(
    Host(
        "network",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.7.1/24", "fd00:7::1/64"),
        containers=[shop, data, other, twin, guest, long],
        open=[Open(666), Open(667, sources=["198.51.100.11", "2001:db8:ffff::11"]), Open(668, "udp")],
    )
)
