from eyas import (
    Answer,
    Bridge,
    Choose,
    Container,
    Fleet,
    Host,
    Identity,
    Image,
    Location,
    Login,
    Proxy,
    Redirect,
    Site,
    Static,
    System,
    Trust,
    Uplink,
    Upstream,
)

base = Image.debian()
app = Container("app", "10.0.5.11", base)
sites = [
    Site("a.example.org"),
    Site("b.example.org", Location("api", Proxy(app.port(80))), Location("/x", Answer(301, "away"))),
    Site("c.example.org", Location("/", Static("/srv")), Location("/", Proxy(app.port(80)))),
    Site("d.example.org", Location.regex(r"\.php$", Proxy(app.port(80), path="/v1"))),
    Site("e.example.org", Location("/api", Proxy(app.port(80), path="/v1/"))),
    Site("f.example.org", Redirect("https://$hots/x"), headers={"X-A\nB": "c"}, upload="much"),
    Site("g.example.org", Redirect("https://$host$uri"), allow=["10.0.5.1/24"], methods=["get"]),
    Site("h.example.org", to=app.port(80), identity=Identity("X-User", by="header", source="X-Their-User")),
    Site("i.example.org", to=app.port(80), identity=Identity("X-User"), trust=Trust(["0.0.0.0/0"])),
    Site("j.example.org", to=app.port(80), login=Login(users={"anna": "sesame"}), plain=True, hsts="1d"),
    Site("k.example.org", Proxy(Upstream([])), expires={"css": "1d"}),
    Site("l.example.org", Choose("mirror", {"eu": Proxy(app.port(80))}, Answer(404))),
]
web = Container("web", "10.0.5.10", base, parts=[System(sites=sites)])
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"), [app, web]))
