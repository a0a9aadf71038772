"""A front with every kind of site, an application, and a second nginx on the way to it."""

from sites import sites

from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Link, Open, Site, System, Unit, Uplink
from eyas.parts import front, nginx

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
# What one of the three needs all have: one image has to be built.
everywhere = System(packages=["libnginx-mod-http-fancyindex", "logrotate", "nftables", "nginx", "openssl", "python3"])

KEYS = "/etc/test-keys"
WWW = "/srv/www"


def backend(port, *pair):
    """The unit of the program ``backend`` at a port, with a certificate where it speaks TLS."""
    words = " ".join(["/usr/local/bin/backend", str(port), *pair])
    return Unit(
        f"[Service]\nExecStart={words}\nRestart=always\nRestartSec=0\n\n[Install]\nWantedBy=multi-user.target\n"
    )


app = Container(
    "app", "10.0.9.20", base,
    parts=[
        everywhere,
        System(
            files={
                "/usr/local/bin/backend": File.read("backend", mode=0o755),
                f"{KEYS}/backend.pem": File.read("keys/backend.pem"),
                f"{KEYS}/backend.key": File.read("keys/backend.key"),
            },
            units={
                "app.service": backend(8000),
                "app-tls.service": backend(8443, f"{KEYS}/backend.pem", f"{KEYS}/backend.key"),
            },
            enable=[],
            mask=["nginx.service"],
        )
    ],
)  # fmt: skip

# A second nginx, as applications bring them: it believes the front, and nobody else, about the visitor's address.
proxied = """\
server {
    listen 80;
    listen [::]:80;
    set_real_ip_from @{web-front.address};
    set_real_ip_from @{web-front.address6};
    real_ip_header X-Real-IP;
    location / {
        proxy_pass http://@{app.address}:8000;
        proxy_http_version 1.1;
        proxy_buffering off;
        proxy_read_timeout 1h;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $upgraded;
    }
}
map $http_upgrade $upgraded {
    default upgrade;
    '' '';
}
"""
second = Container("second", "10.0.9.21", base, parts=[everywhere, nginx({"social": proxied})], uses=[app])

pages = System(
    files={
        f"{WWW}/start/index.html": "start\n",
        f"{WWW}/start/app.js": "// app\n",
        f"{WWW}/start/about/index.html": "about\n",
        f"{WWW}/assets/style.css": "/* style */\n",
        f"{WWW}/assets/index.html": "not for visitors\n",
        f"{WWW}/files/release.iso": "iso\n",
        f"{WWW}/files/release.iso.sig": "sig\n",
        f"{WWW}/files/.marker": "hidden\n",
        f"{WWW}/files/.git/config": "hidden\n",
        f"{WWW}/files/.well-known/note.txt": "well-known\n",
        f"{WWW}/files/sub/notes.txt": "notes\n",
        f"{WWW}/files/json/release.iso": "iso\n",
        f"{WWW}/files/latest.iso": Link("release.iso"),
        f"{WWW}/cached/index.html": "page\n",
        f"{WWW}/cached/style.css": "/* style */\n",
        f"{WWW}/cloud/protected/plan.txt": "plan\n",
        f"{KEYS}/backend-ca.pem": File.read("keys/backend-ca.pem"),
        f"{KEYS}/client-ca.pem": File.read("keys/client-ca.pem"),
        f"{KEYS}/client.pem": File.read("keys/client.pem"),
        f"{KEYS}/client.key": File.read("keys/client.key"),
        f"{KEYS}/metrics.conf": 'proxy_set_header Authorization "Basic bWU6c2VjcmV0";\n',
    }
)

web = Container(
    "web-front", "10.0.9.10", base,
    parts=[
        everywhere,
        pages,
        front(
            *sites(app, second, KEYS, WWW),
            Site("last.example.org", to=app.port(8000)),
        ),
    ],
    binds=[Bind("/srv/acme", "/var/lib/acme", persistent=True)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp"), Forward(8448)],
)  # fmt: skip

fleet = Fleet(
    Host(
        "fronts",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.9.1/24", "fd00:9::1/64"),
        containers=[app, second, web],
        open=[Open(22)],
    )
)
