from eyas import Bridge, Container, Fleet, Host, Image, System, Uplink, User

base = Image.debian("trixie", packages=["curl"])
team = System(users=[User("ann", 2001)])
web = Container("web", "10.0.5.10", base, parts=[team], users=[User("ann", 2002)])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
