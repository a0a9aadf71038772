from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])
tor = Container("tor", "10.0.5.9", base, egress=[Egress("itself", via="socks5://tor:9050")])
forge = Container(
    "forge",
    "10.0.5.10",
    base,
    egress=[
        Egress("near", to=["198.51.100.1"], via="socks5://toor:9050"),
        Egress("far", to=["198.51.100.2"], via="http://proxy.example.org:3128"),
        Egress("six", to=["198.51.100.4"], via="socks5://[2001:db8::9]:1080"),
        Egress("right", to=["198.51.100.3"], via="socks5://10.0.9.9:1080"),
    ],
)
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway6="fe80::1"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), [tor, forge], open=[Open(22)]))
