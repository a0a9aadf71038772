"""A cache of sources, and a builder of packages that asks nobody else."""

from eyas import Bridge, Container, Egress, Fleet, Host, Image, Pool, Uplink
from eyas.parts import package_builder, source_cache

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

cache = Container(
    "cache", "10.0.8.10", base,
    parts=[source_cache("/srv/sources", ceiling=200, fresh="1h", git=3, pause=30)],
    egress=[Egress("pool", to=["pool.example.net"], via=Pool(8))],
)  # fmt: skip

forge = Container(
    "forge", "10.0.8.20", base,
    parts=[
        package_builder(
            "forge", "/srv/http/repos/forge", "packages", sources=cache,
            data="/srv/forge", cache="/srv/cache", signing="/srv/signing", ram="192M", root="64M", retry=1,
        )
    ],
)  # fmt: skip

fleet = Fleet(
    Host(
        "forges",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[cache, forge],
    )
)
