from eyas import Bridge, Container, Fleet, Host, Image, System, Uplink

base = Image.debian("trixie", packages=["curl"])
def postgresql(databases):
    return System(packages=["postgresql"])


web = Container("web", "10.0.5.10", base, parts=[postgresql])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
