"""Two small containers that write; edits are replacements in this text."""

from __future__ import annotations

FLEET = """\
from eyas import Bind, Bridge, Container, Fleet, Host, Image, Limits, Open, Probe, Root, System, Uplink, User

base = Image.debian("trixie", packages=[], name="tiny")
times = {"stop_timeout": 5, "start_timeout": 20, "drain": 1, "settle": 1}
program = "echo begun >>/var/lib/app/state; exec 3>>/srv/open; exec sleep infinity"
app = System(
    users=[User("app", 900)],
    units={
        "app.service": "[Service]\\\\nUser=app\\\\nStateDirectory=app\\\\n"
        f"ExecStartPre=+install -o app -d /srv\\\\nExecStart=/bin/sh -c '{program}'\\\\n"
        "[Install]\\\\nWantedBy=multi-user.target\\\\n"
    },
    noise=["/srv/scratch/**"],
)

one = Container(
    "one", "10.0.12.10", base, parts=[app], root=Root(size="64M"),
    binds=[Bind("/pool/one/kept", "/kept", persistent=True)], **times,
)
two = Container("two", "10.0.12.11", base, root=Root(size="48M", backing="disk"), binds=[], **times)

fleet = Fleet(
    Host(
        "writes",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        Bridge("br0", "10.0.12.1/24", "fd00:12::1/64"),
        [one, two],
        open=[Open(22)],
    )
)
""".replace("\\\\n", "\\n")
