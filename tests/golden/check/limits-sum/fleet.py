from eyas import Bridge, Container, Fleet, Host, Image, Limits, Open, Root, Uplink
from eyas.parts import ram_disk

base = Image.debian("trixie", packages=["curl"])
builder = Container("builder", "10.0.5.20", base, parts=[ram_disk("/build", "7G")], limits=Limits(memory="8G"))
huge = Container("huge", "10.0.5.21", base, limits=Limits(memory="24G"), root=Root(size="1G"))
open_end = Container("open-end", "10.0.5.22", base, units={"x.mount": "[Mount]\nWhat=tmpfs\nWhere=/x\nType=tmpfs\n"})

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
         containers=[builder, huge, open_end], open=[Open(22)], memory="16G")
)
