"""A site that the world asks, a builder with a pool for each kind of upstream, a second one with a pool of its own."""

from eyas import Bridge, Container, Egress, Fleet, Forward, Host, Image, Open, Pool, Root, Uplink
from eyas.parts import nginx

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

conf = """\
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    send_timeout 1h;
    location / { return 200 ok; }
    location /big { alias /srv/big; }
}
"""

web = Container(
    "web", "10.0.5.10", base, parts=[nginx({"web": conf})], root=Root(size="128M"), forwards=[Forward(80)],
)  # fmt: skip
forge = Container(
    "forge", "10.0.5.20", base, packages=["python3"],
    egress=[
        Egress("sources", to=["sources.example.net"], via=Pool(8)),
        Egress("prefix", to=["prefix.example.net"], via=Pool(16, rest="20s")),
        Egress("resets", to=["resets.example.net"], via=Pool(4)),
        Egress("all", via=Pool(64)),
    ],
)  # fmt: skip
mirror = Container("mirror", "10.0.5.30", base, packages=["python3"], egress=[Egress("all", via=Pool(8))])

fleet = Fleet(
    Host(
        "egress",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        [web, forge, mirror],
        open=[Open(666)],
        vantage=["/usr/bin/python3", "/usr/local/lib/vantage.py"],
    )
)
