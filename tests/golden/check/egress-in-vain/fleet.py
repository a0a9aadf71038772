from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])
from eyas import Forward, Site
from eyas.parts import front

forge = Container(
    "forge",
    "10.0.5.10",
    base,
    ipv6=False,
    egress=[
        Egress("pool", to=["github.com"]),
        Egress("one", to=["gitlab.com"], via="2001:db8:5:1::77"),
        Egress("refusing", to=["example.net"], via="default", ipv4="refused"),
        Egress("inside", to=["10.0.5.0/28", "fd00:5::7"], via="default"),
    ],
)
web = Container(
    "web",
    "10.0.5.11",
    base,
    parts=[front(Site("wiki.example.org", to=forge.port(80)))],
    forwards=[Forward(80)],
    egress=[
        Egress("own", to=["wiki.example.org"]),
        Egress("far", to=["192.0.2.0/24", "2001:db8:9::/48"], via="default", ipv4="refused"),
    ],
)
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway6="fe80::1"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), [forge, web], open=[Open(22)]))
