"""A builder of packages that has Docker beside it, so that both run the same root on the same disk."""

from eyas import Bridge, Container, Fleet, Host, Image, Open, Uplink
from eyas.parts import docker, package_builder, repository

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

forge = Container(
    "forge", "10.0.6.20", base,
    packages=["rsync"],
    parts=[
        package_builder(
            "forge", "/var/lib/package-builder/published", "packages",
            data="/srv/forge", cache="/srv/cache", signing="/srv/signing", ram="6G", root="2G",
        ),
        repository(),
        docker("/srv/docker"),
    ],
)  # fmt: skip

fleet = Fleet(
    Host(
        "bench",
        uplink=Uplink("eth0", "203.0.113.10/26", "2001:db8:6::2/64", gateway="203.0.113.1", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.6.1/24", "fd00:6::1/64"),
        containers=[forge],
        open=[Open(22)],
    )
)
