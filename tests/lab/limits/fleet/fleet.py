"""A quick service beside heavy tenants: one that fills what it has, a runner of jobs that nobody trusts, one with
containers of its own, one that builds images of disks."""

from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Limits, Open, Probe, Root, System, Uplink
from eyas.parts import ci_runner, iso_images, loops, nspawn_builder, ram_disk

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

service = System(
    packages=["python3"],
    files={"/usr/local/bin/serve": File.read("serve", mode=0o755, restart=["serve.service"])},
    units={"serve.service": "[Service]\nExecStart=/usr/local/bin/serve\n\n[Install]\nWantedBy=multi-user.target\n"},
    probes=[Probe.http(8080)],
)

quick = Container(
    "quick", "10.0.8.10", base, parts=[service], root=Root(size="96M"), forwards=[Forward(80, to=8080)],
    limits=Limits(cpu_weight=500, io_weight=500, memory="1G"),
)  # fmt: skip

heavy = Container(
    "heavy", "10.0.8.20", base, parts=[service, ram_disk("/build", "48M")], root=Root(size="64M"),
    binds=[Bind("/srv/heavy", "/srv/heavy", persistent=True)],
    limits=Limits(memory="256M", memory_high="200M", cpus=1, cpu_weight=20, io_weight=20, tasks=200),
)  # fmt: skip

runner = ci_runner(
    "runner", "10.0.8.30", base, spool="/srv/ci", packages=["python3"], size="64M", memory="256M", tasks=100,
)  # fmt: skip

nest = Container(
    "nest", "10.0.8.40", base, parts=[nspawn_builder()], root=Root(size="256M"),
    limits=Limits(memory="1G", tasks=1000),
)  # fmt: skip

isos = Container(
    "isos", "10.0.8.50", base, parts=[loops(), iso_images("/srv/isos")], root=Root(size="512M"),
)  # fmt: skip

fleet = Fleet(
    Host(
        "limits",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[quick, heavy, runner, nest, isos],
        open=[Open(666)],
        memory="16G",
    )
)
