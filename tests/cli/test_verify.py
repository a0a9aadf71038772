"""Ports, sites, maintenance and verify without a host: what is asked, how answers are judged, what people see."""

from __future__ import annotations

import io
import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from eyas.__main__ import main
from eyas.cli.context import Context
from eyas.cli.maintenance import places, show
from eyas.cli.view.ports import ports_text
from eyas.cli.view.sites import sites_text
from eyas.cli.view.verify import verify_text
from eyas.core.errors import UsageError
from eyas.model import Backend, Bridge, Check, Container, Forward, Host, Image, Probe, Site, System, Uplink
from eyas.parts import Database, postgresql
from eyas.status import led, sites, verify, visitors
from eyas.status.declared import Declared, declared
from eyas.status.findings import Finding, distinct
from eyas.status.ports import Listener, Port, Ports
from eyas.status.topics import Answers, Topic, collected, judged

NOW = 1_800_000_000.0
BASE = Image.debian(name="base")
CHECKS = [
    Check.postgres("postgresql://app:secret@db/wiki"),
    Check.client_address("www.example.org"),
    Check.http("https://www.example.org:8448/x?y=1", where="outside"),
    Check.command(["/usr/bin/true"], contains="yes", remedy="say yes"),
]


def fleet(*extra: Check, reflect: bool = True) -> Host:
    db = Container("db", "10.0.5.50", BASE, parts=[postgresql([Database("wiki", clients=["app"])])])
    app = Container("app", "10.0.5.20", BASE, parts=[System(probes=[Probe.tcp(8000)], checks=[*CHECKS, *extra])])
    site = Site("www.example.org", to=app.port(8000), aliases=["example.org"])
    front = Container("front", "10.0.5.10", BASE, parts=[System(sites=[site])],
                      forwards=[Forward(80), Forward(443, reflect=reflect)])  # fmt: skip
    uplink = Uplink("eth0", "203.0.113.10/26", "2001:db8:5::2/64")
    return Host("alpha", uplink, Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), [db, app, front])


RUNNING = ["db", "app", "front"]


