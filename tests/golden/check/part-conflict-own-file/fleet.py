from eyas import Bridge, Container, File, Fleet, Host, Image, System, Uplink

base = Image.debian("trixie", packages=["curl"])
one = System(files={"/etc/motd": "one\n"})
web = Container("web", "10.0.5.10", base, parts=[one], files={"/etc/motd": File("one\n", mode=0o600)})

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
