from eyas import Bridge, Container, Fleet, Host, Image, Site, System, Uplink

base = Image.debian("trixie", packages=["curl"])
wiki = Container("wiki", "10.0.5.11", base)
front = System(
    sites=[
        Site("wiki.example.org", to=wiki.port(80)),
        Site("www.example.org", to=wiki.port(81), aliases=["wiki.example.org"]),
    ]
)
web = Container("web", "10.0.5.10", base, parts=[front])
other = Container("other", "10.0.5.12", base, parts=[System(sites=[Site("www.example.org", to=wiki.port(82))])])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web, wiki, other])
)
