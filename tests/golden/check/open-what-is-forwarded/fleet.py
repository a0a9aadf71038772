from eyas import Bridge, Container, Fleet, Forward, Host, Image, Open, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, forwards=[Forward(80)])
fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.112/26"),
        Bridge("br0", "10.0.5.1/24"),
        [web],
        open=[Open(22), Open(80), Open(22), Open(53, "udp", sources=["here"])],
    )
)
