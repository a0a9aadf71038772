"""A cache of sources asks others once, waits when asked to, and keeps below a ceiling; a builder asks nobody else."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from eyas.lab.testing import retry
from eyas.lab.upstream import Upstream
from tests.lab.sources.cached import FIRST_PORT, PORTS, URL, Cached

HOST6, HOST4 = "2001:db8:5:1::2", "203.0.113.112"


def test_what_was_fetched_once_is_not_asked_for_again(cache: Cached, up: Upstream) -> None:
    """Over both schemes and families, by IPv6 where there is a choice; what is no name of the world is refused."""
    asked = [
        "http://sources.example.net/files/a?size=100000",
        "https://six.example.net/files/b",
        "https://four.example.net/files/b",
    ]
    assert [cache.ask(url) for url in asked] == [["200", "MISS"]] * 3
    assert [cache.ask(url) for url in asked] == [["200", "HIT"]] * 3
    assert up.counts() == {HOST6: 2, HOST4: 1}
    for url in ("http://10.0.8.20/", "http://forge/", "http://[2001:db8::1]/"):
        assert cache.ask(url)[0] == "403"
    assert cache.ask("http://nowhere.example.net/")[0] == "502"
    assert cache.ask(asked[0], "-X", "PUT")[0] == "403"


def test_redirects_are_followed_and_kept_under_the_first_name(cache: Cached, up: Upstream) -> None:
    first = "http://sources.example.net/moved?to=https%3A//four.example.net/files/there"
    assert cache.ask(first) == ["200", "MISS"]
    assert cache.ask(first) == ["200", "HIT"]
    assert [row.site for row in up.log()] == ["sources.example.net", "four.example.net"]
    assert cache.ask("http://six.example.net/moved?to=/files/here") == ["200", "MISS"]
    assert cache.ask("http://six.example.net/moved?to=http%3A//10.0.8.20/")[0] == "502", "not into the fleet"
    assert cache.ask("http://six.example.net/moved?to=/moved")[0] == "502", "not for ever"


def test_many_who_want_one_thing_are_one_request(cache: Cached, up: Upstream) -> None:
    up.set("six.example.net", delay=1)
    with ThreadPoolExecutor(6) as pool:
        found = [*pool.map(cache.ask, ["http://six.example.net/files/wanted?size=9000"] * 6)]
    assert {each[0] for each in found} == {"200"}
    assert up.counts("six.example.net") == {HOST6: 1}


def test_what_there_is_is_served_while_upstream_is_away_or_refuses(cache: Cached, up: Upstream) -> None:
    """What a repository has is fresh for three seconds here."""
    refs = "http://six.example.net/dumb/tools.git/info/refs"
    first = cache.body(refs)
    revision = up.commit("newer")
    retry(lambda: revision in cache.body(refs), "the newer revision", 30)
    assert revision not in first
    up.commit("newest")
    up.set("six.example.net", answer=503)
    retry(lambda: cache.ask(refs)[:2] == ["200", "STALE"], "it is stale", 30)
    up.stop()
    try:
        assert cache.ask(refs)[:2] == ["200", "STALE"]
        assert revision in cache.body(refs)
        retry(lambda: cache.ask("http://six.example.net/files/other")[0] == "502", "it is away", 20)
    finally:
        up.start()
    retry(lambda: revision not in cache.body(refs), "the newest revision", 60)


def test_nobody_gets_past_the_ceiling_of_a_destination(cache: Cached, up: Upstream) -> None:
    """200 an hour here."""
    many = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n", f"{URL}/http/six.example.net/files/[1-205]")
    assert cache.succeed("forge", *many).split() == ["200"] * 200 + ["429"] * 5
    assert up.counts("six.example.net") == {HOST6: 200}
    status, _, wait = cache.ask("http://six.example.net/files/more")
    assert (status, 0 < int(wait) <= 3600) == ("429", True)
    assert cache.ask("http://six.example.net/files/7") == ["200", "HIT"]
    assert cache.ask("http://sources.example.net/files/7") == ["200", "MISS"]
    said = retry(cache.said, "the journal has it", 10)
    assert (
        "six.example.net: 200 requests within the hour, which is the ceiling: nothing more is asked there for" in said
    )


def test_who_asks_for_a_pause_gets_it(cache: Cached, up: Upstream) -> None:
    up.set("six.example.net", limit=2, ban=3)
    assert [cache.ask(f"http://six.example.net/files/{n}")[0] for n in range(3)] == ["200", "200", "429"]
    seen = len(up.log("six.example.net"))
    status, _, wait = cache.ask("http://six.example.net/files/3")
    assert (status, 0 < int(wait) <= 3) == ("429", True)
    assert len(up.log("six.example.net")) == seen == 3, "it is left alone"
    assert cache.ask("http://sources.example.net/files/3")[0] == "200", "others are not"
    assert "six.example.net answers 429: nothing more is asked there for 3 s" in retry(cache.said, "the journal", 10)
    retry(lambda: cache.ask("http://six.example.net/files/3")[0] == "200", "it is asked again", 30)


@pytest.mark.parametrize("refusal", ["429", "403"])
def test_a_refused_address_is_told_and_another_one_tried(cache: Cached, up: Upstream, refusal: str) -> None:
    """Eight addresses with ten requests each, and 120 are needed: nobody sees that some were refused."""
    up.set("pool.example.net", limit=10, ban=600, refusal=refusal)
    many = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n", f"{URL}/http/pool.example.net/files/[1-120]")
    answers = cache.succeed("forge", *many, timeout=180).split()
    assert answers == ["200"] * 120, f"{cache.said()}\n{cache.json('egress')['history']}"
    assert sum(up.counts("pool.example.net", "refused").values()) > 0
    assert not {HOST6, HOST4} & {*up.counts("pool.example.net")}
    (pool,) = cache.json("egress")["pools"]
    assert pool["rule"] == "cache/pool"
    retry(lambda: [d for d in cache.json("egress")["pools"][0]["destinations"] if d["refused"]], "it is known", 30)


def test_a_reset_is_no_reason_to_ask_from_elsewhere(cache: Cached, up: Upstream) -> None:
    """The host may have made it itself, to ask less; its own IPv4 address has to do with nothing of it."""
    up.set("pool.example.net", limit=1, ban=600, by="prefix", refusal="reset")
    assert [cache.ask(f"http://pool.example.net/files/{n}")[::2] for n in range(2)] == [["200"], ["503", "10"]]
    assert HOST4 not in up.counts("pool.example.net")


@pytest.mark.long
def test_a_look_up_that_fails_is_no_reason_to_ask_from_elsewhere(cache: Cached, up: Upstream) -> None:
    """A name that had IPv6 a moment ago, and has only IPv4 now. One that never had it is asked by IPv4, as ever."""
    name = "pool.example.net"
    assert cache.ask(f"http://{name}/files/first")[0] == "200"
    four = [address for address in up.addresses[name] if ":" not in address]
    cache.lab.keep_names({**up.addresses, name: four})
    try:
        more = itertools.count()
        found = retry(
            lambda: (said := cache.ask(f"http://{name}/files/{next(more)}"))[0] != "200" and said,
            "names that were known are forgotten",
            60,
        )
        assert found[::2] == ["503", "10"]
        assert HOST4 not in up.counts(name)
        cache.empty()
        assert cache.ask(f"http://{name}/files/first")[0] == "200"
        assert HOST4 in up.counts(name)
    finally:
        cache.lab.keep_names(up.addresses)


def test_ports_that_somebody_has_are_no_reason_to_fail(cache: Cached, up: Upstream) -> None:
    """Also many in a row, as after a restart: those of connections that are over are taken for a minute."""
    assert cache.ask("http://six.example.net/files/first")[0] == "200"
    with cache.occupied(up.log("six.example.net")[-1].port):
        assert cache.ask("http://six.example.net/files/second") == ["200", "MISS"]
        assert cache.ask("https://pool.example.net/files/third") == ["200", "MISS"]
    for row in up.log()[1:]:
        assert not FIRST_PORT <= row.port < FIRST_PORT + PORTS


def test_a_builder_asks_the_cache_and_nobody_else(cache: Cached, up: Upstream) -> None:
    with cache.queued() as build:
        retry(lambda: build() == "published", "it is built", 120, pause=0.5)
    assert {row.path.partition("?")[0] for row in up.log()} == {
        "/files/text",
        "/git/tools.git/info/refs",
        "/git/tools.git/git-upload-pack",
    }
    retry(lambda: len(up.log()) == len(cache.passed_on()), "the journal has them all, and no more", 10)


@pytest.mark.long
def test_a_pause_that_is_asked_for_is_one_of_the_queue(cache: Cached, up: Upstream) -> None:
    up.set("sources.example.net", limit=1, ban=5)
    with cache.queued() as build:
        retry(lambda: "sources.example.net" in build("why"), "it waits, and knows for whom", 60)
        retry(lambda: len(up.log()) == 2, "one request was one too many", 5)
        up.set("sources.example.net", limit=0)
        retry(lambda: build() == "published", "it is built", 120, pause=0.5)
