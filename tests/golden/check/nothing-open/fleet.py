from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base)
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24"), [web], sysctls={}))
