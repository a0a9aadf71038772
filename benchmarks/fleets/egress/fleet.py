"""Three containers that ask one destination: one leaves as ever, two from pools. The prefix is routed to the host, so
that what is measured are rules, and not a router that looks for 4,096 neighbours."""

from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, System, Uplink

THERE = "2001:db8:ffff::10"
base = Image.debian("trixie")
asks = System(packages=["nginx", "wrk"], mask=["nginx.service"])


def ours(name, last, *rules):
    return Container(name, f"10.0.9.{last}", base, parts=[asks], egress=rules)


plain = ours("plain", 10)
few = ours("few", 20, Egress("all", to=[THERE], via=Pool(64, life="1d")))
many = ours("many", 30, Egress("all", to=[THERE], via=Pool(4096, life="1d")))

fleet = Fleet(
    Host(
        "bench",
        uplink=Uplink(
            "eth0", "203.0.113.10/26", "2001:db8:6::2/64", gateway="203.0.113.1", gateway6="fe80::1", prefix6="routed"
        ),
        bridge=Bridge("br0", "10.0.9.1/24", "fd00:9::1/64"),
        containers=[plain, few, many],
        open=[Open(22)],
    )
)
