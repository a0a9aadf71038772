"""Three containers from one function; defaults declared once, overridden and removed for one of them."""

from eyas import Bind, Bridge, Container, Fleet, Host, Image, Limits, Open, Root, System, Uplink, User

base = Image.debian(packages=["curl"])
team = System(users=[User("ann", 2001)], files={"/etc/motd": "ours\n"})
usual = {"limits": Limits(memory="4G"), "binds": [Bind("/home")], "parts": [team]}
runners = {
    name: Container(name, f"10.0.5.{last}", base.add(packages=["git"]), **usual)
    for last, name in enumerate(("one", "two", "three"), 21)
}
loud = runners["one"].with_(name="four", address="10.0.5.24", limits=Limits(memory="8G"))
untrusted = runners["one"].with_(name="untrusted", address="10.0.5.30", parts=(), binds=(), root=Root(size="1G"))

fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.10/26"),
        Bridge("br0", "10.0.5.1/24"),
        [*runners.values(), loud, untrusted],
        open=[Open(22)],
    )
)
