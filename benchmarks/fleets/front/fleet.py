"""One site behind the front, and behind an nginx that somebody has configured by hand; the backend also by itself."""

from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Open, Probe, Site, System, Uplink
from eyas.parts import front, nginx

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
everywhere = System(packages=["logrotate", "nftables", "nginx", "openssl"])  # one image for all

answer = """\
access_log off;

server {
    listen 8080 backlog=4096;
    listen [::]:8080 backlog=4096;
    location / {
        default_type text/plain;
        return 200 "hello from behind, as a small answer of an application would be\\n";
    }
}
"""

behind = Container(
    "behind", "10.0.8.20", base, parts=[everywhere, nginx({"answer": answer}, port=8080)], forwards=[Forward(8080)]
)  # fmt: skip

web = Container(
    "web-front", "10.0.8.10", base,
    parts=[everywhere, front(Site("app.example.org", to=behind.port(8080)))],
    binds=[Bind("/srv/acme", "/var/lib/acme", persistent=True)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp")],
)  # fmt: skip

byhand = Container(
    "by-hand", "10.0.8.11", base,
    uses=[behind.port(8080)],
    parts=[
        everywhere,
        System(
            files={
                "/etc/nginx/nginx.conf": File.read("nginx.conf"),
                "/etc/systemd/system/nginx.service.d/50-certificate.conf": File.read("certificate.conf"),
            },
            probes=[Probe.tcp(443)],
        ),
    ],
    forwards=[Forward(9443, to=443), Forward(9444, to=444)],
)  # fmt: skip

fleet = Fleet(
    Host(
        "fronts",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[behind, web, byhand],
        open=[Open(22)],
    )
)
