from eyas import Bind, Bridge, Container, File, Fleet, Host, Image, Link, Open, System, Uplink

base = Image.debian()
part = System(files={"/etc/app.conf": "port = 80\n", "/etc/app.link": Link("app.conf")})
writer = Container("writer", "10.0.5.10", base, binds=[Bind("/data/media", "/srv/media", persistent=True)])
reader = Container("reader", "10.0.5.11", base, binds=[Bind("/data/media", "/srv/media", readonly=True)])
indexer = Container(
    "indexer",
    "10.0.5.12",
    base,
    parts=[part, part],
    binds=[Bind("/data/media", "/srv/media", persistent=True, shared=True)],
    files={"/etc/app.conf": File("port = 81\n", override=True)},
)
fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.10/26"),
        Bridge("br0", "10.0.5.1/24"),
        [writer, reader, indexer],
        open=[Open(22)],
    )
)
