from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
root = Image.tarball("rot.tar", "foreign")
web = Container("web", "10.0.5.10", root)

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
