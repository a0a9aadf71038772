from eyas import Bridge, Container, Fleet, Host, Image, Open, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, uses=["postgre"])
postgres = Container("postgres", "10.0.5.11", base, uses=[5432])
fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24"), [web, postgres], open=[Open(22)])
)
