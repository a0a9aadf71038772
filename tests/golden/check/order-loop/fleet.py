from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, after=["wiki"])
wiki = Container("wiki", "10.0.5.11", base, needs=["postgres"])
postgres = Container("postgres", "10.0.5.50", base, restart_with=[web])
mail = Container("mail", "10.0.5.60", base, after=[web])

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[mail, web, wiki, postgres])
)
