from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])
rules = [
    Egress("one", to=["198.51.100.1"], via="2001:db8:9::1"),
    Egress("two", to=["198.51.100.2"], via="203.0.113.113"),
    Egress("three", to=["198.51.100.3"], via="2001:db8:5:1::1"),
    Egress("four", to=["198.51.100.4"], via="2001:db8:5:1::5"),
    Egress("five", to=["198.51.100.5"], via="2001:db8:5:1::77"),
    Egress("six", to=["198.51.100.6"], via="203.0.113.112"),
]
forge = Container("forge", "10.0.5.10", base, egress=rules)
fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway6="2001:db8:5:1::1"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        [forge],
        open=[Open(22)],
    ),
    Host("beta", Uplink("eth0", "203.0.113.114/26", "2001:db8:5:1::5/64"), Bridge("br0", "10.0.6.1/24"), open=[Open(22)]),
)
