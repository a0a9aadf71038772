from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])
forge = Container("forge", "10.0.5.10", base, egress=[Egress("sources", to=["github.com"], via=Pool(64))])
fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64"), Bridge("br0", "10.0.5.1/24", "2001:db8:5:1:8000::1/80"), [forge], open=[Open(22)])
)
