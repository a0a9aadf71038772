from eyas import Bind, Bridge, Container, Fleet, Host, Image, Open, Uplink, User

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, users=[User("ann", 2001)], binds=[Bind("/home")])
wiki = Container("wiki", "10.0.5.11", base, users=[User("ann", 2002)], binds=[Bind("/home")])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web, wiki], open=[Open(22)])
)
