"""Who leaves how: a forge with a pool, a shop that others come to, one that tells its users and services apart, and a
bystander."""

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
    Unit,
    Uplink,
    User,
)

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
more = System(packages=["python3", "nftables"])
service = System(
    files={"/usr/local/bin/serve": File.read("serve", mode=0o755, restart=["serve.service"])},
    units={"serve.service": "[Service]\nExecStart=/usr/local/bin/serve\n\n[Install]\nWantedBy=multi-user.target\n"},
    probes=[Probe.http(8080, contains="sees")],
)
JOB = "[Service]\nType=oneshot\nExecStart=curl -sS --fail http://six.example.net/source\n"


def ours(name, last, *rules, parts=(), **rest):
    return Container(name, f"10.0.8.{last}", base, parts=[more, *parts], egress=rules, root=Root(size="96M"), **rest)


forge = ours(
    "forge",
    10,
    Egress("plain", to=["six.example.net"], ports=["7/udp", 443], via="default"),
    Egress("sources", to=["sources.example.net", "six.example.net", "four.example.net"], via=Pool(64, life="30d")),
    Egress("fixed", to=["198.51.100.10", "2001:db8:ffff::10", "2001:db8:fffe::/48"], via="2001:db8:5:1::77"),
)
shop = ours("shop", 20, parts=[service], forwards=[Forward(80, to=8080)])
bystander = ours("bystander", 30)
marked = ours(
    "marked",
    40,
    Egress("hers", to=["sources.example.net"], user="anna", via="2001:db8:5:1::c"),
    Egress("anna", user="anna", via="2001:db8:5:1::a"),
    Egress("job", unit="job.service", via="2001:db8:5:1::b"),
    Egress("few", to=["six.example.net"], via="default", ceiling=10),
    Egress("new", to=["sources.example.net"], via=Pool(4, per="destination"), ipv4="refused"),
    users=[User("anna", 1001)],
    parts=[System(units={"job.service": Unit(JOB, enable=False)})],
)

fleet = Fleet(
    Host(
        "egress",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[forge, shop, bystander, marked],
        open=[Open(22)],
    )
)
