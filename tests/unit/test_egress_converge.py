"""Rules brought to what they should be: in what order, and what a death or a broken way in leaves behind."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from eyas.core import paths
from eyas.core.egress import Translated
from eyas.core.errors import Failed, UsageError
from eyas.core.held import RESETS
from eyas.core.words import Json, Phase, Step
from eyas.kind import observe
from eyas.kind.egress import Egress, store
from eyas.kind.egress.converge import HOLD, converge
from eyas.kind.egress.declared import declared
from eyas.kind.egress.report import bare, parse, seconds
from eyas.kind.egress.service import answer, answer_again, take, tick
from eyas.kind.egress.state import Event
from eyas.remote.agent.egress import serve
from tests.egress import THERE, address, fields, in_order, rule
from tests.world import Killed, World

NOW = 1_700_000_000.0


def world(*rules: dict[str, Json], **more: Any) -> World:
    """A host with egress that has been brought to what is declared."""
    made = World()
    made.files.write(paths.EGRESS_DECLARED, store.encoded(fields(*rules, **more)))
    tick(made, NOW)
    return made


def pool(made: World, name: str = "forge/all") -> list[str]:
    return [each.text for each in store.read(made).pools[name].addresses]


def step(of: dict[str, Json]) -> Step:
    return Step("egress", "put", "egress:eyas", Phase.firewall, {"fields": of})


def test_one_look_makes_pools_rules_and_the_file_for_the_boot() -> None:
    made = world()
    assert len(pool(made)) == 4
    for text in pool(made):
        assert text in made.egress.text
    assert (made.files.read(paths.EGRESS_RULES) or b"").decode().endswith(made.egress.text)
    assert made.egress.proxied == set()  # a routed prefix needs none
    assert "eyas_egress_addresses" in (made.files.read(store.METRICS) or b"").decode()


def test_a_second_look_changes_nothing() -> None:
    made = world()
    state = made.files.read(store.STATE)
    loads = made.egress.text
    tick(made, NOW + 10)
    assert made.egress.text is loads
    assert made.files.read(store.STATE) == state


def test_on_the_link_addresses_are_answered_for_until_they_have_left() -> None:
    made = World()
    made.egress.mode = ("on-link", "a neighbour asked")
    made.files.write(paths.EGRESS_DECLARED, store.encoded(fields()))
    tick(made, NOW)
    first = set(pool(made))
    assert made.egress.proxied == first
    made.egress.open = {next(iter(first)): 2}
    answer(made, "rotate", [], NOW + 20)
    assert made.egress.proxied == first | set(pool(made))
    tick(made, NOW + 100)
    assert made.egress.proxied == {next(iter(first))} | set(pool(made))
    made.egress.open = {}
    tick(made, NOW + 110)
    assert made.egress.proxied == set(pool(made))


def test_a_single_address_is_answered_for_while_a_rule_sends_from_it() -> None:
    """Also one that is not of the range; when the prefix turns out to be routed, nobody is answered for."""
    single = rule("forge/one", pool={}, via="address", address6="2001:db8:5:1::77")
    made = World()
    made.egress.mode = ("on-link", "a neighbour asked")

    def look(now: float, *rules: dict[str, Json], **more: Any) -> None:
        made.files.write(paths.EGRESS_DECLARED, store.encoded(fields(*rules, **more)))
        tick(made, now)

    look(NOW, single, rule())
    assert made.egress.proxied == {"2001:db8:5:1::77", *pool(made)}
    look(NOW + 10, rule())
    assert made.egress.proxied == {*pool(made)}
    look(NOW + 20, single, rule())
    look(NOW + 30, single, rule(), mode="routed")
    assert made.egress.proxied == set()
    assert store.read(made).how == "the definitions say so"
    look(NOW + 40, single, rule())  # not said any more: it is looked again at once
    assert store.read(made).mode == "on-link"
    assert made.egress.proxied == {"2001:db8:5:1::77", *pool(made)}


def test_addresses_of_others_are_answered_for_as_they_were() -> None:
    made = World()
    made.egress.mode = ("on-link", "a neighbour asked")
    made.egress.proxied = {"2001:db8:5:1::99"}  # somebody's, outside of the range
    made.files.write(paths.EGRESS_DECLARED, store.encoded(fields()))
    tick(made, NOW)
    answer(made, "rotate", [], NOW + 20)
    tick(made, NOW + 100)
    assert "2001:db8:5:1::99" in made.egress.proxied


def test_an_address_of_the_host_is_never_drawn() -> None:
    made = World()
    made.egress.addresses |= {address(1), address(3)}
    converge(made, declared(fields(never=[address(2)])), NOW, random=in_order())
    assert pool(made) == [address(n) for n in (5, 6, 7, 8)]  # 4 was the one that was looked with


def test_a_change_that_breaks_the_way_in_is_taken_back_with_all_that_it_knew() -> None:
    made = world()
    text, before = made.egress.text, pool(made)
    made.egress.deafening = True
    with pytest.raises(Failed, match=r"203\.0\.113\.112 port 80: no answer within 3 s"):
        answer(made, "rotate", [], NOW + 20)
    made.egress.deafening = False
    made.egress.deaf = set()
    assert made.egress.text == text
    assert pool(made) == before
    assert store.history(made)[0]["what"] == "restored"  # type: ignore[index,call-overload]
    assert "taken back" in str(answer(made, "list", [], NOW + 21)["warnings"])
    with pytest.raises(Failed, match="taken back"):
        answer(made, "rotate", [], NOW + 30)
    tick(made, NOW + 60)
    assert made.egress.text == text
    answer(made, "rotate", [], NOW + 20 + HOLD)
    assert not set(pool(made)) & set(before)


@pytest.mark.parametrize("vantage", [[], ["/usr/bin/ask"]])
def test_what_does_not_answer_while_rules_are_loaded_is_told(
    vantage: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked all the time, and by whom it was asked before; what answers again is no reason to go back."""
    made, asked, by = world(vantage=vantage), threading.Event(), set()
    load, probe = made.egress.load, made.egress.probe

    def loads(transaction: str) -> None:
        made.egress.deaf = {("203.0.113.112", 80)}
        assert asked.wait(30)
        load(transaction)
        made.egress.deaf = set()

    def asks(inbound: Sequence[tuple[str, int]], who: Sequence[str]) -> dict[tuple[str, int], str] | None:
        found = probe(inbound, who)
        if made.egress.deaf:
            by.add(tuple(who))
            asked.set()
        return found

    monkeypatch.setattr(made.egress, "load", loads)
    monkeypatch.setattr(made.egress, "probe", asks)
    before, threads = pool(made), threading.active_count()
    answer(made, "rotate", [], NOW + 20)
    assert not {*before} & {*pool(made)}
    assert by == {tuple(vantage)}
    told = [e for e in store.history(made) if e["what"] == "disturbed"]  # type: ignore[index,call-overload]
    assert "203.0.113.112 port 80: no answer within 3 s" in str(told)
    assert len(told) == 1
    assert threading.active_count() == threads


