from eyas import Bridge, Container, Fleet, Host, Image, Uplink, User

base = Image.debian("trixie", packages=["curl"])
ann, bob = User("ann", 2001), User("bob", 2001)
web = Container("web", "10.0.5.10", base, users=[ann, bob, User("toor", 0)])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
