"""Sites in the lab's internet: what they serve, whom they count, how they refuse; and two kinds of IPv6 prefixes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from eyas.lab import Lab, upstream, wire
from eyas.lab.testing import Host, retry
from eyas.lab.upstream import Site, Upstream, contents
from tests.lab.labs import GARUDA

SITES = (Site(), Site("four.example.net", families="4"), Site("six.example.net", families="6"))
HERE4, HERE6 = "203.0.113.112", "2001:db8:5:1::2"
UNUSED, LOST = "2001:db8:5:1:8000::77", "2001:db8:5:1:8000::78"
NEVER_CHOSEN = ("preferred_lft", "0")
"""Or it would be where all other connections come from, from now on."""


@pytest.fixture(scope="module")
def sites(lab: Lab) -> Iterator[Upstream]:
    with upstream.running(lab, *SITES) as up:
        yield up


@pytest.fixture
def up(sites: Upstream) -> Upstream:
    for site in SITES:
        sites.set(site.name, limit=0, refusal="429", by="address", answer=0)
    sites.forget()
    return sites


def get(host: Host, url: str, *options: str) -> str:
    return host.succeed("curl", "-sS", "--fail", "--max-time", "10", *options, url)


def status(host: Host, url: str) -> str:
    """The status of an answer, and what curl(1) says where there is none."""
    asked = host.execute("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %header{retry-after}", url, timeout=20)
    return asked.text.strip() if asked.code == 0 else f"curl {asked.code}"


def test_files_are_served_over_both_families_and_counted_by_source(host: Host, up: Upstream) -> None:
    digest = hashlib.sha256(contents("a/b", 300_000)).hexdigest()
    host.succeed("sh", "-c", f"curl -sS --fail '{up.url('/files/a/b', size=300_000)}' | sha256sum | grep {digest}")
    assert get(host, up.url("/source", "six.example.net")).split()[0] == HERE6
    assert get(host, up.url("/source", "four.example.net")).split()[0] == HERE4
    assert up.counts("four.example.net") == up.counts("four.example.net", "connections") == {HERE4: 1}
    assert up.counts("six.example.net") == {HERE6: 1}
    assert [row.path for row in up.log()] == ["/files/a/b?size=300000", "/source", "/source"]
    assert '"requests": 1' in get(host, up.url("/count", "six.example.net"))
    assert up.counts("six.example.net") == {HERE6: 1}, "who only looks is not counted"
    host.succeed("sh", "-c", "cat >/run/ca.pem", input=(up.lab.ca_dir / "ca.pem").read_text())
    get(host, up.url("/source", scheme="https"), "--cacert", "/run/ca.pem")


def test_a_limit_refuses_as_it_is_told(host: Host, up: Upstream) -> None:
    six = up.url("/files/x", "six.example.net")
    for refusal, seen in (("429", "429 60"), ("403", "403 60"), ("reset", "curl 56"), ("refused", "curl 7")):
        up.set("six.example.net", limit=1, ban=60, refusal=refusal)
        up.forget()
        said = [status(host, six) for _ in range(3)]
        if refusal == "refused":  # by the packet filter, from the connection after the first one too many
            said[1] = said[2]
        assert said == ["200", seen, seen]
        assert status(host, up.url("/files/x", "four.example.net")) == "200", "another site"
    assert up.counts("six.example.net", "refused") == {HERE6: 1}


def test_a_prefix_is_limited_as_one(host: Host, up: Upstream) -> None:
    host.succeed("ip", "address", "add", f"{UNUSED}/128", "dev", "eth0", "nodad", *NEVER_CHOSEN)
    try:
        for by, second in (("address", "200"), ("prefix", "429 30")):
            up.set("six.example.net", limit=1, ban=30, refusal="429", by=by)
            up.forget()
            assert status(host, up.url("/source", "six.example.net")) == "200"
            options = ("-sS", "-o", "/dev/null", "-w", "%{http_code} %header{retry-after}", "--interface", UNUSED)
            assert host.succeed("curl", *options, up.url("/source", "six.example.net")).strip() == second
    finally:
        host.succeed("ip", "address", "del", f"{UNUSED}/128", "dev", "eth0")


def test_a_repository_is_there_by_both_protocols(host: Host, up: Upstream) -> None:
    revision = up.commit("another")
    for way in ("git", "dumb"):
        listed = up.lab.exec("internet", ["git", "ls-remote", up.url(f"/{way}/tools.git")]).text
        assert f"{revision}\trefs/heads/main" in listed
    assert up.counts(), "who they were is known"


def test_a_routed_prefix_arrives_whole_and_an_on_link_one_by_neighbours(lab: Lab, host: Host, up: Upstream) -> None:
    """An address that no link of the host has: it gets answers only where nobody asks for a neighbour."""
    host.succeed("ip", "address", "add", f"{LOST}/128", "dev", "lo", "nodad", *NEVER_CHOSEN)
    ask = ("curl", "-sS", "--fail", "--max-time", "1", "--interface", LOST, up.url("/source", "six.example.net"))
    try:
        host.fail(*ask)
        wire.make_internet(lab.place, [replace(GARUDA, prefix6="routed")])
        retry(lambda: host.succeed(*ask).split()[0] == LOST, "an answer", 10)
        assert get(host, up.url("/source", "six.example.net")).split()[0] == HERE6
    finally:
        wire.make_internet(lab.place, [GARUDA])
        host.succeed("ip", "address", "del", f"{LOST}/128", "dev", "lo")
    assert get(host, up.url("/source", "six.example.net")).split()[0] == HERE6
