"""One site for each pattern of a real front, V1 to V32, as short as they can be said."""

from eyas import (
    SECURE,
    Answer,
    Bind,
    Bridge,
    Choose,
    Container,
    Fleet,
    Forward,
    Host,
    Identity,
    Image,
    Linked,
    Location,
    Login,
    Proxy,
    Redirect,
    Rewrite,
    Site,
    Static,
    Trust,
    Uplink,
    Upstream,
)
from eyas.parts import front

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
app = Container("app", "10.0.8.20", base)
social = Container("social", "10.0.8.21", base)

matrix = Answer(200, '{"m.server": "matrix.example.org:443"}', type="application/json")
team = Login("Team", users={"anna": "$6$x$7uu/LQDNqA"})
cdn = Trust(["192.0.2.0/24", "2001:db8:99::/48"], "CF-Connecting-IP")


def v(number, *answers, **more):
    return Site(f"v{number}.example.org", *answers, **more)


def at(port, **more):
    return Proxy(app.port(port), **more)


sites = [
    v(1, Static("/srv/www/start", fallback="/index.html"), expires="10m"),
    v(2, Redirect("https://example.org", status=307, keep_path=True, expires="1d")),
    v(3, Location.exact("/robots.txt", Answer(200, "User-agent: *\nDisallow: /$\n")),
      Location.exact("/.well-known/matrix/server", matrix), Location("/old", Answer(410, "Gone \"for good\"."))),
    v(4, to=app.port(4000)),
    v(5, to=app.port(5000), timeout="1h"),
    v(6, at(6000, stream=True)),
    v(7, Location("/logs", at(7000), buffering=False), to=app.port(7001)),
    v(8, to=app.port(8000), upload="unlimited"),
    v(9, at(9443, https=True, verify="/etc/ssl/app-ca.pem", verify_name="app.internal")),
    v(10, to=app.port(1000), trust=cdn),
    v(11, to=social.port(80), trust=[social, "10.0.8.1"]),
    v(12, to=app.port(1200), listen="loopback"),
    v(13, at(1300), listen="loopback", client_ca="/etc/ssl/tunnel-ca.pem",
      identity=Identity("X-Webauth-User", by="header", source="Cf-Access-Authenticated-User-Email")),
    v(14, at(1400), client_ca="/etc/ssl/team-ca.pem", identity=Identity("X-User", by="certificate")),
    v(15, at(1500, headers={"X-Api-Key": "pri$$", "X-Asked": "$scheme"}, credentials="/etc/front/app.conf")),
    v(16, Location("/api", at(1600)), Location.exact("/health", at(1600, path="/up"))),
    v(17, Location("/big", at(1700), upload="5G", timeout="10m", headers={"X-Frame-Options": None}), to=app.port(1700),
      headers=SECURE, upload="1M"),
    v(18, Location.exact("/.well-known/webfinger", Choose(
        "resource",
        {r"~^acct(:|%3A)[^@]+(@|%40)example\.org$": Redirect("https://social.example.org", keep_query=True),
         "me": Rewrite("/me.json"), "*": Answer(404)},
        Answer(400, "whose?"))), to=app.port(1800)),
    v(19, Location.regex(r"\.(css|js|woff2?)$", Static("/srv/www"), ignore_case=True, expires="forever"),
      Location("/", Redirect("https://example.org", status=302, keep_path=True))),
    v(20, to=app.port(2000), aliases=["v20.example.net", "*.v20.example.org"]),
    v(21, to=app.port(2100), extra="add_header X-Served-By $server_protocol;"),
    v(22, to=app.port(2200), tls_ports=[8448]),
    v(23, Answer(404)),
    v(24, Location("/iso", Static("/srv/iso", listing="styled", hidden=[".*", "*.part"])),
      Location("/json", Static("/srv/iso", listing="json"))),
    v(25, Location("/get", Choose("mirror", {"eu": Redirect("https://eu.example.org/iso", status=302)},
                                  Static("/srv/iso"))),
      Location("/latest", Linked("/srv/iso", to="https://iso.example.org"))),
    v(26, Static("/srv/repo", types={"sig": "application/pgp-signature"}, hidden=[".lastupdate"]), headers=SECURE,
      hsts="365d"),
    v(27, Static("/srv/www"), expires={".css": "30d", "text/html": "never", "image/*": "7d", "default": "1h"}),
    v(28, Location("/status", Answer(200, "fine"), allow=[app, "10.0.8.0/24"]), to=app.port(2800), deny=["192.0.2.66"]),
    v(29, Proxy(Upstream([app.port(2901), app.port(2902)], backup=[social.port(2900)], max_fails=3, balance="least")),
      login=team, methods=["GET", "HEAD", "POST"], identity=Identity("Remote-User")),
    v(30, to=app.port(3000), access_log=False, maintenance="<h1>Later</h1>\n"),
    v(31, Location.exact("/.well-known/carddav", Redirect("/remote.php/dav")),
      Location.exact("/.well-known/nodeinfo", Redirect("/index.php/.well-known/nodeinfo")), to=app.port(3100)),
    v(32, Location("/protected/", Static("/srv/data"), internal=True), Location("/app", at(3200, path="/internal/app")),
      plain=True, to=app.port(3201)),
]  # fmt: skip

web = Container(
    "web-front", "10.0.8.10", base,
    parts=[front(*sites)],
    binds=[Bind("/srv/acme", "/var/lib/acme", persistent=True)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp"), Forward(8448)],
)  # fmt: skip
fleet = Fleet(
    Host(
        "fronts",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.8.1/24", "fd00:8::1/64"),
        containers=[app, social, web],
    )
)
