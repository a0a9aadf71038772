"""A front with certificates by an authority, and a mail server (as far as one matters here) with one by DNS."""

from eyas import (
    Acme,
    Bridge,
    Certificate,
    Container,
    Dns,
    File,
    Fleet,
    Forward,
    Host,
    Image,
    Open,
    Probe,
    Site,
    System,
    Uplink,
    Zone,
)
from eyas.parts import front

DIRECTORY, CA = "https://198.51.100.30:14000/dir", "/etc/eyas-lab/ca.pem"
MANY = 0

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
by_http = Acme(DIRECTORY, email="admin@example.org", ca=CA)
zones = [
    Zone("example.org", server="198.51.100.53", key="/etc/eyas-lab/tsig.key"),
    Zone("example.net", program="/etc/eyas-lab/plug"),
]
by_dns = Acme(DIRECTORY, email="admin@example.org", ca=CA, challenge=Dns(*zones, wait="20s"))

mail_names = ["*.example.org", "example.org", "mail.example.net"]
mail_certificate = Certificate("mail", mail_names, by_dns)

echo = Container(
    "echo", "10.0.8.20", base,
    parts=[
        System(
            packages=["python3"],
            files={"/usr/local/bin/echo-server": File.read("echo", mode=0o755, restart=["echo.service"])},
            units={
                "echo.service": "[Service]\nExecStart=/usr/local/bin/echo-server\n\n"
                "[Install]\nWantedBy=multi-user.target\n"
            },
            probes=[Probe.http(8080, contains="echo")],
        )
    ],
)  # fmt: skip

mail = Container(
    "mail", "10.0.8.30", base,
    parts=[
        System(
            packages=["python3"],
            certificates=[mail_certificate.used(reload=["mailer.service"])],
            units={
                "mailer.service": """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'md5sum </etc/eyas/certificates/mail/current/key.pem >/run/has; echo start >>/run/read'
ExecReload=/bin/sh -c 'md5sum </etc/eyas/certificates/mail/current/key.pem >/run/has; echo reload >>/run/read'

[Install]
WantedBy=multi-user.target
"""
            },
        )
    ],
)  # fmt: skip

sites = [
    Site("one.example.org", to=echo.port(8080)),
    # another site
    *(Site(f"n{number}.many.example.org", to=echo.port(8080)) for number in range(MANY)),
]

web = Container(
    "web-front", "10.0.8.10", base,
    parts=[front(*sites, certificates=by_http)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp")],
)  # fmt: skip

fleet = Fleet(
    Host(
        "certified",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[echo, mail, web],
        open=[Open(22)],
    )
)
