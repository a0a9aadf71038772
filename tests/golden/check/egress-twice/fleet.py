from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])
rules = [
    Egress("sources", to=["github.com"], via=Pool(8)),
    Egress("sources", to=["gitlab.com"], via=Pool(8)),
    Egress("web", ports=[80, 443], via=Pool(8)),
    Egress("never", to=["example.org"], ports=[443], via=Pool(8)),
    Egress("net", to=["198.51.100.0/24"], via="default"),
    Egress("inner", to=["198.51.100.7"], via=Pool(8)),
    Egress("rest", via=Pool(8)),
    Egress("last", to=["example.net"], via="default"),
]
forge = Container("forge", "10.0.5.10", base, egress=rules)
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway6="fe80::1"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), [forge], open=[Open(22)]))
