from eyas import Bind, Bridge, Container, Fleet, Host, Image, Probe, System, Uplink

base = Image.debian("trixie", packages=["curl"])
postgres = Container("postgres", "10.0.5.50", base, binds=Bind("/home"), probes=Probe.tcp(5432))
web = Container("web", "10.0.5.10", base, after="postgres", parts=System(packages=["vim"]), users={"ann": 2001}, forwards=80)

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[postgres, web])
)
