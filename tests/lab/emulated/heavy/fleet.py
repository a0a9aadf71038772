"""One server with what others shut out: a container with Docker, one with Podman, and one that builds packages."""

from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Limits, Open, Root, System, Uplink
from eyas.parts import compose, docker, package_builder, podman, repository

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

TINY = """\
[Unit]
Description=Small images, made in place
After=docker.service
Requires=docker.service
Before=compose-held.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/bin/tiny

[Install]
WantedBy=multi-user.target
"""

tiny = System(
    packages=["busybox-static"],
    files={"/usr/local/bin/tiny": File.read("tiny", mode=0o755, restart=["tiny.service"])},
    units={"tiny.service": TINY},
)

dock = Container(
    "dock", "10.0.7.30", base,
    parts=[docker("/srv/dock", size="256M"), tiny, compose("held", data="/srv/held", timeout="15m")],
    root=Root(size="96M"), limits=Limits(memory="768M", tasks=1000), forwards=[Forward(8088)], start_timeout="20m",
)  # fmt: skip

pod = Container(
    "pod", "10.0.7.40", base, parts=[podman("/srv/pod", size="256M")], root=Root(size="96M"),
    limits=Limits(memory="512M", tasks=1000), start_timeout="20m",
)  # fmt: skip

forge = Container(
    "forge", "10.0.7.20", base,
    parts=[
        package_builder(
            "forge", "/srv/http/repos/forge", "packages",
            data="/srv/forge", cache="/srv/cache", signing="/srv/signing", jobs=1, ram="192M", root="64M",
        ),
        repository(modules={"forge": "/srv/http/repos/forge"}),
    ],
    binds=[Bind("/srv/repository", "/srv/http/repos/forge", persistent=True)],
    root=Root(size="256M"), limits=Limits(memory="768M"), start_timeout="20m",
)  # fmt: skip

fleet = Fleet(
    Host(
        "emulated",
        uplink=Uplink("eth0", "10.0.2.15/24", gateway="10.0.2.2"),
        bridge=Bridge("br0", "10.0.7.1/24"),
        containers=[dock, pod, forge],
        open=[Open(22)],
        memory="3G",
    )
)
