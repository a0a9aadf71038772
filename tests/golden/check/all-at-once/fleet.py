from eyas import Bridge, Container, Fleet, Forward, Host, Image, Limits, Site, System, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, after=["wkii"], forwards=[Forward(80)], limits=Limits(memory="2X"))
wiki = Container("wiki", "10.0.5.999", base, forwards=[Forward(80)])
mail = Container("mail", "10.0.5.10", base, after=[wiki], grants=["dcoker"], forwards=[Forward(80)])
news = Container("news", "10.0.7.1", base.add(packages=["Vim"]), parts=[System(sites=[Site("w.example.org", to=wiki.port(80))])])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web, wiki, mail, news])
)