def test_a_vantage_point_that_is_lost_by_a_change_is_a_reason_to_go_back_and_one_that_was_away_is_none() -> None:
    made = world(vantage=["/usr/bin/ask"])
    before = pool(made)
    made.egress.leaving = True
    with pytest.raises(Failed, match="the vantage point itself"):
        answer(made, "rotate", [], NOW + 20)
    assert pool(made) == before
    made.egress.leaving = False
    assert made.egress.away
    answer(made, "rotate", [], NOW + 20 + HOLD)  # it is asked from here now
    assert not set(pool(made)) & set(before)


def test_whoever_dies_before_it_is_known_to_be_good_has_it_known_by_the_next_look() -> None:
    made = world()
    made.egress.mode = ("on-link", "a neighbour asked")
    text, before = made.egress.text, pool(made)
    left = 0
    while made.egress.text == text:  # until it dies right after the rules are loaded
        made.egress.deafening = True
        made.fuse.left = left
        with suppress(Killed):
            answer(made, "rotate", [], NOW + 20)
        left += 1
    made.fuse.left, made.egress.deafening = None, False
    assert made.egress.deaf
    tick(made, NOW + 30)
    assert (made.egress.text, pool(made)) == (text, before)
    assert store.trial(made) is None
    assert "taken back" in str(answer(made, "list", [], NOW + 31)["warnings"])


