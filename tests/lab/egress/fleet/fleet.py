"""Who leaves how: a forge with a pool, one that only has IPv4 inside, a shop that others come to, and a bystander."""

from eyas import (
    Bridge,
    Container,
    Egress,
    File,
    Fleet,
    Forward,
    Host,
    Image,
    Open,
    Pool,
    Probe,
    Root,
    System,
    Uplink,
)

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
python = System(packages=["python3"])
service = System(
    files={"/usr/local/bin/serve": File.read("serve", mode=0o755, restart=["serve.service"])},
    units={"serve.service": "[Service]\nExecStart=/usr/local/bin/serve\n\n[Install]\nWantedBy=multi-user.target\n"},
    probes=[Probe.http(8080, contains="sees")],
)


def ours(name, last, *rules, parts=(), **more):
    return Container(name, f"10.0.8.{last}", base, parts=[python, *parts], egress=rules, root=Root(size="96M"), **more)


SIZE = 64
forge = ours(
    "forge",
    10,
    Egress("plain", to=["six.example.net"], ports=[443], via="default"),
    Egress("sources", to=["sources.example.net", "six.example.net", "four.example.net"], via=Pool(SIZE)),
    Egress("fixed", to=["198.51.100.10", "2001:db8:ffff::10"], via="2001:db8:5:1::77"),
)
shop = ours("shop", 20, parts=[service], forwards=[Forward(80, to=8080), Forward(222, to=22, reflect=False)])
bystander = ours("bystander", 30)

fleet = Fleet(
    Host(
        "egress",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[forge, shop, bystander],
        open=[Open(22)],
    )
)
