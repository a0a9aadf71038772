from eyas import Bridge, Container, Fleet, Forward, Host, Image, Open, Uplink

base = Image.debian()


def host(name, last):
    web = Container("web", "10.0.5.10", base, forwards=[Forward(80)])
    database = Container("database", "10.0.5.11", base, ipv6=False)
    return Host(
        name,
        Uplink("eth0", f"203.0.113.{last}/26"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        [web.with_(after=[database]), database],
        open=[Open(22)],
    )


fleet = Fleet(host("alpha", 10), host("beta", 11))