def test_what_was_begun_by_rules_that_were_taken_back_may_end() -> None:
    made = World()
    made.egress.mode = ("on-link", "a neighbour asked")
    made.files.write(paths.EGRESS_DECLARED, store.encoded(fields()))
    tick(made, NOW)
    before = set(pool(made))
    made.egress.deafening = True
    with pytest.raises(Failed):
        answer(made, "rotate", [], NOW + 20)
    new = made.egress.proxied - before
    assert len(new) == 4
    made.egress.open = {next(iter(new)): 1}
    tick(made, NOW + 90)
    assert made.egress.proxied == before | {next(iter(new))}


def test_definitions_do_not_wait_until_a_change_that_was_taken_back_is_forgotten() -> None:
    made = world()
    made.egress.deafening = True
    with pytest.raises(Failed):
        answer(made, "rotate", [], NOW + 20)
    made.egress.deafening, made.egress.deaf = False, set()
    new = step(fields(rule(pool={"size": 9})))
    verb = Egress.verbs["put"]
    verb.do(made, new, verb.save(made, new, "/var/lib/eyas/runs/x/1"))
    assert len(pool(made)) == 9


def test_what_did_not_answer_before_is_no_reason_to_go_back() -> None:
    made = world()
    made.egress.deaf = {("203.0.113.112", 80)}
    before = pool(made)
    answer(made, "rotate", [], NOW + 20)
    assert not set(pool(made)) & set(before)


def test_rules_changed_by_hand_are_seen_and_mended() -> None:
    made = world()
    assert not observe(made)["egress:eyas"].fields.get("drift")
    good = made.egress.text
    made.egress.text = good.replace("numgen random", "numgen inc")
    assert observe(made)["egress:eyas"].fields["drift"]
    tick(made, NOW + 10)
    assert made.egress.text == good
    made.egress.text = ""
    tick(made, NOW + 20)
    assert made.egress.text == good


def test_sets_that_another_version_made_are_replaced() -> None:
    made = world()
    before = pool(made)
    made.egress.otherwise = True
    answer(made, "rotate", [], NOW + 20)
    assert not set(pool(made)) & set(before)
    assert set(pool(made)) <= {text for text in pool(made) if text in made.egress.text}


def test_after_a_boot_rules_come_from_the_file_and_are_noted_again() -> None:
    made = world()
    made.files.remove(store.PRINT)
    assert not observe(made)["egress:eyas"].fields.get("drift")
    before = pool(made)
    tick(made, NOW + 30)
    assert pool(made) == before
    assert made.files.read(store.PRINT)


@pytest.mark.parametrize("mode", ["on-link", "routed"])
def test_after_a_boot_the_link_is_told_what_the_rules_may_choose_before_anybody_looks(mode: str) -> None:
    made = World()
    made.egress.mode = (mode, "a neighbour asked, or not")
    single = rule("forge/one", pool={}, via="address", address6="2001:db8:5:1::77")
    made.files.write(paths.EGRESS_DECLARED, store.encoded(fields(single, rule())))
    tick(made, NOW)
    told = set(made.egress.proxied)
    assert told == ({"2001:db8:5:1::77", *pool(made)} if mode == "on-link" else set())
    made.egress.proxied = set()  # the kernel forgets
    answer_again(made)
    assert made.egress.proxied == told
    answer_again(World())  # where nothing is declared, nothing happens


