from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

base = Image.debian("trixie", packages=["curl"])


def host(name, address, **more):
    forge = Container("forge", "10.0.5.10", base, egress=[Egress("sources", to=["github.com"], via=Pool(64))])
    uplink = Uplink("eth0", f"203.0.113.{address}/26", f"2001:db8:5:1::{address}/64", **more)
    return Host(name, uplink, Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), [forge], open=[Open(22)])


fleet = Fleet(
    host("alpha", 70, pool6="2001:db8:5:1::/112"),
    host("beta", 71, pool6="2001:db8:5:1:8000::/66"),
    host("gamma", 72),
)
