from eyas import Bridge, Container, Fleet, Host, Image, System, Uplink

base = Image.debian("trixie", packages=["curl"])
root = Image.tarball("root.tar", "foreign")
web = Container("web", "10.0.5.10", root, parts=[System(packages=["nginx"])])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
