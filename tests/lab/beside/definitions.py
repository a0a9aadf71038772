"""A stateless container behind a forward, and one that asks it; edits are replacements in this text."""

from __future__ import annotations

FLEET = """\
from eyas import Bridge, Container, File, Fleet, Forward, Host, Image, Open, Probe, Root, System, Uplink

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
service = "[Service]\\nExecStart=/usr/local/bin/serve {port}\\n\\n[Install]\\nWantedBy=multi-user.target\\n"


def server(port=8080, **units):
    return System(
        packages=["python3"],
        files={"/usr/local/bin/serve": File.read("serve", mode=0o755)},
        units={"serve.service": service.format(port=port), **{f"{name}.service": text for name, text in units.items()}},
        probes=[Probe.http(8080, timeout="4s")],
    )


times = {"stop_timeout": 4, "start_timeout": 10, "drain": 20, "settle": 1}
web = Container(
    "web", "10.0.12.10", base, parts=[server()], root=Root(size="48M"), stateless=True,
    forwards=[Forward(80, to=8080), Forward(5300, "udp", to=8080)], uses=["mill"], **times,
)
mill = Container(
    "mill", "10.0.12.11", base, parts=[server()], root=Root(size="48M"), after=["web"], uses=["web"], **times
)

fleet = Fleet(
    Host(
        "beside",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        Bridge("br0", "10.0.12.1/24", "fd00:12::1/64"),
        [web, mill],
        open=[Open(22)],
    )
)
"""

BIGGER = ('server()], root=Root(size="48M"), stateless', 'server()], root=Root(size="64M"), stateless')
"""A change that would restart any other container."""
