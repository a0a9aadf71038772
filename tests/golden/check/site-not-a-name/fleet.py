from eyas import Bridge, Container, Fleet, Host, Image, Site, System, Uplink

base = Image.debian("trixie", packages=["curl"])
wiki = Container("wiki", "10.0.5.11", base)
front = System(sites=[Site("https://wiki.example.org/", to=wiki.port(80)), Site("x.example.org", to="wiki:80")])
web = Container("web", "10.0.5.10", base, parts=[front])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web, wiki])
)
