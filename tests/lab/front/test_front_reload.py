"""Reloads of the front: nobody notices, whatever they use. In order of the file; connections opened before the first
reload are asked after each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from eyas.lab.testing import retry
from tests.lab.front.fronts import CLIENT, PUBLIC, SITE, Connection, Fronts
from tests.lab.places import Load

Open = Mapping[tuple[str, int], Connection]
NEW = 'Site("two.example.org", to=echo.port(8080)),'
LONGEST = 3.0
"""Seconds for one request of the load; without any reload it is 0.7 on a busy machine with two processors."""


@pytest.fixture(scope="module")
def open_before(fronts: Fronts) -> Iterator[Open]:
    """A WebSocket and an HTTP/3 connection of each family."""
    kinds = [(kind, family) for kind in ("ws", "h3") for family in (4, 6)]
    found = {which: fronts.open(*which) for which in kinds}
    all_answer(found, "first")
    yield found
    for connection in found.values():
        connection.process.communicate()


def answer(kind: str, family: int, words: str) -> str:
    return f"200 echo {words} {SITE} {CLIENT[family]} https" if kind == "h3" else words


def all_answer(connections: Open, word: str) -> None:
    said = {which: connection.ask(f"/{word}") for which, connection in connections.items()}
    assert said == {which: answer(*which, f"/{word}") for which in connections}


def unnoticed(load: Load, seconds: float) -> None:
    assert (load.seen["sent"], load.failed) == (200 * seconds, 0), load.seen["errors"]
    assert load.longest < LONGEST


def serial(fronts: Fronts) -> str:
    """The number of the certificate that is served."""
    shown = fronts.internet.succeed(
        "openssl", "s_client", "-connect", f"{PUBLIC[4]}:443", "-servername", SITE, input=""
    )
    return fronts.internet.succeed("openssl", "x509", "-noout", "-serial", input=shown)


def test_client_and_port_are_seen_as_they_are(fronts: Fronts) -> None:
    for family in (4, 6):
        assert fronts.site(f"https://{SITE}/where", family) == f"{CLIENT[family]} 443 https {SITE}"
        away = ("--output", "/dev/null", "--write-out", "%{redirect_url}")
        assert fronts.internet.get(f"http://{SITE}/a?b", f"-{family}", *away) == f"https://{SITE}/a?b"
    for address in ("127.0.0.1", "[::1]", "10.0.8.10"):
        own = ("curl", "-sSk", "--connect-to", f"::{address}:443", f"https://{SITE}/where")
        assert fronts.inside(*own).endswith(f" 443 https {SITE}"), "also to who asks from within"


def test_a_site_is_added(fronts: Fronts, open_before: Open) -> None:
    with fronts.loaded(4) as load:
        fronts.edit("# another site", NEW)
        fronts.apply()
        all_answer(open_before, "site")
        assert fronts.site("https://two.example.org/new", 6).startswith("echo /new two.example.org")
    unnoticed(load, 4)


def test_a_certificate_is_replaced(fronts: Fronts, open_before: Open) -> None:
    before = serial(fronts)
    with fronts.loaded(3) as load:
        fronts.host.succeed("rm", "/srv/acme/front/current/made-for")
        fronts.systemctl("start", "eyas-front-certs.service")  # as the timer does
        all_answer(open_before, "certificate")
        retry(lambda: serial(fronts) != before, "the new certificate is served")
    unnoticed(load, 3)


def test_three_reloads_in_a_row(fronts: Fronts, open_before: Open) -> None:
    with fronts.loaded(4) as load:
        for word in ("once", "twice", "thrice"):
            fronts.systemctl("reload", "nginx.service")
            all_answer(open_before, word)
    unnoticed(load, 4)


def test_a_broken_site_is_refused_before_anything_is_done(fronts: Fronts, open_before: Open) -> None:
    runs, current = fronts.host.succeed("ls", "/var/lib/eyas/runs"), fronts.current()
    fronts.edit("# another site", 'Site("two.example.org", to=echo.port(8080), extra="no_such_thing on;"),')
    said = fronts.run("--lab", "apply", "--yes")
    assert said.code == 1
    assert 'unknown directive "no_such_thing" in /etc/nginx/conf.d/site-two.example.org.conf:' in said.err
    assert f"fleet.py:{fronts.line('no_such_thing')}: cannot use the new files" in said.err
    assert fronts.host.succeed("ls", "/var/lib/eyas/runs") == runs, "nothing was begun"
    assert fronts.current() == current, "nginx was not asked to reload"
    all_answer(open_before, "broken")
    assert fronts.site(f"https://{SITE}/broken").startswith("echo /broken")


def test_an_old_generation_ends_after_its_last_connection(fronts: Fronts, open_before: Open) -> None:
    assert len(fronts.generations()) > 1
    for connection in open_before.values():
        connection.process.communicate()
    fronts.until_alone()


def test_a_changed_site_asks_connections_to_move(fronts: Fronts) -> None:
    with fronts.opened("ws", 6) as socket, fronts.opened("h3", 6) as resting:
        (old,) = fronts.generations()
        fronts.edit('timeout="1h"', 'timeout="2h"')
        fronts.apply()
        retry(lambda: fronts.inside("ls", f"/run/nginx/{old}/told"), "the old one was told to end", timeout=30)
        assert resting.ask("/gone").startswith("closed")
        assert socket.ask("still here") == "still here"
        assert old in fronts.generations()
    fronts.until_alone()


def test_a_killed_reload_leaves_nothing(fronts: Fronts) -> None:
    """Killed in each of its phases, at different moments: those who are connected and those who come notice nothing."""
    moments = (0.0, 0.02, 0.05, 0.08, 0.12, 0.18)
    with fronts.opened("ws") as socket:
        for moment in moments:
            fronts.systemctl("reload", "--no-block", "nginx.service")
            fronts.inside("bash", "-c", KILL, "kill", f"{moment:g}")
            assert fronts.site(f"https://{SITE}/killed").startswith("echo /killed")
            assert socket.ask("killed") == "killed"
    fronts.until_alone()
    fronts.systemctl("reload", "nginx.service")
    assert fronts.site(f"https://{SITE}/after").startswith("echo /after")
    fronts.until_alone()


KILL = """
for try in {1..200}; do
    pid=$(systemctl show --value --property=ControlPID nginx)
    if [ "$pid" != 0 ] && grep -qsz nginx-generation "/proc/$pid/cmdline"; then break; fi
    sleep 0.01
done
sleep "$1"
[ "$pid" = 0 ] || kill -KILL "$pid" || :
"""
"""Kill the script of a reload that is under way so many seconds after it began; it may be over by then."""


def test_nginx_crashes_and_is_restarted(fronts: Fronts) -> None:
    fronts.inside("sh", "-c", "kill -KILL $(cat /run/nginx.pid)")
    retry(lambda: fronts.site(f"https://{SITE}/back").startswith("echo /back"), "it answers again", timeout=30)
    fronts.until_alone()
    fronts.systemctl("restart", "nginx.service")
    assert fronts.site(f"https://{SITE}/again", 6).startswith("echo /again")
    assert fronts.alone()
