"""A container with Docker, one with Podman, and a neighbour who asks for what they publish."""

from eyas import Bind, Bridge, Container, Fleet, Forward, Host, Image, Open, Root, Uplink
from eyas.parts import docker, podman

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

dock = Container(
    "dock", "10.0.7.30", base, parts=[docker("/srv/dock", size="256M")], root=Root(size="96M"), forwards=[Forward(8088)]
)
pod = Container("pod", "10.0.7.40", base, parts=[podman("/srv/pod", size="256M")], root=Root(size="96M"))
near = Container(
    "near", "10.0.7.10", base, root=Root(size="96M"), uses=[dock, pod],
    binds=[Bind("/srv/near", "/data", persistent=True, mode=0o770, size="64M")],
)  # fmt: skip

fleet = Fleet(
    Host(
        "docks",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.7.1/24", "fd00:7::1/64"),
        containers=[dock, pod, near],
        open=[Open(22)],
    )
)
