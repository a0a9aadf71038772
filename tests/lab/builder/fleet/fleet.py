"""A builder of packages, and a mirror of its repository."""

from eyas import Bind, Bridge, Container, Fleet, Host, Image, Open, Uplink
from eyas.parts import Schedule, mirror, package_builder, repository

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")

forge = Container(
    "forge", "10.0.7.20", base,
    parts=[
        package_builder(
            "forge", "/srv/http/repos/forge", "packages",
            data="/srv/forge", cache="/srv/cache", signing="/srv/signing",
            schedules={"hourly": "hourly", "nightly": Schedule("02:00", ["big*"], "idle")},
            jobs=3, ram="192M", root="64M", keep=2, retry=1, packager="Forge <forge@example.org>",
        ),
        repository(modules={"forge": "/srv/http/repos/forge"}),
    ],
    binds=[Bind("/srv/repository", "/srv/http/repos/forge", persistent=True)],
)  # fmt: skip

follower = Container(
    "follower", "10.0.7.30", base,
    parts=[mirror("forge", "rsync://forge/forge/", "/srv/http/forge"), repository()],
    uses=[forge.port(873)],
)  # fmt: skip

fleet = Fleet(
    Host(
        "forges",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.7.1/24", "fd00:7::1/64"),
        containers=[forge, follower],
        open=[Open(22)],
    )
)