def test_a_state_that_cannot_be_read_is_begun_anew() -> None:
    made = world()
    made.files.write(store.STATE, b'{"version": 1, "pools"')
    tick(made, NOW + 10)
    assert len(pool(made)) == 4


@pytest.mark.parametrize("acts", range(12))
def test_whoever_dies_in_the_middle_leaves_whole_rules(acts: int) -> None:
    made = world()
    made.egress.mode = ("on-link", "a neighbour asked")
    made.fuse.left = acts
    with suppress(Killed):
        answer(made, "rotate", [], NOW + 20)
    made.fuse.left = None
    tick(made, NOW + 30)
    assert len(pool(made)) == 4
    for text in pool(made):
        assert text in made.egress.text
    assert (made.files.read(paths.EGRESS_RULES) or b"").decode().endswith(made.egress.text)


def test_a_run_that_fails_has_changed_nothing() -> None:
    made = world()
    text, known = made.egress.text, pool(made)
    verb, new = Egress.verbs["put"], fields(rule(pool={"size": 9}), rule("web/all", sources6=["fd00:5::10"]))
    saved = verb.save(made, step(new), "/var/lib/eyas/runs/x/1")
    verb.do(made, step(new), saved)
    assert len(pool(made)) == 9
    verb.undo(made, step(new), saved)
    assert made.egress.text == text
    assert pool(made) == known
    assert observe(made)["egress:eyas"].fields == fields()


def test_what_is_no_longer_declared_leaves_nothing() -> None:
    made = world()
    made.egress.mode = ("on-link", "a neighbour asked")
    gone = Step("egress", "remove", "egress:eyas", Phase.remove)
    verb = Egress.verbs["remove"]
    saved = verb.save(made, gone, "/var/lib/eyas/runs/x/1")
    verb.do(made, gone, saved)
    assert (made.egress.text, made.egress.proxied) == ("", set())
    assert "egress:eyas" not in observe(made)
    assert not [path for path in made.files.nodes if "egress" in path and "/runs/" not in path and path.count("/") > 3]
    verb.undo(made, gone, saved)
    assert observe(made)["egress:eyas"].fields == fields()
    assert made.egress.text


# ---------------------------------------------------------------- names and reports


def test_names_are_looked_up_and_addresses_that_were_theirs_stay_for_a_day() -> None:
    made = World()
    made.egress.names = {"sources.example.net": {THERE: 5.0, "198.51.100.30": 5.0}}
    made.files.write(paths.EGRESS_DECLARED, store.encoded(fields(rule(names=["sources.example.net", "away.example"]))))
    tick(made, NOW)
    assert f"ip6 daddr {{ {THERE} }}" in made.egress.text
    made.egress.names = {"sources.example.net": {"2001:db8:77::2": 5.0}}
    tick(made, NOW + 10)
    assert f"ip6 daddr {{ {THERE}, 2001:db8:77::2 }}" in made.egress.text
    made.egress.names = {}
    tick(made, NOW + 20)  # nobody answers: what is known stays
    assert THERE in made.egress.text
    (said,) = answer(made, "list", [], NOW + 20)["warnings"]  # type: ignore[misc,union-attr]
    assert said == "away.example has no address, so nothing goes there by its rule"
    made.egress.names = {"sources.example.net": {"2001:db8:77::2": 5.0}}
    tick(made, NOW + 90000)
    assert THERE not in made.egress.text


def test_many_names_without_an_address_are_one_warning() -> None:
    made = World()
    names = [f"{letter}.example" for letter in "abcde"]
    made.files.write(paths.EGRESS_DECLARED, store.encoded(fields(rule(names=names))))
    tick(made, NOW)
    (said,) = answer(made, "list", [], NOW)["warnings"]  # type: ignore[misc,union-attr]
    assert said == "a.example, b.example, c.example and 2 more have no address, so nothing goes there by their rules"


