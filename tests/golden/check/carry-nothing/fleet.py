from eyas import Bind, Bridge, Container, Fleet, Host, Image, System, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, binds=[Bind("/data/web", "/srv", carry=True)])
bot = Container("bot", "10.0.5.11", base, binds=[Bind("/data/bot", "/srv", persistent=True, shared=True, carry=True)],
                stateless=True)  # fmt: skip
odd = Container("odd", "10.0.5.12", base, parts=[System(noise=["/var/lib/x/"])])

fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24"), containers=[web, bot, odd]))
