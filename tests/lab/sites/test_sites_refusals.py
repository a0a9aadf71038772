"""What does not get through, and who stands in for whom: forged headers and names, broken sites, maintenance, logs."""

from __future__ import annotations

import json

import pytest

from eyas.lab.testing import retry
from tests.lab.sites.rig import FRONT, Sites
from tests.lab.sites.row import ANY, Row

LAST = 'Site("last.example.org", to=app.port(8000)),'
FLAG = "/run/eyas-front/maintenance"
FALSE = ("192.0.2.66", "evil.example.com", "mallory")
HEADERS = (
    *(
        f"{name}: 192.0.2.66"
        for name in ("X-Real-IP", "X-Client-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP")
    ),
    "X-Forwarded-For: 192.0.2.66, 127.0.0.1",
    "X-Forwarded-For: 192.0.2.66",
    "X_Forwarded_For: 192.0.2.66",
    "Forwarded: for=192.0.2.66;host=evil.example.com;proto=http",
    *(f"{name}: evil.example.com" for name in ("X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host")),
    *(f"{name}: /evil.example.com" for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix")),
    "X-Auth-User: mallory",
    "x_auth_user: mallory",
    "Cf-Access-Authenticated-User-Email: mallory",
)
PROXIED = (
    *("app", "app2", "cdn", "events", "group", "last", "logs", "matrix", "metrics"),
    *("private", "reading", "secure", "small", "social", "upload"),
)
HOSTS = (
    "nobody.example.org",
    "evil.example.com",
    "app.example.org.evil.example.com",
    "evil.example.com#app.example.org",
    "app.example.org@evil.example.com",
    "tunnel.example.org",
    "vault.example.org:8443",
    "127.0.0.1:8080",
    "localhost",
    "10.0.9.20:8000",
    "[::1]",
    "_",
    "",
)


def test_forged_headers_reach_no_backend(sites: Sites) -> None:
    """Whatever a visitor says about himself, by every version of HTTP and to every site."""
    rows = [Row("V4", name, f"{name}/", sent=HEADERS, lacks=FALSE, tells={"method": "GET"}) for name in PROXIED]
    cases = [case for row in rows for case in row.cases]
    answers = sites.answers(cases)
    faults = {
        f"{row.whole} IPv{family} HTTP/{version}": found
        for row, family, version in cases
        if (found := row.faults(answers[row, family, version], version, ""))
    }
    assert not faults


def test_a_forged_host_reaches_no_backend(sites: Sites) -> None:
    """A name that nobody serves, or only the tunnel: in the header, in the request's line, or both."""
    paths = [f"/forged-{number}" for number in range(len(HOSTS))]
    rows = [
        Row("V23", host, f"app{path}", sent=(f"Host: {host}",), http=http)
        for host, path in zip(HOSTS, paths, strict=True)
        # what is no name at all is not even sent by HTTP/3
        for http in (("1.1", "2", "3") if host.count(".") > 1 and "@" not in host and "#" not in host else ("1.1",))
        for http in ([http] if isinstance(http, str) else http,)
    ]
    found = sites.answers([case for row in rows for case in row.cases])
    served = [
        (row.says, version, answer["status"]) for (row, _, version), answer in found.items() if "status" in answer
    ]
    assert {status for _, _, status in served} <= {400, 404, 421}, served
    seen = json.loads(sites.succeed("app", "curl", "-sS", "http://127.0.0.1:8000/seen"))
    assert seen, "it counts"
    assert not {path for path in seen if path.startswith("/forged-")}


@pytest.mark.parametrize("family", [4, 6])
def test_a_line_with_another_name_than_the_header(sites: Sites, family: int) -> None:
    """What the line says counts (RFC 9112, 3.2.2), and is told to the backend."""
    lines = "GET https://{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
    assert "404" in raw(sites, family, lines.format("nobody.example.org/x", "app.example.org"))
    told = raw(sites, family, lines.format("app.example.org/x", "nobody.example.org"))
    assert '"host": "app.example.org"' in told
    assert "nobody" not in told
    twice = "GET / HTTP/1.1\r\nHost: app.example.org\r\nHost: nobody.example.org\r\nConnection: close\r\n\r\n"
    assert " 400 " in raw(sites, family, twice)
    assert "404" in raw(sites, family, "GET / HTTP/1.0\r\n\r\n")


def raw(sites: Sites, family: int, text: str) -> str:
    """What comes back for these bytes."""
    address = {4: "203.0.113.112:443", 6: "[2001:db8:5:1::2]:443"}[family]
    argv = ("openssl", "s_client", "-quiet", "-ign_eof", "-connect", address, "-servername", "app.example.org")
    return sites.execute("internet", *argv, input=text).text


# ---------------------------------------------------------------- broken definitions


@pytest.mark.parametrize(
    "words",
    ['extra="{"', 'extra="if ($arg_a) { proxy_pass http://x; }"', 'headers={"X-Some": "$nothing"}'],
)
def test_a_site_that_cannot_be_is_refused_by_check(sites: Sites, words: str) -> None:
    """Before any host is asked, with the line of the definition."""
    sites.edit(LAST, f'Site("last.example.org", to=app.port(8000), {words}),')
    said = sites.run("apply", "--yes")
    assert said.code == 2
    assert f"fleet.py:{line(sites)}: error: Site." in said.err


def test_a_site_that_nginx_refuses_changes_nothing(sites: Sites) -> None:
    """What only nginx can know: said before the switch, with the line of the definition; who serves goes on."""
    before = sites.succeed(FRONT, "cat", "/run/nginx.pid")
    sites.edit(LAST, 'Site("last.example.org", to=app.port(8000), extra="no_such_thing on;"),')
    said = sites.run("apply", "--yes")
    assert said.code == REFUSED, said
    text = said.out + said.err
    assert 'unknown directive "no_such_thing"' in text
    assert f"fleet.py:{line(sites)}" in text
    assert sites.succeed(FRONT, "cat", "/run/nginx.pid") == before
    assert answer(sites, "last/")["status"] == 200
    assert "no_such_thing" not in sites.succeed(FRONT, "cat", "/etc/nginx/conf.d/site-last.example.org.conf")


REFUSED = 1
"""Exit status of an apply that has changed nothing."""


def line(sites: Sites) -> int:
    """Where the last site stands in fleet.py."""
    lines = (sites.directory / "fleet.py").read_text().splitlines()
    (found,) = [number for number, text in enumerate(lines, 1) if "last.example.org" in text]
    return found


# ---------------------------------------------------------------- away


def answer(sites: Sites, url: str, *sent: str) -> dict[str, object]:
    return sites.answer(Row("V4", url, url, sent=sent))


PAGE = Row(
    "V4", "browsers get a page", "last/", 503, sent=("Accept: text/html",), has=("<h1>",), headers={"retry-after": ANY}
)
LINE = Row(
    "V4", "programs get a line", "last/", 503, sent=("Accept: */*",), type="text/plain", headers={"retry-after": ANY}
)
OTHER = Row("V4", "others are served", "secure/", tells={"port": 8443})


def as_rows(sites: Sites, *rows: Row) -> None:
    found = sites.answers([case for row in rows for case in row.cases])
    faults = {(row.says, *how): bad for (row, *how), told in found.items() if (bad := row.faults(told, how[1], ""))}
    assert not faults


@pytest.mark.parametrize("flag", ["last.example.org", "@app"])
def test_maintenance_of_a_site_or_a_container(sites: Sites, flag: str) -> None:
    """By a flag in the front, for as long as it is there, without a reload."""
    sites.succeed(FRONT, "touch", f"{FLAG}/{flag}")
    try:
        as_rows(sites, PAGE, LINE)
        assert answer(sites, "start/")["status"] == 200
        assert answer(sites, "app/")["status"] == (503 if flag == "@app" else 200)
    finally:
        sites.succeed(FRONT, "rm", f"{FLAG}/{flag}")
    assert answer(sites, "last/")["status"] == 200


def test_a_backend_that_is_away_has_the_page_too(sites: Sites) -> None:
    sites.succeed("app", "systemctl", "stop", "app.service")
    try:
        as_rows(sites, PAGE, LINE, OTHER)
    finally:
        sites.succeed("app", "systemctl", "start", "app.service")
    retry(lambda: answer(sites, "last/")["status"] == 200, "it is back by itself", timeout=30)


# ---------------------------------------------------------------- logs


def test_what_is_not_to_be_written_down_is_not(sites: Sites) -> None:
    """V30; each other site has a log of its own, with the client's address."""
    for name in ("private", "app"):
        assert answer(sites, f"{name}/search-for-fish")["status"] == 200
    logs = sites.succeed(FRONT, "sh", "-c", "grep -rl search-for-fish /var/log/nginx").split()
    assert logs == ["/var/log/nginx/app.example.org.log"]
    row = sites.succeed(FRONT, "sh", "-c", "grep search-for-fish /var/log/nginx/app.example.org.log | tail -n 1")
    assert row.startswith("198.51.100.10 ")
