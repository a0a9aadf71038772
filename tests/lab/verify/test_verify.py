"""What goes wrong when a fleet moves, each made to go wrong, and each named with its remedy and its line."""

from __future__ import annotations

import json

from tests.lab.verify.rig import Moved

SITE = "social.example.org"


def test_all_is_well(moved: Moved) -> None:
    assert moved.verify(code=0) == []
    said = json.loads(moved.eyas("verify", "--json"))
    assert set(said["asked"]) == {"inside", "outside"}
    assert said["outside"] == "a client in the lab's internet"
    text = moved.eyas("verify")
    assert "inside 3 containers" in text
    assert text.endswith("verified: all is well.\n")
    assert moved.json("ports")["findings"] == []
    (site,) = moved.json("sites")["sites"]
    assert (site["name"], site["to"], site["direct"], site["through"], site["health"]) == (
        SITE, "social:80", "200 OK", "200 OK", "healthy",
    )  # fmt: skip
    assert site["days"] > 14
    assert moved.json("status")["warnings"] == []


def test_wrong_settings_of_a_database(moved: Moved) -> None:
    """As the running service has them, not as somebody believes."""
    moved.edit("postgresql://social@postgres/social", "postgresql://mastodon@postgres/social")
    moved.apply()
    ((severity, message, remedy, origin),) = moved.verify(code=1)
    assert severity == "error"
    assert message.startswith(
        "social cannot use the database social of postgres as DATABASE of social.service says: "
        'pg_hba.conf rejects connection for host "10.0.14.80", user "mastodon"'
    )
    assert remedy == (
        'declare Database("social", role="mastodon", clients=["social"]) in postgresql(...) of postgres, '
        "or correct DATABASE of social.service"
    )
    assert origin == f"{moved.line('Check.postgres')}; {moved.line('postgres = Container(')}"
    assert moved.verify("--from", "postgres", code=0) == []  # nobody else is concerned


def test_a_federation_port_that_was_forgotten(moved: Moved) -> None:
    moved.edit(", Forward(8448)", "")
    moved.apply()
    ((severity, message, remedy, origin),) = moved.verify(code=1)
    assert severity == "error"
    assert message == f"{SITE} is to be served on port 8448, and no port of the host leads there"
    assert remedy == "add Forward(8448) to forwards of web-front"
    assert origin == f"{moved.line('web = Container(')}; {moved.line('tls_ports=[8448]')}"
    assert moved.run("ports").code == 1
    assert moved.json("status")["warnings"] == [message]


def test_an_own_public_name_that_is_not_reached_from_inside(moved: Moved) -> None:
    moved.edit("Forward(443), ", "Forward(443, reflect=False), ")
    moved.apply()
    found = moved.verify(code=1)
    assert (
        "error",
        f"social cannot reach {SITE}, its own public name, from inside: connection refused",
        "let the port be reached by the public address from inside too: Forward(443, reflect=True)",
        moved.line("Forward(443, reflect=False)"),
    ) in found
    assert all("from inside: connection refused" in message for _, message, _, _ in found)
    assert moved.verify("--from", "outside", code=0) == []


def test_a_visitors_address_that_is_lost_at_the_second_proxy(moved: Moved) -> None:
    moved.edit("    set_real_ip_from @{web-front.address};\n", "")
    moved.edit("    set_real_ip_from @{web-front.address6};\n", "")
    moved.apply()
    ((severity, message, remedy, origin),) = moved.verify(code=1)
    assert severity == "error"
    assert message == (f"social takes visitors of {SITE} for 10.0.14.10, which is web-front: asked from 198.51.100.10")
    assert (
        remedy == "let social believe web-front: set_real_ip_from @{web-front.address}; real_ip_header X-Forwarded-For;"
    )
    assert origin == moved.line("Check.client_address")


def test_an_address_that_somebody_typed(moved: Moved) -> None:
    """Into raw lines of a site; the container has got another one since."""
    moved.edit("tls_ports=[8448])", 'tls_ports=[8448], extra="location /old { proxy_pass http://10.0.14.81:80; }")')
    moved.apply()
    ((severity, message, remedy, origin),) = moved.verify(code=1)
    assert severity == "error"
    assert message == f"/etc/nginx/conf.d/site-{SITE}.conf in web-front names 10.0.14.81, which no container has"
    assert remedy == "write @{NAME.address} with the NAME of the container that is meant"
    assert origin == moved.line("extra=")


def test_a_front_that_goes_on_leading_to_an_address_of_yesterday(moved: Moved) -> None:
    """In the memory of its nginx, and in no file."""
    page = f"/etc/nginx/conf.d/site-{SITE}.conf"
    swap = f"cp {page} /tmp/kept; sed -i s/10.0.14.80/10.0.14.81/ {page}; systemctl reload nginx; cp /tmp/kept {page}"
    moved.eyas("exec", "web-front", "--", "sh", "-c", swap)
    try:
        ((severity, message, remedy, origin),) = moved.verify(code=1)
        assert severity == "error"
        assert message == f"web-front leads {SITE} to 10.0.14.81:80, which no container has, and not to social"
        assert remedy.endswith("if nowhere, nginx there only has to be reloaded")
        assert origin == moved.line("tls_ports=[8448]")
    finally:
        moved.eyas("exec", "web-front", "--", "systemctl", "reload", "nginx")
    assert moved.verify(code=0) == []


def test_maintenance(moved: Moved) -> None:
    """By site or by container; at once, and until it is switched off."""
    for name, flag in ((f"www.{SITE}", SITE), ("social", "@social")):
        switched = json.loads(moved.eyas("maintenance", "on", name, "--json"))
        try:
            assert switched["maintenance"] == [{"front": "web-front", "flag": flag, "sites": [SITE]}]
            (site,) = moved.json("sites")["sites"]
            assert (site["health"], site["direct"], site["through"][:3]) == ("maintenance", "200 OK", "503")
            assert [row[:2] for row in moved.verify(code=0)] == [("warning", f"{SITE} is under maintenance")]
            assert any("is under maintenance" in text for text in moved.json("status")["warnings"])
            moved.eyas("exec", "web-front", "--", "systemctl", "reload", "nginx")
            assert moved.eyas("maintenance", "list") != "verified: nothing is under maintenance.\n"
        finally:
            assert moved.eyas("maintenance", "off", name) == "verified: nothing is under maintenance.\n"
    assert moved.json("sites")["sites"][0]["health"] == "healthy"
    refused = moved.run("maintenance", "on", "postgres")
    assert refused.code == 2
    assert "cannot switch maintenance of postgres: no site leads to it" in refused.err


def test_a_listener_that_nobody_declared_and_a_forward_that_leads_to_nobody(moved: Moved) -> None:
    stray = "$s = IO::Socket::INET->new(LocalPort => 4444, Listen => 1) or die; sleep 600"
    perl = ["/usr/bin/perl", "-MIO::Socket::INET", "-e", stray]
    moved.eyas("exec", "postgres", "--", "systemd-run", "--quiet", "--unit=stray", "--expand-environment=no", *perl)
    moved.edit("Forward(8448)]", "Forward(8448), Forward(9443)]")
    moved.apply()
    try:
        found = {row[:2] for row in moved.verify(code=1)}
        assert found == {
            ("warning", "stray listens on port 4444/tcp of postgres, and no definition speaks of it"),
            ("error", "port 9443/tcp of the host leads to port 9443 of web-front, where nobody listens"),
        }
    finally:
        moved.eyas("exec", "postgres", "--", "systemctl", "stop", "stray")
