"""A container with Docker and Compose stacks."""

from eyas import Bridge, Container, File, Fleet, Host, Image, Open, System, Uplink
from eyas.parts import compose, docker

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

TINY = """\
[Unit]
Description=Small images, made in place
After=docker.service
Requires=docker.service
Before=compose-twenty.service compose-features.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/bin/tiny

[Install]
WantedBy=multi-user.target
"""

REGISTRY = """\
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: "127.0.0.1:45871"}
"""

tiny = System(
    packages=["busybox-static"],
    files={
        "/usr/local/bin/tiny": File.read("tiny", mode=0o755, restart=["tiny.service"]),
        "/etc/docker/registry/config.yml": File(REGISTRY, restart=["docker-registry.service"]),
    },
    units={"tiny.service": TINY},
)

twenty = compose(
    "twenty",
    env={"GREETING": "hello", "PORT": 8000},
    data="/srv/stacks/twenty",
    longest_pause="4s",
)

features = compose("features", data="/srv/stacks/features")

stacks = Container(
    "stacks", "10.0.8.10", base,
    packages=["busybox-static", "docker-compose", "docker-registry", "python3"],  # also without a stack
    parts=[docker("/srv/stacks/docker"), tiny, twenty, features],
)  # fmt: skip

fleet = Fleet(
    Host(
        "cells",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[stacks],
        open=[Open(22)],
    )
)
