"""What the front of the folder ``fleet`` answers, for each of the thirty-two patterns of a real front. Read it as a
specification; every row is asked over IPv4 and IPv6, and by each version of HTTP that it names.

``start/app.js`` is https://start.example.org/app.js.
"""

from __future__ import annotations

import re

from tests.lab.sites.row import ANY, Row

JSON = "application/json"
ANNA, OTHER = ("Authorization: Basic YW5uYTpzZXNhbWU=",), ("Authorization: Basic YW5uYTpvcGVu",)
MAIL = "Cf-Access-Authenticated-User-Email: anna@example.org"
FORGED = (
    "X-Real-IP: 192.0.2.1",
    "X-Forwarded-For: 192.0.2.1, 192.0.2.2",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: evil.example.com",
    "X-Forwarded-Port: 1",
    "Forwarded: for=192.0.2.1",
)
SEEN = {"x-real-ip": "{client}", "x-forwarded-for": "{client}"}
SAVED = {"x-real-ip": "192.0.2.77", "x-forwarded-for": "192.0.2.77"}
SOCKET = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
ACCEPTED = {"sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "upgrade": "websocket"}  # RFC 6455, 1.3
AWAY = {"retry-after": ANY}
YEAR = re.compile("^max-age=31536000[^|]*$")
WELL_KNOWN = "start/.well-known/webfinger"

PAGES = (
    Row("V1", "a file is sent", "start/app.js", body="// app", type="javascript"),
    Row("V1", "a directory is its index", "start/about/", body="about"),
    Row("V1", "everything else is the application's page", "start/users/7", body="start", type="text/html"),
    Row("V1", "the page itself", "start/", body="start", type="text/html"),
    Row("V1", "kept for ten minutes only", "start/app.js", headers={"cache-control": "max-age=600"}),
    Row("V1", "nothing above the directory", "start/../../../etc/passwd", 400, http=("1.1", "2")),
    Row("V1", "HTTP leads to HTTPS", "http://start/a?b=c", 301, to="https://start.example.org/a?b=c"),
    Row("V2", "301 with the path kept", "www/a/b?c=d", 301, to="https://start.example.org/a/b?c=d"),
    Row("V2", "and how long it may be remembered", "www/", 301, headers={"cache-control": "max-age=86400"}),
    Row("V2", "307 to a fixed target", "rooms/a?b", 307, to="https://app.example.org/rooms"),
    Row("V3", "a literal answer", "start/.well-known/matrix/server", body='{"m.server": "matrix.example.org:8448"}'),
    Row("V3", "with its type and headers", "start/.well-known/matrix/server", type=JSON,
        headers={"access-control-allow-origin": "*", "x-content-type-options": "nosniff"}),
    Row("V3", "only for exactly that path", "start/.well-known/matrix/server/x", body="start"),
    Row("V3", "gone, and why", "start/old", 410, body="moved to the forum"),
    Row("V3", "plainly not there", "start/never", 404),
    Row("V3", "a literal 200", "start/ping", body="pong", type="text/plain"),
)  # fmt: skip

PROXIES = (
    Row("V4", "path and query arrive as they are", "app/a%20b/c%2Fd?e=f&g=%26", path="/a%20b/c%2Fd?e=f&g=%26"),
    Row("V4", "method and body too", "app/", method="PUT", data="hello", tells={"method": "PUT", "length": 5}),
    Row("V4", "by HTTP/1.1", "app/", tells={"protocol": "HTTP/1.1", "port": 8000}),
    Row("V4", "who asked, and what for", "app/", sees={
        **SEEN, "host": "app.example.org", "x-forwarded-proto": "https", "x-forwarded-host": "app.example.org"}),
    Row("V4", "what a client says of that itself is not passed on", "app/", sent=FORGED, sees={
        **SEEN, "host": "app.example.org", "x-forwarded-proto": "https", "x-forwarded-host": "app.example.org",
        "x-forwarded-port": None, "forwarded": None}),
    Row("V4", "silent for longer than agreed", "slow/?do=sleep&for=3", 503, headers=AWAY),
    Row("V4", "as long as agreed", "slow/?do=sleep&for=0.2", tells={"port": 8000}),
    Row("V5", "what is no WebSocket is not asked to become one", "app/", sees={"upgrade": None}),
    Row("V5", "a WebSocket", "app/socket", 101, http=("1.1",), sent=SOCKET, body="hello", headers=ACCEPTED),
    Row("V5", "a WebSocket through a second nginx", "social/socket", 101, http=("1.1",), sent=SOCKET, body="hello",
        headers=ACCEPTED),
    Row("V6", "events", "events/?do=events&n=2&every=0", has=("data: 0", "data: 1"), type="text/event-stream"),
    Row("V7", "a log, while it is written", "logs/live?do=events&n=2&every=0", has=("data: 0", "data: 1")),
    Row("V8", "as much as usual", "app/", method="POST", data="x" * 2000, tells={"length": 2000}),
    Row("V8", "more than a site takes", "small/", 413, method="POST", data="x" * 2000),
    Row("V8", "no more than a site takes", "small/", method="POST", data="x" * 1000, tells={"length": 1000}),
    Row("V8", "no limit", "upload/", method="POST", data="x" * 100_000, tells={"length": 100_000}),
    Row("V9", "a backend with TLS, whose certificate is checked", "secure/", tells={"port": 8443}),
    Row("V9", "one with a certificate for another name", "secure-wrong/", 503, headers=AWAY),
    Row("V10", "from the delivery network: the address that it tells", "cdn/", source="cdn",
        sent=("X-Forwarded-For: 192.0.2.77",), sees=SAVED),
    Row("V10", "from it, after what its client made up", "cdn/", source="cdn",
        sent=("X-Forwarded-For: 192.0.2.1, 192.0.2.77",), sees=SAVED),
    Row("V10", "from elsewhere no word is believed", "cdn/", sent=("X-Forwarded-For: 192.0.2.77",), sees=SEEN),
    Row("V10", "nor from it, for a site that is not behind it", "app/", source="cdn",
        sent=("X-Forwarded-For: 192.0.2.77",), sees=SEEN),
    Row("V11", "the client, through a second nginx", "social/a", path="/a", sees={
        "x-real-ip": "{client}", "x-forwarded-proto": "https", "host": "social.example.org"}),
    Row("V11", "not who the client says to be", "social/", sent=FORGED, sees=SEEN),
    Row("V11", "nor who somebody else says to be", "http://social/", place="second", sent=FORGED, sees=SEEN),
)  # fmt: skip

GUARDED = (
    Row("V12", "asked by the tunnel, which ends in the front", "http://tunnel:8080/", place="web-front",
        families=(4,), path="/", sees={"x-forwarded-proto": "https"}),
    Row("V12", "from outside nobody has heard of it", "tunnel/", 404, trusted=False),
    Row("V12", "nor without TLS", "http://tunnel/", 404),
    Row("V13", "tunnel, certificate, and who it is", "vault:8443/", place="web-front", families=(4,), cert=True,
        sent=(MAIL,), sees={"x-auth-user": "anna@example.org", "cf-access-authenticated-user-email": None}),
    Row("V13", "without the certificate", "vault:8443/", 400, place="web-front", families=(4,), sent=(MAIL,)),
    Row("V13", "without saying who it is", "vault:8443/", 403, place="web-front", families=(4,), cert=True),
    Row("V13", "from outside, all forged", "vault/", 404, cert=True, trusted=False, sent=(MAIL, "X-Auth-User: x")),
    Row("V14", "the application is told who was let in", "wiki/", sent=ANNA, sees={"x-auth-user": "anna"}),
    Row("V14", "not who one says to be", "wiki/", sent=(*ANNA, "X-Auth-User: root"), sees={"x-auth-user": "anna"}),
    Row("V14", "no other application is told that", "app/", sent=("X-Auth-User: root",), sees={"x-auth-user": None}),
    Row("V15", "the backend gets its password", "metrics/", sees={"authorization": "Basic bWU6c2VjcmV0"}),
    Row("V15", "and not the client's", "metrics/", sent=ANNA, sees={"authorization": "Basic bWU6c2VjcmV0"}),
    Row("V16", "what is public", "api/api/v1/x?y", path="/api/v1/x?y"),
    Row("V16", "all else is not", "api/admin", 404),
    Row("V16", "also where it begins alike", "api/apix", 404),
    Row("V16", "by no detour", "api/api/../admin", 404, http=("1.1", "2")),
    Row("V16", "nor an encoded one", "api/api/%2e%2e/admin", 404),
    Row("V17", "its own limit", "small/import", method="POST", data="x" * 2000, tells={"length": 2000}),
    Row("V17", "its own patience", "slow/report?do=sleep&for=2", path="/report?do=sleep&for=2"),
    Row("V17", "its own header, beside the site's", "small/import", headers={"x-place": "import", "x-site": "small"}),
    Row("V17", "which others do not have", "small/", headers={"x-place": None, "x-site": "small"}),
    Row("V18", "who is asked for leads to who answers", f"{WELL_KNOWN}?resource=acct:anna@social.example.org", 301,
        to="https://social.example.org/.well-known/webfinger?resource=acct:anna@social.example.org"),
    Row("V18", "others are not known", f"{WELL_KNOWN}?resource=acct:anna@elsewhere.org", 404),
    Row("V18", "nor is nobody", WELL_KNOWN, 404),
    Row("V19", "files by their ending", "assets/style.css", body="/* style */", type="text/css"),
    Row("V19", "all else leads on", "assets/page?x", 302, to="https://start.example.org/page?x"),
)  # fmt: skip

NAMES = (
    Row("V20", "an alias", "app2/", sees={"host": "app2.example.org"}),
    Row("V20", "another", "app3/", sees={"host": "app3.example.org"}),
    Row("V20", "in any case of letters", "https://APP2.Example.org/", sees={"host": "app2.example.org"}, http=("2",)),
    Row("V21", "HTTP/3 is offered", "app/", http=("1.1", "2"), headers={"alt-svc": re.compile('h3=":443"')}),
    Row("V21", "also where a location has headers", "small/import", http=("1.1", "2"), headers={"alt-svc": ANY}),
    Row("V21", "a request", "app/quic", http=("3",), path="/quic", sees={"x-forwarded-proto": "https"}),
    Row("V21", "also a long one", "app/", http=("3",), method="POST", data="x" * 200_000, tells={"length": 200_000}),
    Row("V22", "federation", "matrix:8448/_matrix/x", http=("1.1", "2"), path="/_matrix/x", sees=SEEN),
    Row("V22", "the same name at the usual port", "matrix/_matrix/x", path="/_matrix/x"),
    Row("V22", "not for others", "app:8448/", 404),
    Row("V23", "an unknown name", "nobody/", 404, trusted=False),
    Row("V23", "without TLS", "http://nobody/", 404),
    Row("V23", "behind a known one", "app/", 404, sent=("Host: nobody.example.org",)),
    Row("V23", "that begins like a known one", "http://app.example.org.evil.example.com/", 404),
    Row("V23", "no name at all", "http://203.0.113.112/", 404),
    Row("V23", "no name at all, with TLS", "https://203.0.113.112/", 404, http=("1.1", "2"), trusted=False),
    Row("V23", "at the port of federation", "nobody:8448/", 404, trusted=False),
)  # fmt: skip

CONTENT = (
    Row("V24", "a listing for people", "files/", has=("release.iso", "sub/", "<style"), type="text/html"),
    Row("V24", "without what is hidden", "files/", lacks=(".marker", ".git")),
    Row("V24", "a listing for programs", "files/json/", has=('"name"', '"release.iso"'), type=JSON),
    Row("V24", "a file of it", "files/sub/notes.txt", body="notes"),
    Row("V25", "the mirror that one asks for", "files/get/a/b.iso?mirror=second", 302,
        to="https://second.example.net/a/b.iso"),
    Row("V25", "else the usual one", "files/get/b.iso", 302, to="https://first.example.net/b.iso"),
    Row("V25", "not any that one names", "files/get/b.iso?mirror=//evil.example.com", 302,
        to="https://first.example.net/b.iso"),
    Row("V25", "where a link leads", "files/latest.iso", 302, to=re.compile("/release.iso$")),
    Row("V26", "headers for safety", "start/", headers={
        "strict-transport-security": YEAR, "x-content-type-options": "nosniff", "x-frame-options": ANY,
        "referrer-policy": ANY}),
    Row("V26", "on errors as well", "start/never", 404, headers={"strict-transport-security": YEAR}),
    Row("V26", "once only, whatever the backend says", "app/?do=set&name=Strict-Transport-Security&to=max-age%3D1",
        headers={"strict-transport-security": YEAR}),
    Row("V26", "a type by the ending", "files/release.iso.sig", type="application/pgp-signature"),
    Row("V26", "hidden files are not there", "files/.marker", 404),
    Row("V26", "nor what lies in hidden directories", "files/.git/config", 404),
    Row("V26", "but the well-known is", "files/.well-known/note.txt", body="well-known"),
    Row("V27", "styles are kept for a week", "cached/style.css", headers={"cache-control": "max-age=604800"}),
    Row("V27", "pages are not", "cached/", headers={"cache-control": "no-cache"}),
    Row("V28", "who may", "inner/", source="cdn", path="/"),
    Row("V28", "who may not", "inner/", 403),
    Row("V28", "whoever he says to be", "inner/", 403, sent=("X-Forwarded-For: 198.51.100.12",)),
    Row("V28", "but for a location that is for all", "inner/open", path="/open"),
    Row("V29", "who has the password", "members/", sent=ANNA, path="/"),
    Row("V29", "who has none", "members/", 401, headers={"www-authenticate": re.compile("^Basic ")}),
    Row("V29", "who has another", "members/", 401, sent=OTHER),
    Row("V29", "the password is the front's affair", "members/", sent=ANNA, sees={"authorization": None}),
    Row("V29", "a method that is meant", "reading/", method="HEAD", http=("1.1", "2")),
    Row("V29", "one that is not", "reading/", 405, method="POST", data="x", headers={"allow": re.compile("GET")}),
    Row("V29", "nor this", "reading/", 405, method="DELETE"),
    Row("V29", "one of a group is away: the other answers", "group/", tells={"port": 8000}),
    Row("V30", "what is not written down is answered", "private/search?q=fish", path="/search?q=fish"),
    Row("V31", "calendars", "cloud/.well-known/caldav", 301, to="https://cloud.example.org/remote.php/dav"),
    Row("V31", "addresses", "cloud/.well-known/carddav", 301, to="https://cloud.example.org/remote.php/dav"),
    Row("V31", "nodeinfo", "cloud/.well-known/nodeinfo", 301,
        to="https://cloud.example.org/index.php/.well-known/nodeinfo"),
    Row("V32", "for the backend only, asked from outside", "cloud/protected/plan.txt", 404),
    Row("V32", "led there by the backend", "cloud/x?do=set&name=X-Accel-Redirect&to=/protected/plan.txt", body="plan"),
    Row("V32", "known by another name at the backend", "paths/api/users?x", path="/internal/v1/users?x"),
    Row("V32", "and the rest of it", "paths/about", path="/site/about"),
)  # fmt: skip

MATRIX = (*PAGES, *PROXIES, *GUARDED, *NAMES, *CONTENT)
