from eyas import Bind, Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container(
    "web", "10.0.5.10", base, stateless=True,
    binds=[Bind("/srv/cache", shared=True, persistent=True), Bind("/srv/web", persistent=True)],
)  # fmt: skip
loops = Container("loops", "10.0.5.11", base, stateless=True, grants=["loop"])

fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.112/26"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        containers=[web, loops],
    )
)
