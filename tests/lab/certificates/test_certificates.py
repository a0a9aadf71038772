"""Certificates against a real ACME server, which looks at the host from outside. Each test begins as declared."""

from __future__ import annotations

import json
import time

from eyas.lab.testing import retry
from tests.lab.certificates.rig import PUBLIC, REFUSED, SITE, STORE, Certified
from tests.lab.rig import step_numbers

TWO = 'Site("two.example.org", to=echo.port(8080)),'
NEW = "# another site"
LONGEST = 5.0
"""Seconds for one request over TLS while certificates change, on a machine with two processors that is busy."""


def answered(certified: Certified, url: str = f"https://{PUBLIC[4]}/load") -> tuple[str, tuple[str, ...]]:
    """A URL and words for a load on the first site, which has to trust its certificate."""
    certified.trusted(f"https://{SITE}/")  # writes the roots
    return url, ("--host", SITE, "--ca", str(certified.directory / "roots.pem"), "--match", "echo")


def test_a_first_start_ends_with_certificates_that_are_trusted(certified: Certified) -> None:
    """The front started with a placeholder; the authority could look at it only then."""
    for family, client in ((4, "198.51.100.10"), (6, "2001:db8:ffff::10")):
        assert client in certified.trusted(f"https://{SITE}/x", family)
    assert "Pebble" in certified.shown()["issuer"]
    rows = certified.certificates()
    assert rows[SITE]["names"] == [SITE]
    assert rows[SITE]["users"] == ["web-front"]
    assert rows["mail"]["challenge"] == "dns"
    assert 85 < rows["mail"]["days"] < 91
    assert not [row for row in rows.values() if row["warning"] or row["error"]]
    assert certified.held("mail")["names"] == ["*.example.org", "example.org", "mail.example.net"]
    assert certified.plan()["changes"] == []
    assert certified.host.succeed("systemctl", "is-active", "eyas-certificates.timer") == "active"


def test_keys_are_for_root_alone_and_nowhere_else(certified: Certified) -> None:
    certified.host.succeed("test", "-z", certified.host.succeed("find", STORE, "!", "-type", "l", "-perm", "/077"))
    line = certified.host.succeed("sed", "-n", "2p", f"{STORE}/{SITE}/current/key.pem")
    assert len(line) > 40
    secret = certified.host.succeed("sed", "-n", 's/.*secret "\\(.*\\)".*/\\1/p', "/etc/eyas-lab/tsig.key")
    places = ("/var/lib/eyas/runs", "/var/lib/eyas/layers", "/var/log/journal", "/etc/eyas", "/run/eyas/prints")
    for text in (line, secret):
        found = certified.host.execute("grep", "-rlaF", "-e", text, *places)
        assert (found.code, found.text) == (1, "")
    inside = "/etc/eyas/certificates/mail/current/key.pem"
    assert certified.succeed("mail", "stat", "-c", "%u %a", inside) == "0 600"
    assert "Read-only" in certified.fail("mail", "touch", "/etc/eyas/certificates/mine")
    assert certified.succeed("mail", "ls", "/etc/eyas/certificates").split() == ["challenges", "mail"]


def test_a_new_site_has_its_certificate_before_it_is_there(certified: Certified) -> None:
    before = certified.serial()
    url, words = answered(certified)
    with certified.load(url, *words, rate=50) as load:
        certified.edit(NEW, TWO)
        plan = certified.plan()
        assert ("certificate:two.example.org", "create") in {(c["id"], c["action"]) for c in plan["changes"]}
        certified.apply()
        assert "two.example.org" in certified.trusted("https://two.example.org/")
    assert (load.failed, load.longest < LONGEST) == (0, True), load.seen
    assert certified.serial() == before, "the others keep theirs"
    assert certified.plan()["changes"] == []


def test_what_is_declared_no_more_goes(certified: Certified) -> None:
    certified.edit(NEW, TWO)
    certified.apply()
    serial = certified.serial("two.example.org")
    certified.edit(TWO, NEW)
    certified.apply()
    assert set(certified.certificates()) == {SITE, "mail"}
    assert "two" not in certified.succeed("web-front", "ls", "/etc/eyas/certificates")
    certified.edit(NEW, TWO)
    certified.apply()
    assert certified.serial("two.example.org") == serial, "one that is still good is not asked for again"


def test_a_refused_order_changes_nothing(certified: Certified) -> None:
    before, serial = certified.picture(), certified.serial()
    url, words = answered(certified)
    with certified.load(url, *words, rate=50) as load:
        certified.edit(NEW, f'{TWO} Site("{REFUSED}", to=echo.port(8080)),')
        said = certified.settled("apply", "--yes")
    assert said.code == 4, said
    assert REFUSED in said.err
    assert "rejectedIdentifier" in said.err
    assert certified.picture() == before
    assert (load.failed, certified.serial()) == (0, serial)
    unknown = certified.internet.get(f"http://{PUBLIC[4]}/", "-H", f"Host: {REFUSED}", "-o", "/dev/null", "-w",
                                     "%{http_code}", "--no-fail")  # fmt: skip
    assert unknown == "404"


def test_a_name_that_does_not_lead_here_is_refused_with_the_reason(certified: Certified) -> None:
    before = certified.picture()
    certified.edit(NEW, 'Site("elsewhere.example.org", to=echo.port(8080)),')
    said = certified.settled("apply", "--yes")
    assert said.code == 4, said
    assert "elsewhere.example.org" in said.err
    assert "does each name lead to this host" in said.err
    assert certified.picture() == before


