from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])
tor = Container("tor", "10.0.5.9", base)
rules = [
    Egress("sources", to=["github.com", "2001:db8:77::/48", "192.0.2.7"], ports=[443, 80], via=Pool(64), ceiling=5000),
    Egress("cdn", to=["cdn.example.net"], via=Pool(4096, per="destination", life="10m", uses=1000), ipv4="refused"),
    Egress("fixed", to=["example.net"], via="2001:db8:5:1::77"),
    Egress("inside", to=["198.51.100.0/24"], via="default"),
    Egress("onion", user="anna", via=f"socks5://{tor.address}:9050"),
    Egress("build", unit="build.service", ports=["53/udp"], via=Pool(per="sticky", sticky="1h")),
    Egress("rest", via="socks5://tor:9050"),
]
forge = Container("forge", "10.0.5.10", base, egress=rules)
guest = Container("guest", "10.0.5.11", base, untrusted=True, egress=[Egress("all")])
fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway6="fe80::1"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        [tor, forge, guest],
        open=[Open(22)],
        vantage=["ssh", "elsewhere", "probe"],
    ),
    Host(
        "beta",
        Uplink("eth0", "203.0.113.113/26", "2001:db8:5:1::3/64", pool6="2001:db8:5:1:4000::/66", prefix6="on-link"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        [guest],
        open=[Open(22)],
    ),
)
