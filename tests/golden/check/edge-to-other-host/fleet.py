from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian()
postgres = Container("postgres", "10.0.5.50", base)
web = Container("web", "10.0.5.10", base, after=[postgres])
fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"), [web]),
    Host("beta", Uplink("eth0", "203.0.113.11/26"), Bridge("br0", "10.0.5.1/24"), [postgres]),
)
