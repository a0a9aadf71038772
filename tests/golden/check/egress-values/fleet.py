from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])
rules = [
    Egress("big", via=Pool(65536)),
    Egress("none", via=Pool(0)),
    Egress("short", via=Pool(8, life="5s", per="sticky", sticky=1)),
    Egress("odd", via=Pool(8, per="request")),
    Egress("wild", to=["*.github.com"]),
    Egress("url", to=["https://github.com/x"]),
    Egress("upper", to=["GitHub.com"]),
    Egress("dot", to=["github.com."]),
    Egress("single", to=["github"]),
    Egress("bits", to=["192.0.2.7/24"]),
    Egress("nonsense", to=["192.0.2.0/99"]),
    Egress("local", to=["127.0.0.0/8"]),
    Egress("text", to="github.com"),
    Egress("ports", ports=[0, "53/icmp"]),
    Egress("both", user="anna", unit="build.service"),
    Egress("process", unit="build.timer"),
    Egress("way", via="wg0"),
    Egress("number", via=64),
    Egress("secret", via="socks5://anna:secret@10.0.9.9:1080"),
    Egress("tls", via="https://10.0.9.9:3128"),
    Egress("portless", via="socks5://10.0.9.9"),
    Egress("datagrams", ports=["53/udp"], via="socks5://10.0.9.9:1080"),
    Egress("slow", ceiling=0),
    Egress("refusing", ipv4="never"),
]
forge = Container("forge", "10.0.5.10", base, egress=rules)
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway6="fe80::1", prefix6="on link"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), [forge], open=[Open(22)]))