def connection(text: str, port: int = 40000, there: str = THERE, idle: float = 0) -> Translated:
    return Translated("fd00:5::20", port, there, 443, text, idle)


def test_a_report_is_about_the_address_of_its_connection() -> None:
    made = world()
    a, b = pool(made)[:2]
    made.egress.made = [connection(a, 40001, idle=5), connection(b, 40002, idle=9)]
    body = {"destination": THERE, "status": 429, "source": "[fd00:5::20]:40002"}
    report = parse(json.dumps(body).encode(), "forge")
    assert report is not None
    (event,) = take(made, [report], NOW + 5)
    assert (event.what, event.address, event.destination) == ("rests", b, THERE)


@pytest.mark.parametrize("remote", [f"[{THERE}]:443", f"{THERE}:443", THERE])
def test_the_other_end_of_a_connection_may_be_written_in_several_ways(remote: str) -> None:
    made = world(rule(names=["sources.example.net"]))
    made.egress.names = {"sources.example.net": {THERE: 5.0}}
    tick(made, NOW + 1)
    made.egress.made = [connection(pool(made)[2])]
    body = {"destination": "sources.example.net", "status": 429, "source": "fd00:5::20:40000", "remote": remote}
    report = parse(json.dumps(body).encode(), "forge")
    assert report is not None
    assert [event.address for event in take(made, [report], NOW + 5)] == [pool(made)[2]]


@pytest.mark.parametrize(
    "body",
    [
        {"remote": f"[{THERE}]:443", "source": "[fd00:5::20]:40000"},
        {"source": "[fd00:5::20]:40000"},
        {},
    ],
)
def test_a_rule_for_everything_knows_a_name_by_its_addresses(body: dict[str, str]) -> None:
    """Programs tell names, and rules are about addresses where definitions do not name the destination."""
    made = world()
    made.egress.names = {"sources.example.net": {THERE: 5.0, "2001:db8:77::2": 5.0}}
    a = pool(made)[0]
    made.egress.made = [connection(a), connection(pool(made)[1], 40009, "2001:db8:77::9")]
    report = parse(json.dumps({"destination": "Sources.example.net", "status": 429, **body}).encode(), "forge")
    assert report is not None
    (event,) = take(made, [report], NOW + 5)
    assert (event.what, event.address, event.destination) == ("rests", a, THERE)
    (line,) = [line for line in made.egress.text.splitlines() if f"ip6 daddr {{ {THERE} }}" in line]
    members = made.egress.text.partition(f"chain {line.split()[-1]} {{")[2].partition("\n\t}")[0]
    assert a not in members
    assert pool(made)[1] in members


def test_names_that_nobody_has_or_that_are_none_are_no_reports() -> None:
    made = world()
    made.egress.made = [connection(pool(made)[0])]
    for name in ("nowhere.example.net", "a" * 70 + ".example.net", "..", "x" * 300 + ".net"):
        report = parse(json.dumps({"destination": name, "status": 429}).encode(), "forge")
        assert report is not None
        assert take(made, [report], NOW + 5) == []


def test_a_report_by_hand_for_a_rule_for_everything_is_about_all_addresses_of_the_name() -> None:
    made = world()
    made.egress.names = {"sources.example.net": {THERE: 5.0, "2001:db8:77::2": 5.0, "192.0.2.9": 5.0}}
    a = pool(made)[0]
    said = answer(made, "report", [a, "sources.example.net"], NOW + 20)
    assert said["done"] == f"{a} rests at {THERE}; {a} rests at 2001:db8:77::2"
    with pytest.raises(UsageError, match="no IPv6 address of it is known"):
        answer(made, "report", [a, "nowhere.example.net"], NOW + 30)


