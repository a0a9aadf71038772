from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
def ours(name, last, **more):
    return Container(name, f"10.0.5.{last}", base, **more)


web = ours("web", 10, memory="2G")
wiki = ours("wiki", 10)
mail = ours("mail", 300)

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web, wiki, mail])
)
