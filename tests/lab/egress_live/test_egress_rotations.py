"""Pools rotate while everybody is busy: what comes in, what goes out, what takes long.

EYAS_FULL=1 does a thousand rotations with each kind of provider.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.lab.egress_live.rig import BIG, ROOT, SIZE, Live, digest_of
from tests.lab.rig import FULL

ROTATIONS = {"on-link": 1000 if FULL else 30, "routed": 1000 if FULL else 10}
LONG = 50 if FULL else 20
RATE = 50
DAY = ("--seconds", "3600")  # it ends with its block
CALM = 150 if FULL else 3  # seconds without a rotation, beside all else that goes on


@pytest.fixture(params=["on-link", "routed"])
def provided(request: pytest.FixtureRequest, live: Live) -> Iterator[str]:
    kind = str(request.param)
    if kind == "routed":
        live.provider(kind)
    yield kind
    if kind == "routed":
        live.provider("on-link")


def test_nobody_notices_rotations(live: Live, provided: str) -> None:
    files, count = live.sites.url("/files/long", "files.example.net", size=SIZE), ROTATIONS[provided]
    live.answers()  # who has never asked waits for the neighbours to find each other
    before = live.whole()
    with (
        live.hold("forge", files, LONG) as out,
        live.hold("internet", f"{ROOT[4]}/big", LONG // 2) as in4,
        live.hold("internet", f"{ROOT[6]}/big", LONG // 2) as in6,
        live.load("http://files.example.net/source", place="forge", rate=10, seconds=CALM + count / 5) as away,
    ):
        with live.load(ROOT[4], *DAY, rate=RATE) as four, live.load(ROOT[6], *DAY, rate=RATE) as six:
            time.sleep(CALM)
        calm = [dict(each.seen) for each in (four, six)]
        with live.load(ROOT[4], *DAY, rate=RATE) as four, live.load(ROOT[6], *DAY, rate=RATE) as six:
            took = [float(line) for line in live.act("rotate", str(count), timeout=1800).split()]
    assert len(took) == count
    print(f"{provided}: {count} rotations, {sum(took) / count:.3f} s each")
    for family, calmly, busy in zip((4, 6), calm, (four, six), strict=True):
        print(f"in by IPv{family}: {busy.seen}; without rotations: {calmly}")
        assert busy.failed == 0, busy.seen
        # A packet that is lost is sent again after a second. Less than that is the machine's, which others share.
        assert busy.longest < max(1.0, 20 * calmly["longest"]), (calmly, busy.seen)
    assert away.failed == 0, away.seen
    out.survived(LONG, digest_of("long"))
    in4.survived(LONG // 2, BIG)
    in6.survived(LONG // 2, BIG)
    after = live.whole()
    assert (after["same"], after["boot"]) == (True, True)
    for name, addresses in after["pools"].items():
        assert not {*addresses} & {*before["pools"][name]}


def test_an_address_leaves_with_its_last_connection(live: Live) -> None:
    with live.hold("forge", live.sites.url("/files/long", "files.example.net", size=SIZE), 1):
        (source,) = live.sites.counts("files.example.net")
        assert source in live.whole()["pools"]["forge/all"]
        live.act("rotate", "1")
        live.act("tick", "60")
        kept = live.whole()
        assert source in kept["leaving"]["forge/all"]
        used = [each for pools in (kept["pools"], kept["leaving"]) for pool in pools.values() for each in pool]
        assert sorted(kept["answering"]) == sorted(used)
        ends = (
            "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1",
            "net.netfilter.nf_conntrack_tcp_timeout_last_ack=1",
        )
        live.host.succeed("sysctl", "-q", "-w", *ends)

    def gone() -> bool:
        live.act("tick", "60")
        return source not in live.whole()["answering"]

    live.host.wait_until(gone, "the address has left", 30)


def test_pools_of_two_containers_share_nothing(live: Live) -> None:
    pools = live.whole()["pools"]
    every = [address for addresses in pools.values() for address in addresses]
    assert len({*every}) == len(every) == 8 + 16 + 4 + 64 + 8
    assert live.leaves("mirror") in pools["mirror/all"]
    assert live.leaves("forge") in pools["forge/all"]
    assert live.leaves("forge", "sources.example.net") in pools["forge/sources"]
    assert live.leaves("host") == "2001:db8:5:1::2"
    live.act("rotate", "1", "forge/all")
    after = live.whole()["pools"]
    assert {name for name in pools if after[name] != pools[name]} == {"forge/all"}