def test_a_report_without_a_connection_is_about_the_one_that_was_there_last() -> None:
    made = world()
    a, b = pool(made)[:2]
    made.egress.made = [connection(a, 40001, idle=5), connection(b, 40002, "2001:db8:99::1", idle=1)]
    line = b'<190>Nov 28 20:00:00 cache eyas-egress: {"destination": "[%s]:443", "status": "429, 200"}' % THERE.encode()
    report = parse(line, "forge")
    assert report is not None
    (event,) = take(made, [report], NOW + 5)
    assert event.address == a


@pytest.mark.parametrize(
    ("container", "status", "events"), [("forge", 429, 1), ("forge", 403, 1), ("forge", 404, 0), ("web", 429, 0)]
)
def test_a_report_counts_for_its_own_container_and_for_refusals_only(container: str, status: int, events: int) -> None:
    made = world()
    made.egress.made = [connection(pool(made)[0])]
    report = parse(json.dumps({"destination": THERE, "status": status}).encode(), container)
    assert report is not None
    assert len(take(made, [report], NOW + 5)) == events


@pytest.mark.parametrize("data", [b"", b"hello", b"{", b'{"status": 429}', b"[1]", b'\xff{"destination": ""}'])
def test_what_is_no_report_is_none(data: bytes) -> None:
    assert parse(data, "forge") is None


@pytest.mark.parametrize(
    "said",
    [
        '{"destination": "2001:db8:77::1%} drop"}',
        '{"destination": "2001:db8:77::1", "remote": "[2001:db8:77::1%x]:443"}',
        '{"destination": "2001:db8:77::1", "source": "[fd00:5::20]:\u00b2"}',
        '{"destination": "2001:db8:77::1", "source": "[fd00:5::20]:%s"}' % ("9" * 5000),
        '{"destination": "2001:db8:77::1", "status": "\u00b2", "retry_after": "\u00b2"}',
        '{"destination": "2001:db8:77::1", "status": "%s"}' % ("9" * 5000),
        '{"destination": "2001:db8:77::1", "retry_after": "%s"}' % ("9" * 500),
        '{"destination": "2001:db8:77::1", "retry_after": "Fri, 31 Dec 9999 23:59:59 -2359"}',
        '{"destination": "2001:db8:77::1", "retry_after": 1e999}',
        '{"destination": ["2001:db8:77::1"], "source": {}, "remote": [[]]}',
        '{"destination": %s' % ("[" * 7000),
        '{"destination": "\ud800.example.net"}',
    ],
)
def test_nothing_that_a_container_can_send_ends_the_service_or_the_rules(said: str) -> None:
    made = world(rule(pool={"size": 1}))
    made.egress.made = [connection(pool(made)[0])]
    report = parse(said.encode(errors="surrogatepass"), "forge")
    take(made, [report] if report else [], NOW + 5)
    tick(made, NOW + 10)
    for text in pool(made):
        assert text in made.egress.text
    resting = [r.until for d in store.read(made).pools["forge/all"].destinations.values() for r in d.resting.values()]
    assert all(until <= NOW + 8 * 86400 for until in resting)


