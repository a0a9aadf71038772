from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "100.64.5.10", base, stateless=True)

fleet = Fleet(
    Host(
        "alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "100.64.5.1/24", "fd00:5::1/112"), containers=[web]
    ),
    Host(
        "beta",
        Uplink("eth0", "100.100.3.4/16"),
        Bridge("br0", "10.0.5.1/24"),
        containers=[web.with_(address="10.0.5.10")],
    ),
)
