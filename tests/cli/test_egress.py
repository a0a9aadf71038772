"""`eyas egress`: what the host tells, as tables and as warnings; what cannot be asked for."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from eyas.cli.context import Context
from eyas.cli.egress import run
from eyas.cli.evaluate import read
from eyas.cli.view.egress import egress_text
from eyas.cli.why import find
from eyas.core.errors import UsageError
from eyas.status.egress import holders, pools, warnings

NOW = 1_000_000.0
ONE, TWO, OLD = (f"2001:db8:5:1:8000::{end}" for end in ("a1", "a2", "b1"))


def answer(**more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "mode": "routed",
        "how": "a ping from 2001:db8:5:1:8000::5 was answered",
        "checked": NOW - 180,
        "pools": [
            {
                "rule": "forge/sources",
                "container": "forge",
                "size": 2,
                "life": 3600,
                "per": "connection",
                "addresses": [
                    {"address": ONE, "born": NOW - 700, "uses": 40, "refusals": 1},
                    {"address": TWO, "born": NOW - 30, "uses": 2, "refusals": 0},
                ],
                "leaving": [{"address": OLD, "connections": 3}],
                "destinations": [
                    {
                        "destination": "github.com",
                        "addresses": ["2001:db8:77::1"],
                        "used": 42,
                        "refused": 2,
                        "resting": [
                            {"address": ONE, "until": NOW + 1800, "times": 1, "why": "429"},
                            {"address": OLD, "until": NOW + 600, "times": 2, "why": "reset"},
                        ],
                        "limits": "",
                        "per_hour": 0,
                        "until": 0,
                    }
                ],
            }
        ],
        "rules": [{"rule": "forge/sources", "container": "forge", "via": "pool", "names": {"github.com": [ONE]}}],
        "history": [
            {"time": NOW - 60, "rule": "forge/sources", "what": "rests", "address": ONE, "destination": "github.com",
             "why": "status 429"},
        ],
        "done": "",
        "warnings": [],
    } | more  # fmt: skip


def limiting() -> dict[str, Any]:
    found = answer()
    found["pools"][0]["destinations"][0] |= {"limits": "prefix", "per_hour": 250, "until": NOW + 1200}
    return found


def test_the_tables() -> None:
    assert egress_text(answer(), NOW, 120) == dedent("""\
        the prefix is routed (a ping from 2001:db8:5:1:8000::5 was answered, 3 min ago)

        POOL           SIZE  LIFE  PER                   AGES  CONNECTIONS  REFUSED  LEAVING
        forge/sources     2   1 h  connection  30 s to 11 min           42        1        3

        DESTINATION  POOL           CONNECTIONS  REFUSED  RESTING  STATE
        github.com   forge/sources           42        2        2  the next is back in 10 min

        RULE           VIA   NAMES
        forge/sources  pool  github.com (1 address)

          AGO  WHAT   RULE           ADDRESS                DESTINATION  WHY
        1 min  rests  forge/sources  2001:db8:5:1:8000::a1  github.com   status 429

        1 pool, 2 addresses: all is well.""")


def test_each_address_where_everything_is_asked_for() -> None:
    lines = egress_text(answer(), NOW, 120, everything=True).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("ADDRESS "))
    assert [line.split() for line in lines[start + 1 : start + 4]] == [
        [ONE, "forge/sources", "11", "min", "40", "1", "github.com", "30", "min"],
        [TWO, "forge/sources", "30", "s", "2", "0", "-"],
        [OLD, "forge/sources", "gone", "-", "-", "github.com", "10", "min"],
    ]


def test_a_rotation_is_one_line_of_what_happened() -> None:
    """However many addresses it retires; what happened at another moment, or for another reason, has its own."""
    one = {"time": NOW - 5, "rule": "forge/sources", "what": "retired", "destination": "", "why": "by hand"}
    events = [{**one, "address": f"2001:db8:5:1:8000::{n}"} for n in range(64)]
    events += [{**one, "address": ONE, "why": "its life is over"}, {**one, "address": TWO, "time": NOW - 70}]
    text = egress_text(answer(history=events), NOW, 120)
    lines = [line.split() for line in text.partition("AGO")[2].splitlines()[1:4]]
    assert lines[0] == ["5", "s", "retired", "forge/sources", "64", "addresses", "-", "by", "hand"]
    assert lines[1][4:] == [ONE, "-", "its", "life", "is", "over"]
    assert lines[2][:3] == ["1", "min", "retired"]


def test_a_host_without_egress() -> None:
    empty = answer(pools=[], rules=[], history=[], mode="")
    assert egress_text(empty, NOW) == "no egress: all connections leave the usual way."
    assert warnings(empty, NOW) == []


def test_a_destination_that_limits_is_a_warning() -> None:
    said = "github.com refuses the whole prefix to forge/sources, another address does not help: at most 250"
    assert [text.startswith(said) for text in warnings(limiting(), NOW)] == [True]
    text = egress_text(limiting(), NOW, 120)
    assert "limits the prefix: 250 an hour, for 20 min more" in " ".join(text.split())
    assert text.endswith("1 pool, 2 addresses, 1 warning.")
    waiting = limiting()
    waiting["pools"][0]["destinations"][0]["pause"] = NOW + 45
    text = " ".join(egress_text(waiting, NOW, 120).split())
    assert "limits the prefix: it asked to wait, for 45 s more" in text


def test_rules_that_were_put_back_are_told_for_a_day() -> None:
    event = {"time": NOW - 720, "rule": "forge/sources", "what": "restored", "why": "port 443 did not answer"}
    older = {**event, "time": NOW - 7200}
    told = ["the egress rules of forge/sources were put back 12 min ago: port 443 did not answer"]
    assert warnings(answer(history=[event, older]), NOW) == told
    assert warnings(answer(history=[event]), NOW + 86400) == []
    assert warnings(answer(warnings=["the prefix is not reached"]), NOW) == ["the prefix is not reached"]


def test_a_pool_that_is_not_made_yet_and_nonsense() -> None:
    fresh = answer()
    fresh["pools"][0] |= {"addresses": [], "leaving": [], "destinations": []}
    (pool,) = pools(fresh, NOW)
    assert (pool.oldest, pool.newest, pool.leaving) == (None, None, 0)
    assert "all is well" in egress_text(fresh, NOW)
    assert pools({"pools": "?"}, NOW) == []


def test_whose_an_address_is() -> None:
    assert holders(answer(), ONE) == holders(answer(), OLD) == ["forge/sources"]
    assert holders(answer(), "2001:db8::1") == []


@pytest.mark.parametrize(
    ("action", "names", "why"),
    [
        ("turn", (), "cannot do turn to outgoing connections"),
        ("report", ("2001:db8::1",), "name the address that was refused, and the destination"),
        ("report", ("github.com", "2001:db8::1"), "github.com: it is no address"),
        ("report", ("2001:db8::1", "https://github.com/a/b"), "github.com/a/b: a destination is a name or an address"),
    ],
)
def test_what_cannot_be_asked_for(action: str, names: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        run(Context(), action=action, names=names)


FLEET = """\
from eyas import Bridge, Container, Egress, Fleet, Host, Image, Open, Pool, Uplink

rules = [
    Egress("sources", to=["github.com"], via=Pool(64)),
    Egress("one", to=["192.0.2.0/24"], via="2001:db8:5:1::77"),
]
forge = Container("forge", "10.0.5.10", Image.debian(), egress=rules)
uplink = Uplink("eth0", "203.0.113.10/26", "2001:db8:5:1::2/64")
fleet = Fleet(Host("alpha", uplink, Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), [forge], open=[Open(22)]))
"""


def test_why(tmp_path: Path) -> None:
    (tmp_path / "fleet.py").write_text(FLEET)
    definitions = read(str(tmp_path))
    for thing in ("egress:forge/sources", "egress:sources", "forge/sources", "github.com"):
        (reason,) = find(definitions, thing)
        assert reason.what == "egress of forge: sources, a pool of 64 addresses for github.com"
        assert (reason.origin, reason.ids) == ("fleet.py:4", ("egress:eyas",))
    (reason,) = find(definitions, "2001:db8:5:1::77")
    assert reason.what == "egress of forge: one, by 2001:db8:5:1::77 for 192.0.2.0/24"
