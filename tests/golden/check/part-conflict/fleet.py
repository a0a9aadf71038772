from eyas import Bridge, Container, Fleet, Host, Image, System, Uplink

base = Image.debian("trixie", packages=["curl"])
one = System(files={"/etc/motd": "one\n"}, units={"a.service": "[Service]\nExecStart=/bin/one\n"})
two = System(files={"/etc/motd": "two\n"}, units={"a.service": "[Service]\nExecStart=/bin/two\n"})
web = Container("web", "10.0.5.10", base, parts=[one, two])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