def test_nobody_notices_a_renewal(certified: Certified) -> None:
    before = {name: certified.held(name)["serial"] for name in (SITE, "mail")}
    had = certified.succeed("mail", "cat", "/run/has", "/run/read")
    url, words = answered(certified)
    with certified.load(url, *words, rate=200) as load:
        certified.eyas("certificates", "renew", "--all")
        retry(lambda: certified.serial() != before[SITE], "the new one is served")
    assert (load.failed, load.longest < LONGEST) == (0, True), load.seen
    after = {name: certified.held(name)["serial"] for name in (SITE, "mail")}
    assert not {*before.values()} & {*after.values()}
    assert certified.serial() == after[SITE]
    now = certified.succeed("mail", "cat", "/run/has", "/run/read")
    assert now.split()[0] != had.split()[0]
    assert now.split()[2:] == [*had.split()[2:], "reload"], "read by a reload, once, and by nothing else"
    assert certified.plan()["changes"] == []


def age(certified: Certified, name: str, days: float) -> None:
    """Let a certificate look as if it were to end in so many days."""
    about = certified.held(name)
    about |= {"not_before": time.time() - (90 - days) * 86400, "not_after": time.time() + days * 86400}
    pair = f"{STORE}/{name}/current/about.json"
    certified.host.succeed("sh", "-c", 'cat >"$0"', pair, input=json.dumps(about))


def test_the_timer_renews_what_is_due_and_keeps_the_old_one_on_failure(certified: Certified) -> None:
    before = {name: certified.held(name)["serial"] for name in (SITE, "mail")}
    age(certified, "mail", 12.5)
    warned = certified.eyas("status")
    assert "warning: certificate mail ends in 12 days and was not renewed" in warned
    certified.host.succeed("touch", "/run/plug-broken")
    certified.host.fail("systemctl", "start", "eyas-certificates.service", timeout=120)
    assert certified.held("mail")["serial"] == before["mail"]
    row = certified.certificates()["mail"]
    assert "no way" in row["error"]
    assert "mail ends in 12 days and was not renewed: " in certified.eyas("status")
    certified.host.succeed("rm", "/run/plug-broken", f"{STORE}/mail/state.json")  # which says to wait some hours
    certified.host.succeed("systemctl", "start", "eyas-certificates.service", timeout=120)
    assert certified.held("mail")["serial"] != before["mail"]
    assert certified.held(SITE)["serial"] == before[SITE], "not due"
    assert "warning: certificate" not in certified.eyas("status")


def test_one_is_revoked_after_another_took_its_place(certified: Certified) -> None:
    old = certified.serial()
    url, words = answered(certified)
    with certified.load(url, *words, rate=50) as load:
        certified.eyas("certificates", "revoke", SITE)
    new = certified.serial()
    assert load.failed == 0, load.seen
    assert old != new
    assert (certified.pebble.status_of(old), certified.pebble.status_of(new)) == ("Revoked", "Valid")
    said = certified.run("certificates", "revoke", "nobody")
    assert (said.code, "cannot find certificate nobody" in said.err) == (2, True)


def test_bad_nonces_cost_time_only(certified: Certified) -> None:
    certified.serve(nonces=70)
    before = certified.serial()
    certified.eyas("certificates", "renew", "--all")
    assert certified.serial() != before
    asked = [path for path in ("order-plz", "finalize-order", "chalZ") if path in certified.pebble.log()]
    times = sum(certified.pebble.log().count(f"POST /{path}") for path in asked)
    assert times > 8, "two orders of four names take eight of these, if none is asked again"


def test_fifty_names_in_one_apply(certified: Certified) -> None:
    certified.edit("MANY = 0", "MANY = 50")
    certified.apply()
    rows = certified.certificates()
    assert len([name for name in rows if name.endswith(".many.example.org")]) == 50
    assert certified.trusted("https://n0.many.example.org/").startswith("echo /")
    assert certified.trusted("https://n49.many.example.org/", 6).startswith("echo /")


def test_killed_while_certificates_are_issued(certified: Certified) -> None:
    """Before, in the middle of and after the deed: recovery leaves what was there, or the whole."""
    before, serial = certified.picture(), certified.serial()
    certified.edit(NEW, TWO)
    plan = certified.plan()
    issue, *_ = step_numbers(plan, "certificate.issue")
    publish, *_ = step_numbers(plan, "certificate.publish")
    for fault in (f"kill:{issue}", f"kill-after-do:{issue}", f"kill:{publish}"):
        assert certified.run("apply", "--yes", fault=fault).code != 0
        certified.run("recover")
        assert certified.picture() == before, fault
        assert certified.serial() == serial
    certified.serve(slow=15)
    certified.host.succeed("rm", "-rf", f"{STORE}/.spare")  # or what was issued in vain is used now
    applying = certified.start("apply", "--yes")
    retry(lambda: "POST /chalZ" in certified.pebble.log(), "the authority was told to look")
    agent = certified.host.succeed("cat", "/run/eyas/lock").rpartition("process ")[2]
    certified.host.succeed("kill", "-KILL", agent)
    assert certified.end(applying).code != 0
    certified.run("recover")
    assert certified.picture() == before
    certified.serve()
    certified.host.succeed("rm", "-rf", f"{STORE}/.spare")
    certified.apply()
    assert certified.trusted("https://two.example.org/").startswith("echo /")