def test_who_reports_much_in_vain_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service lets ever more of it come together; a report that something comes of is not waited after."""
    batches = [[("forge", b"nonsense")]] * 7 + [[("web", b'{"destination": "2001:db8:77::1"}')]] + [[("forge", b"x")]]
    waits: list[float] = []

    class Sockets:
        def wait(self, _seconds: float) -> list[tuple[str, bytes]] | None:
            return batches.pop(0) if batches else None

    happened = [Event(NOW, "web/all", "rests")]
    monkeypatch.setattr("eyas.host.egress.sockets.Reports", Sockets)
    monkeypatch.setattr("eyas.kind.egress.service.tick", lambda _system: [])
    monkeypatch.setattr("eyas.kind.egress.service.take", lambda _system, _found: happened)
    monkeypatch.setattr("time.sleep", waits.append)
    assert serve() == 0
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 0.0, 0.1])


def test_places_and_times_of_reports() -> None:
    assert bare("GitHub.com:443") == "github.com"
    assert bare("[2001:DB8::1]:443") == bare("2001:db8:0::1") == "2001:db8::1"
    assert seconds("120") == 120
    assert seconds("next week") == 0
    assert 0 <= seconds("Sat, 28 Nov 2020 20:00:00 GMT") == 0


def test_resets_that_the_kernel_counted_are_refusals_when_they_are_many() -> None:
    made = world()
    a, b, c = pool(made)[:3]
    made.egress.sets["used"] = {(a, THERE): 4, (b, THERE): 20, (c, THERE): 2}
    made.egress.sets[RESETS] = {(a, THERE): 3, (b, THERE): 4, (c, THERE): 2}
    events = tick(made, NOW + 10)
    assert [(e.what, e.address) for e in events] == [("rests", a)]
    assert tick(made, NOW + 20) == []


def test_resets_are_compared_with_the_last_connections_not_with_all() -> None:
    made = world()
    a = pool(made)[0]
    events = []
    for used, resets in ((500, 1), (505, 3), (506, 4)):
        made.egress.sets["used"] = {(a, THERE): used}
        made.egress.sets[RESETS] = {(a, THERE): resets}
        events.append([e.what for e in tick(made, NOW + used)])
    assert events == [[], [], ["rests"]]


def test_a_report_by_hand_names_an_address_of_a_pool() -> None:
    made = world(rule(names=["sources.example.net"]))
    made.egress.names = {"sources.example.net": {THERE: 5.0}}
    tick(made, NOW + 10)
    a = pool(made)[0]
    said = answer(made, "report", [a, "sources.example.net"], NOW + 20)
    assert said["done"] == f"{a} rests at sources.example.net"
    with pytest.raises(UsageError, match="in no pool"):
        answer(made, "report", ["2001:db8::9", "sources.example.net"], NOW + 30)
    with pytest.raises(UsageError, match="not about that destination"):
        answer(made, "report", [a, "elsewhere.example"], NOW + 30)


def test_a_tenant_is_told_once_a_minute_why_its_connections_were_refused() -> None:
    made = world(rule(names=["sources.example.net"], ceiling=100))
    made.egress.names = {"sources.example.net": {THERE: 5.0}}
    for second, count in ((10, 0), (20, 5), (30, 9), (90, 12)):
        if count:
            made.egress.sets["denied6"] = {("fd00:5::20", THERE): count}
        tick(made, NOW + second)
    assert [(who, text.split(" new ")[0]) for who, text in made.egress.told] == [("forge", "5"), ("forge", "7")]
    assert "sources.example.net (2001:db8:77::1)" in made.egress.told[0][1]
    assert "ceiling is 100 connections an hour" in made.egress.told[0][1]


def test_the_rule_that_has_a_ceiling_is_the_one_that_is_told_of() -> None:
    """Not one before it that is about the same destination for another user."""
    narrow = rule("forge/anna", pool={}, via="default", mark=1)
    made = world(narrow, rule("forge/few", pool={}, via="default", ceiling=10))
    made.egress.sets["denied6"] = {("fd00:5::20", THERE): 3}
    tick(made, NOW + 10)
    ((who, text),) = made.egress.told
    assert who == "forge"
    assert "egress rule forge/few: its ceiling is 10 connections an hour" in text


def test_a_change_that_a_run_takes_back_is_nobodys_to_finish() -> None:
    """Its author was killed between the note of the change and the rules."""
    made = World()
    store.begin_trial(made, store.Trial({"version": 1}, frozenset({("203.0.113.112", 22)})))
    step = Step("egress", "put", "egress:eyas", Phase.firewall, {"fields": {}})
    Egress.verbs["put"].undo(made, step, {"folder": "", "files": []})
    assert made.files.read(store.TRIAL) is None
