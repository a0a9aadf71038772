"""One host, one web server: a useful container in three lines."""

from eyas import Bridge, Container, Fleet, Forward, Host, Image, Open, Uplink
from eyas.parts import nginx

base = Image.debian("trixie")

hello = "server { listen 80; listen [::]:80; location / { return 200 'hello\\n'; } }\n"
web = Container("web", "10.0.6.10", base, parts=[nginx({"hello": hello})], forwards=[Forward(80)])

fleet = Fleet(
    Host(
        "small",
        uplink=Uplink("eth0", "203.0.113.10/26", "2001:db8:6::2/64", gateway="203.0.113.1", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.6.1/24", "fd00:6::1/64"),
        containers=[web],
        open=[Open(22)],
    )
)
