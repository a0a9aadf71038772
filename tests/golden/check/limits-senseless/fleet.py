from eyas import Bridge, Container, Fleet, Host, Image, Open, Limits, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, limits=Limits(memory="512M", memory_high="1G"))

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web], open=[Open(22)])
)