def well(ask: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question where all is well."""
    said: dict[str, Any] = {"ok": True, "said": "accepts connections", "from": "198.51.100.10"}
    if ask["do"] == "http":
        certificate = {
            "names": ["www.example.org", "example.org"],
            "until": NOW + 90 * 86400,
            "issuer": "x",
            "own": False,
        }
        said |= {
            "said": "200 OK",
            "status": 200,
            "body": "hello",
            **({"certificate": certificate} if ask["tls"] else {}),
        }
    if ask["do"] == "resolve":
        said |= {"addresses": ["203.0.113.10", "2001:db8:5::2"]}
    if ask["do"] == "command":
        said |= {"output": "yes"}
    return said


def found(host: Host, change: dict[str, dict[str, Any]], flags: dict[str, list[str]] | None = None) -> list[Finding]:
    """What is found, when answers differ from those of a fleet that is well: by a piece of "place question"."""
    flat = declared(host)
    topics = verify.topics(host, flat, RUNNING, flags or {}, NOW)
    answers = []
    for topic in topics:
        got = {}
        for name, ask in topic.asks.items():
            text = f"{ask.place} {json.dumps(ask.question)}"
            other = next(
                (value for piece, value in change.items() if all(word in text for word in piece.split())), None
            )
            got[name] = {**well(dict(ask.question)), **(other or {})}
        answers.append(got)
    return [*distinct(judged(topics, answers))]


def test_all_is_well() -> None:
    assert found(fleet(), {}) == []


def test_who_asks_what() -> None:
    host = fleet()
    topics = verify.topics(host, declared(host), RUNNING, {}, NOW)
    questions, where = collected(topics)
    asked = {place: sorted({str(row["do"]) for row in rows}) for place, rows in questions.items()}
    assert asked == {
        "front": ["http", "resolve"],
        "app": ["command", "connect", "http", "postgres", "resolve"],
        "db": ["http", "resolve"],
        "outside": ["connect", "http"],
    }
    assert len(where) == len(topics)
    postgres = next(row for row in questions["app"] if row["do"] == "postgres")
    assert postgres == {"do": "postgres", "timeout": 10, "name": "db", "port": 5432, "user": "app", "database": "wiki"}
    only = [topic.part(lambda place: place == "db") for topic in topics]
    assert set(collected(only)[0]) == {"db"}


@pytest.mark.parametrize(
    ("change", "message", "remedy"),
    [
        (
            {"app postgres": {"ok": False, "said": 'role "app" does not exist', "code": "28000"}},
            'app cannot use the database wiki of db as its settings say: role "app" does not exist',
            'declare Database("wiki", role="app", clients=["app"]) in postgresql(...) of db, or correct its settings',
        ),
        (
            {"app postgres": {"ok": False, "said": "connection refused"}},
            "app cannot use the database wiki of db as its settings say: connection refused",
            "eyas ports tells who listens in db",
        ),
        (
            {"outside 8448": {"ok": False, "said": "connection refused"}},
            "a client outside asks for https://www.example.org:8448/x?y=1 and gets: connection refused",
            "no port of the host leads there: add Forward(8448) to forwards of front",
        ),
        (
            {"app command": {"output": "no"}},
            "/usr/bin/true in app: it does not say 'yes'",
            "say yes",
        ),
        (
            {"front 8000": {"ok": False, "said": "connection refused"}, "outside 443 tls": {"status": 502}},
            "app, which answers for www.example.org, does not answer front on port 8000: connection refused",
            "start what shall listen there, or name the right port in to=app.port(8000)",
        ),
        (
            {"outside www.example.org 443 tls": {"status": 502, "said": "502 Bad Gateway"}},
            "front answers 502 Bad Gateway for www.example.org, although app answers it on port 8000",
            "front leads it elsewhere: eyas plan shows whether its files differ; then reload nginx there",
        ),
        (
            {"outside connect 443": {"ok": False, "said": "no answer within 5 s"}},
            "port 443/tcp of the host, which leads to front, cannot be reached from outside: no answer within 5 s",
            "eyas ports tells who listens; eyas plan whether the host's rules are those of the definitions",
        ),
        (
            {"db resolve www": {"addresses": []}},
            "db cannot resolve www.example.org, a public name of this fleet",
            "see /etc/resolv.conf in db, and whether the host answers its questions: "
            "systemctl status eyas-names on the host",
        ),
        (
            {"db resolve www": {"addresses": ["10.0.5.99"]}},
            "db takes www.example.org for 10.0.5.99, which is nobody, not front",
            "take the line out that says so: eyas exec db -- grep -r 10.0.5.99 /etc/hosts /etc/resolv.conf",
        ),
        (
            {"app http www.example.org 443 tls": {"ok": False, "said": "connection refused"}},
            "app cannot reach www.example.org, its own public name, from inside: connection refused",
            "see whether the host's rules are those of the definitions: eyas plan",
        ),
        (
            {"app connect 5432": {"ok": False, "said": "connection refused"}},
            "app cannot connect to port 5432 of db: connection refused",
            "nobody listens there: eyas ports; eyas logs db",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_and_what_to_do(change: dict[str, dict[str, Any]], message: str, remedy: str) -> None:
    findings = {finding.message: finding for finding in found(fleet(), change)}
    assert message in findings
    assert findings[message].remedy == remedy
    assert "test_verify.py:" in findings[message].origin
    assert "secret" not in repr(findings)


def test_a_port_that_is_not_reflected() -> None:
    change = {"app http www.example.org 443 tls": {"ok": False, "said": "connection refused"}}
    (finding,) = found(fleet(reflect=False), change)
    assert finding.remedy.endswith("from inside too: Forward(443, reflect=True)")


def test_certificates() -> None:
    def shown(**values: Any) -> list[tuple[str, str]]:
        well_ = {"names": ["www.example.org", "*.org"], "until": NOW + 90 * 86400, "issuer": "x", "own": False}
        change = {"outside www.example.org 443 tls": {"certificate": {**well_, **values}}}
        return [(finding.severity, finding.message) for finding in found(fleet(), change)]

    assert shown() == []
    assert shown(until=NOW + 9 * 86400) == [("warning", "the certificate of www.example.org ends in 9 days")]
    assert shown(until=NOW - 86400) == [("error", "the certificate of www.example.org has ended 1 days ago")]
    assert shown(names=["other.org"]) == [
        ("error", "the certificate shown for www.example.org, example.org is for other.org")
    ]
    assert shown(own=True) == [("error", "the certificate of www.example.org is a placeholder, signed by itself")]
    assert sites.covers("*.example.org", "a.example.org")
    assert not sites.covers("*.example.org", "a.b.example.org")


def test_maintenance_is_no_error() -> None:
    change = {"outside www.example.org 443 tls": {"status": 503, "said": "503"}}
    (finding,) = found(fleet(), change, {"front": ["@app"]})
    assert (finding.severity, finding.message) == ("warning", "www.example.org is under maintenance")
    assert finding.remedy == "when container app is well again: eyas maintenance off app"


def _trace(seen: str) -> list[Finding]:
    host = fleet()
    flat = declared(host)
    visits = visitors.visits(host, flat, RUNNING, "mark")
    asked = visitors.asked(visits, flat)
    went: list[Answers] = [{name: well(dict(ask.question)) for name, ask in topic.asks.items()} for topic in asked]
    traces = [topic for topic in visitors.traces(visits, flat, went) if topic.about == "app"]
    assert traces[0].asks[""].question["argv"][4] == "mark0-4"  # type: ignore[index, call-overload]
    return judged(traces[:1], [{"": {"ok": True, "said": "", "output": seen}}])


def test_visitors_addresses() -> None:
    assert _trace('198.51.100.10 - - [x] "GET /?eyas-verify=mark0-4" 200') == []
    (finding,) = _trace('10.0.5.10 - - [x] "GET /?eyas-verify=mark0-4" 200')
    assert finding.message == (
        "app takes visitors of www.example.org for 10.0.5.10, which is front: asked from 198.51.100.10"
    )
    assert finding.remedy == (
        "let app believe front: set_real_ip_from @{front.address}; real_ip_header X-Forwarded-For;"
    )
    (finding,) = _trace("")
    assert finding.severity == "warning"
    assert "left no line in /var/log/nginx/access.log of app" in finding.message


def test_whom_a_front_asked() -> None:
    flat = declared(fleet())
    before, after = {"front": {(1, "10.0.5.20", 8000)}}, {"front": {(1, "10.0.5.20", 8000), (2, "10.0.5.21", 8000)}}
    fresh = led.fresh(before, after, [])
    (finding,) = led.astray(flat, fresh, ["www.example.org"])
    assert finding.message == ("front leads www.example.org to 10.0.5.21:8000, which no container has, and not to app")
    assert [*led.astray(flat, led.fresh(before, after, [2]), ["www.example.org"])] == []
    assert [*led.astray(flat, {"front": {("10.0.5.20", 8000), ("10.0.5.21", 8000)}}, ["www.example.org"])] == []


def test_what_a_front_wrote_of_whom_it_asked() -> None:
    flat = declared(fleet())
    topics: list[Topic] = sites.topics(flat, {}, NOW)
    got: Answers = {"443/4": {"ok": True, "status": 503}}
    (topic,) = led.upstreams(flat, topics, [got], {})
    line = 'connect() failed, upstream: "http://10.0.5.50:8000/", host: "www.example.org"'
    (finding,) = topic.judge({"": {"ok": True, "output": line}})
    assert finding.message == "front leads www.example.org to 10.0.5.50:8000, which is db, and not to app"
    assert [*topic.judge({"": {"ok": True, "output": line.replace("5.50", "5.20")}})] == []
    assert [*led.upstreams(flat, topics, [got], {"front": ["@app"]})] == []


def test_health() -> None:
    flat = declared(fleet())
    facts: dict[str, Any] = {"db": {"failed_units": ["x.service"]}}
    said = [finding.message for finding in verify.health(flat.homes, ["db", "app"], facts)]
    assert said == ["db is not well: unit x.service failed", "front does not run"]


def test_a_check_says_what_to_ask() -> None:
    from eyas.core.errors import DefinitionError

    assert Check.connect(Backend("db", 5432)).label == "connect db:5432"
    assert Check.postgres("postgresql://app:secret@db/wiki").label == "postgres postgresql://app@db/wiki"
    for wrong in (lambda: Check.postgres(), lambda: Check.http("www.example.org"), lambda: Check.command([])):
        with pytest.raises(DefinitionError):
            wrong()


def test_flags_of_maintenance() -> None:
    flat = declared(fleet())
    assert places(flat, ["example.org"]) == {"front": ["www.example.org"]}
    assert places(flat, ["app", "www.example.org"]) == {"front": ["@app", "www.example.org"]}
    with pytest.raises(UsageError, match="cannot switch maintenance of db: no site leads to it"):
        places(flat, ["db"])
    with pytest.raises(UsageError) as error:
        places(flat, ["exampel.org"])
    assert error.value.hint == "did you mean example.org?"
    out = io.StringIO()
    show(Context(out=out, err=io.StringIO()), flat, {"front": ["@app"]}, json=True)
    assert json.loads(out.getvalue()) == {
        "version": 1, "host": "alpha",
        "maintenance": [{"front": "front", "flag": "@app", "sites": ["www.example.org"]}],
    }  # fmt: skip


FINDINGS = (
    Finding("port", "app", "app is shut", "open it", "fleet.py:3"),
    Finding("name", "db", "db has no name", "", "fleet.py:4", "warning"),
)


def test_what_people_see_of_verify() -> None:
    made = verify.Verified("alpha", FINDINGS, {"inside": 12, "outside": 3}, 3, "somebody", 2, 1.25)
    assert verify_text(made) == dedent("""\
        error: app is shut
            remedy: open it
            fleet.py:3
        warning: db has no name
            fleet.py:4
        note: the host is not what the definitions say (2 differences): eyas plan

        15 questions asked in 1.2 s: 12 inside 3 containers, 3 from outside (somebody).
        alpha: 1 error, 1 warning.""")
    assert not made.well
    assert verify.Verified("alpha", FINDINGS[1:]).well
    said = made.to_json()
    assert (said["version"], said["well"], said["outside"]) == (1, False, "somebody")
    assert said["findings"][0]["remedy"] == "open it"  # type: ignore[index, call-overload]


def test_what_people_see_of_ports_and_sites() -> None:
    rows = (
        Port("front", "tcp", 443, Listener("nginx", "nginx.service", ("0.0.0.0",)), ("443/tcp",)),
        Port("db", "tcp", 5432, None, (), ("app", "mesh"), "nobody listens"),
    )
    assert ports_text(Ports("alpha", rows, ())) == dedent("""\
        WHERE      PORT  LISTENS  FROM OUTSIDE  USED BY
        front   443/tcp  nginx    443/tcp       -
        db     5432/tcp  -        -             app, mesh  nobody listens

        alpha: 2 ports, all as declared.""")
    row = sites.SiteRow(
        "a.org", ("b.org",), "front", "app:80", "200 OK", "502 Bad", 9.4, "x", "unhealthy", "fleet.py:3"
    )
    assert sites_text("alpha", [row], FINDINGS[:1]) == dedent("""\
        NAME         FRONT  TO      BACKEND  THROUGH  CERTIFICATE  HEALTH
        a.org b.org  front  app:80  200 OK   502 Bad          9 d  unhealthy

        error: app is shut
            remedy: open it
            fleet.py:3

        alpha: 1 site, 0 healthy.""")


def test_everything_is_kept_as_json() -> None:
    flat = declared(fleet())
    assert Declared.from_json(json.loads(json.dumps(flat.to_json()))) == flat


def test_a_place_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(tmp_path), "verify", "--from"]) == 2
    assert "cannot understand the command line" in capsys.readouterr().err
