"""One server with a quick service, a tenant that will use up all that it has, and one with containers of its own."""

from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Limits, Open, Probe, Root, System, Uplink
from eyas.parts import nspawn_builder, ram_disk

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

service = System(
    packages=["python3"],
    files={"/usr/local/bin/serve": File.read("serve", mode=0o755, restart=["serve.service"])},
    units={"serve.service": "[Service]\nExecStart=/usr/local/bin/serve\n\n[Install]\nWantedBy=multi-user.target\n"},
    probes=[Probe.http(8080)],
)

quick = Container(
    "quick", "10.0.8.10", base, parts=[service], root=Root(size="96M"), forwards=[Forward(80, to=8080)],
    limits=Limits(cpu_weight=500, io_weight=500, memory="512M"),
)  # fmt: skip

heavy = Container(
    "heavy", "10.0.8.20", base, parts=[service, ram_disk("/build", "48M")], root=Root(size="64M"),
    binds=[Bind("/srv/heavy", "/srv/heavy", persistent=True)],
    limits=Limits(memory="256M", memory_high="200M", cpus=0.8, cpu_weight=20, io_weight=20, tasks=200),
)  # fmt: skip

nest = Container(
    "nest", "10.0.8.40", base, parts=[nspawn_builder()], root=Root(size="256M"), autostart=False,
    limits=Limits(memory="512M", tasks=1000), start_timeout="10m",
)  # fmt: skip

fleet = Fleet(
    Host(
        "emulated",
        uplink=Uplink("eth0", "10.0.2.15/24", gateway="10.0.2.2"),
        bridge=Bridge("br0", "10.0.8.1/24"),
        containers=[quick, heavy, nest],
        open=[Open(22)],
        memory="3G",
    )
)
