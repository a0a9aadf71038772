"""Sites of every kind, V1 to V32. What they are to answer stands in the test's matrix."""

from eyas import (
    SECURE,
    Answer,
    Choose,
    Identity,
    Linked,
    Location,
    Login,
    Proxy,
    Redirect,
    Site,
    Static,
    Upstream,
)

CDN = ["198.51.100.12", "2001:db8:ffff::12"]
ALL = ["0.0.0.0/0", "::/0"]
JSON = "application/json"
SESAME = "$6$fleet$gBoul6QSuQ/3hT185kWPuS5sJ9YeU9HKgQYfroBoFP2hUkvf9FIYtX0aysCiQHtjbfyz5E2rGqYswDUrfZci71"
anna = Login("team", users={"anna": SESAME})
safe = {"headers": SECURE, "hsts": "365d"}


def sites(app, second, keys, www):
    at = Proxy(app.port(8000))
    return [*pages(www), *applications(app, second, at, keys), *guarded(app, at, keys), *contents(app, at, www)]


def pages(www):
    return [
        Site(  # V1, V3, V18, V26
            "start.example.org",
            Location("/", Static(f"{www}/start", fallback="/index.html"), expires="10m"),
            Location.exact("/ping", Answer(200, "pong")),
            Location.exact("/old", Answer(410, "moved to the forum")),
            Location.exact("/never", Answer(404)),
            Location.exact(
                "/.well-known/matrix/server",
                Answer(200, '{"m.server": "matrix.example.org:8448"}', type=JSON),
                headers={"Access-Control-Allow-Origin": "*"},
            ),
            Location.exact(
                "/.well-known/webfinger",
                Choose(
                    "resource",
                    {
                        "~^acct:[^@]+@social\\.example\\.org$": Redirect(
                            "https://social.example.org/.well-known/webfinger", keep_query=True
                        )
                    },
                    Answer(404),
                ),
            ),
            **safe,
        ),
        Site("www.example.org", Redirect("https://start.example.org", keep_path=True, expires="1d")),  # V2
        Site("rooms.example.org", Redirect("https://app.example.org/rooms", status=307)),
    ]


def applications(app, second, at, keys):
    tls = {"https": True, "verify": f"{keys}/backend-ca.pem"}
    return [
        Site(
            "app.example.org", to=app.port(8000), aliases=["app2.example.org", "app3.example.org"], hsts="365d"
        ),  # V4, V5, V20
        Site("slow.example.org", Location("/", at), Location("/report", at, timeout=10), timeout=1),  # V17
        Site("events.example.org", Proxy(app.port(8000), stream=True)),  # V6
        Site("logs.example.org", Location("/live", at, buffering=False, timeout="1h"), Location("/", at)),  # V7
        Site(  # V8, V17, V21
            "small.example.org",
            Location("/", at),
            Location("/import", at, upload="1M", headers={"X-Place": "import"}),
            upload=1000,
            headers={"X-Site": "small"},
        ),
        Site("upload.example.org", to=app.port(8000), upload="unlimited", timeout="5min"),
        Site("secure.example.org", Proxy(app.port(8443), verify_name="backend.internal", **tls)),  # V9
        Site("secure-wrong.example.org", Proxy(app.port(8443), verify_name="other.internal", **tls)),
        Site("cdn.example.org", to=app.port(8000), trust=CDN),  # V10
        Site("social.example.org", to=second.port(80), buffering=False, timeout="1h"),  # V11
        Site("matrix.example.org", to=app.port(8000), tls_ports=[8448]),  # V22
        Site(
            "group.example.org", Proxy(Upstream([app.port(8001), app.port(8000)], max_fails=2, fail_timeout="5s"))
        ),  # V29
    ]


def guarded(app, at, keys):
    return [
        Site("tunnel.example.org", to=app.port(8000), listen="loopback"),  # V12
        Site(  # V13
            "vault.example.org",
            at,
            listen="loopback",
            client_ca=f"{keys}/client-ca.pem",
            identity=Identity("X-Auth-User", by="header", source="Cf-Access-Authenticated-User-Email"),
        ),
        Site("wiki.example.org", at, login=anna, identity=Identity("X-Auth-User")),  # V14
        Site("metrics.example.org", Proxy(app.port(8000), credentials=f"{keys}/metrics.conf")),  # V15
        Site("api.example.org", Location("/api/", at)),  # V16
        Site("inner.example.org", Location("/", at), Location("/open", at, allow=ALL), allow=CDN),  # V28
        Site("members.example.org", at, login=anna),  # V29
        Site("reading.example.org", at, methods=["GET", "HEAD"]),
        Site("private.example.org", at, access_log=False),  # V30
    ]


def contents(app, at, www):
    mirrors = {"second": Redirect("https://second.example.net/$1", status=302)}
    return [
        Site(  # V19
            "assets.example.org",
            Location.regex(r"\.(css|js|png)$", Static(f"{www}/assets")),
            Location("/", Redirect("https://start.example.org", status=302, keep_path=True)),
        ),
        Site(  # V24, V25, V26
            "files.example.org",
            Location(
                "/",
                Static(
                    f"{www}/files",
                    listing="styled",
                    hidden=[".marker", ".git"],
                    types={"sig": "application/pgp-signature"},
                ),
            ),
            Location("/json/", Static(f"{www}/files", listing="json")),
            Location.regex(
                "^/get/(.+)$", Choose("mirror", mirrors, Redirect("https://first.example.net/$1", status=302))
            ),
            Location.exact("/latest.iso", Linked(f"{www}/files")),
        ),
        Site("cached.example.org", Static(f"{www}/cached"), expires={".css": "7d", "text/html": "never"}),  # V27
        Site(  # V31, V32
            "cloud.example.org",
            Location.exact("/.well-known/caldav", Redirect("https://cloud.example.org/remote.php/dav")),
            Location.exact("/.well-known/carddav", Redirect("https://cloud.example.org/remote.php/dav")),
            Location("/.well-known", Redirect("https://cloud.example.org/index.php", keep_path=True)),
            Location("/protected/", Static(f"{www}/cloud/protected"), internal=True),
            Location("/", at),
        ),
        Site(
            "paths.example.org",
            Location("/api/", Proxy(app.port(8000), path="/internal/v1/")),
            Location("/", Proxy(app.port(8000), path="/site/")),
        ),
    ]
