"""Three containers of one kind, each with a server behind a forward; edits are replacements in this text."""

from __future__ import annotations

NAMES = ("one", "two", "three")
ORDER = ("three", "two", "one")
"""In which they roll: by their edges, then by name."""

FLEET = """\
from eyas import Bridge, Container, File, Fleet, Forward, Host, Image, Open, Probe, Root, System, Uplink

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
service = "[Service]\\nExecStart=/usr/local/bin/serve {port}\\n\\n[Install]\\nWantedBy=multi-user.target\\n"


deaf = "[Service]\\nExecStart=bash -c 'trap : TERM; while :; do sleep 0.2; done'\\nTimeoutStopSec=infinity\\n"
deaf += "[Install]\\nWantedBy=multi-user.target\\n"


def server(words, port=8080, probes=True, **units):
    return System(
        packages=["python3"],
        files={
            "/usr/local/bin/serve": File.read("serve", mode=0o755),
            "/etc/say": File(f"{words}\\n", restart=["serve.service"]),
        },
        units={"serve.service": service.format(port=port), **{f"{name}.service": text for name, text in units.items()}},
        probes=[Probe.http(8080, timeout="3s")] if probes else [],
    )


def kin(name, number, part, size="48M", **more):
    times = {"stop_timeout": 3, "start_timeout": 5, "drain": 3, "settle": 1}
    return Container(
        name, f"10.0.11.{number}", base, parts=[part], root=Root(size=size),
        forwards=[Forward(8000 + number, to=8080)], **{**times, **more},
    )


one = kin("one", 10, server("first", probes=False), after=["two"])
two = kin("two", 11, server("first", deaf=deaf), after=["three"])
three = kin("three", 12, server("first"))

fleet = Fleet(
    Host(
        "chain",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        Bridge("br0", "10.0.11.1/24", "fd00:11::1/64"),
        [one, two, three],
        open=[Open(22)],
    )
)
"""

PORTS = {"one": 8010, "two": 8011, "three": 8012}
