from eyas import Bridge, Container, Fleet, Host, Image, Limits, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, limits=Limits(memory="lots", memory_high=-1, cpus=0, io_weight=20000), stop_timeout="soon", start_timeout=0)

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
