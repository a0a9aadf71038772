from eyas import Bridge, Client, Container, Fleet, Host, Image, Open, System, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base)
guest = Container("guest", "10.0.5.11", base, untrusted=True, uses=[web])
other = Container("other", "10.0.5.12", base, parts=[System(clients=[Client("guest", 80)])])
fleet = Fleet(
    Host(
        "alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24"), [web, guest, other], open=[Open(22)]
    )
)
