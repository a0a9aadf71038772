"""The life of addresses: when one retires, rests, or is not to be replaced at all."""

from __future__ import annotations

import pytest

from eyas.kind.egress import rotate
from eyas.kind.egress import text as rules
from eyas.kind.egress.converge import drawer
from eyas.kind.egress.declared import Declared, Rule, declared
from eyas.kind.egress.state import Destination, State, state_from_json, state_to_json
from tests.egress import THERE, address, fields, in_order, rule


class Pools:
    """A state with its declaration and its clock."""

    def __init__(self, *rules: dict[str, object]) -> None:
        self.declared: Declared = declared(fields(*rules))  # type: ignore[arg-type]
        self.state = State()
        self.now = 1000.0
        self.draw = drawer(self.declared, set(), in_order())
        self.settle()

    @property
    def rule(self) -> Rule:
        return self.declared.rules[0]

    def settle(self, seconds: float = 0) -> list[str]:
        self.now += seconds
        return [f"{e.what} {e.address}" for e in rotate.settle(self.state, self.declared, self.now, self.draw)]

    def refuse(self, text: str, uses: int = 20, after: float = 0, key: str = THERE) -> list[str]:
        found = rotate.refuse(
            self.state, self.rule, key, text, self.now, self.draw, why="it answered 429", uses=uses, after=after
        )
        return [f"{e.what} {e.address or e.destination}" for e in found]

    def members(self, key: str = "") -> list[str]:
        return self.state.pools[self.rule.name].members(key, self.now)

    def there(self, key: str = THERE) -> object:
        return self.state.pools[self.rule.name].destinations[key]


def test_a_pool_is_filled_and_its_addresses_end_one_after_the_other() -> None:
    pools = Pools()
    assert pools.members() == [address(n) for n in (1, 2, 3, 4)]
    ends = [each.end - pools.now for each in pools.state.pools["forge/all"].addresses]
    assert ends == [900, 1800, 2700, 3600]


def test_an_address_retires_when_its_life_is_over_and_leaves_with_its_last_connection() -> None:
    pools = Pools()
    assert pools.settle(901) == [f"retired {address(1)}"]
    assert pools.members() == [address(n) for n in (2, 3, 4, 5)]
    assert rotate.left(pools.state, {address(1): 3}, pools.now + 9999) == []
    assert rotate.left(pools.state, {}, pools.now + rotate.GRACE - 1) == []
    assert rotate.left(pools.state, {}, pools.now + rotate.GRACE) == [address(1)]
    assert address(1) not in pools.state.taken()


def test_an_address_retires_after_so_many_connections() -> None:
    pools = Pools(rule(pool={"uses": 20}))
    rotate.count(pools.state, {}, {(address(2), THERE): 19}, pools.now)
    assert pools.settle() == []
    rotate.count(pools.state, {}, {(address(2), THERE): 20}, pools.now)
    assert pools.settle() == [f"retired {address(2)}"]


def test_counters_that_begin_again_at_a_boot_go_on() -> None:
    pools = Pools()
    for counted in (7, 9, 2, 3):
        rotate.count(pools.state, {}, {(address(1), THERE): counted}, pools.now)
    assert pools.state.pools["forge/all"].addresses[0].uses == 12
    assert pools.state.pools["forge/all"].destinations[THERE].used == 12


def test_a_refused_address_rests_at_that_destination_alone() -> None:
    pools = Pools()
    assert pools.refuse(address(2)) == [f"rests {address(2)}"]
    assert pools.members(THERE) == [address(n) for n in (1, 3, 4, 5)]
    assert pools.members("2001:db8:88::1") == pools.members() == [address(n) for n in (1, 2, 3, 4)]
    assert pools.refuse(address(2)) == []  # reported twice is refused once
    pools.settle(601)
    assert pools.members(THERE) == [address(n) for n in (1, 2, 3, 4)]
    assert address(5) in pools.state.pools["forge/all"].leaving


def test_each_further_rest_is_twice_as_long_and_never_shorter_than_asked_for() -> None:
    pools = Pools(rule(pool={"life": 99999}))
    waits = []
    for _ in range(3):
        pools.refuse(address(2))
        rest = pools.state.pools["forge/all"].destinations[THERE].resting[address(2)]
        waits.append(rest.until - pools.now)
        pools.settle(waits[-1])
    assert waits == [600, 1200, 2400]
    pools.refuse(address(3), after=5000)
    assert pools.state.pools["forge/all"].destinations[THERE].resting[address(3)].until == pools.now + 5000


def test_fresh_addresses_refused_in_a_row_are_the_prefix_and_nothing_is_burned_after_that() -> None:
    pools = Pools()
    assert pools.refuse(address(1), uses=20) == [f"rests {address(1)}"]
    assert pools.refuse(address(2), uses=1) == [f"rests {address(2)}"]
    assert pools.refuse(address(3), uses=0) == [f"rests {address(3)}"]
    assert pools.refuse(address(4), uses=2) == [f"limits {THERE}"]
    before = pools.state.taken()
    for _ in range(50):
        pools.refuse(pools.members(THERE)[0], uses=0)
    assert pools.state.taken() == before


def test_refusals_of_used_addresses_between_do_not_hide_the_prefix() -> None:
    pools = Pools()
    for number, uses in enumerate([0, 15, 20, 1, 14], 1):
        assert pools.refuse(address(number), uses=uses) == [f"rests {address(number)}"]
    assert pools.refuse(address(6), uses=1) == [f"limits {THERE}"]


def test_fresh_ones_that_are_refused_now_and_then_are_single() -> None:
    pools = Pools()
    for number in range(1, 9):
        used = (rotate.WITHIN // 2 + 1) * number
        rotate.count(pools.state, {}, {(address(99), THERE): used}, pools.now)
        pools.state.pools["forge/all"].destinations.setdefault(THERE, Destination()).used = used
        assert pools.refuse(address(number), uses=1) == [f"rests {address(number)}"]


def test_who_counted_by_the_prefix_once_is_known_sooner_the_next_time() -> None:
    pools = Pools()
    for number in (1, 2, 3):
        pools.refuse(address(number), uses=1)
    pools.settle(601)
    there = pools.state.pools["forge/all"].destinations[THERE]
    assert (there.limits, there.limited) == ("", 1)
    said = [pools.refuse(text, uses=20) for text in pools.members(THERE)[:3]]
    assert [words[0].split()[0] for words in said] == ["rests", "rests", "limits"]
    assert there.until == pools.now + 1200


def test_a_destination_that_limits_is_slowed_and_tried_again() -> None:
    pools = Pools()
    for number in range(120):
        rotate.count(pools.state, {}, {(address(1), THERE): number + 1}, pools.now)
        pools.now += 1
    for number in (1, 2, 3):
        pools.refuse(address(number), uses=1)
    there = pools.state.pools["forge/all"].destinations[THERE]
    first = there.per_hour
    assert there.limits == "prefix"
    assert 1700 < first < 1900  # half of one a second
    pools.now += 11
    assert pools.refuse(address(4)) == [f"slowed {THERE}"]
    assert there.per_hour == first // 2
    assert pools.refuse(address(4)) == []  # many at once are one reason
    pools.refuse(address(4), after=120)
    assert there.pause == pools.now + 120
    assert f"resumed {''}" in pools.settle(601)
    assert (there.limits, there.per_hour, there.fresh) == ("", 0, [])


def test_never_slower_than_can_be_told_from_nothing() -> None:
    pools = Pools()
    for number in (1, 2, 3):
        pools.refuse(address(number), uses=1)
    for _ in range(20):
        pools.now += 11
        pools.refuse(address(4))
    assert pools.state.pools["forge/all"].destinations[THERE].per_hour == rotate.LEAST


def test_what_definitions_no_longer_allow_leaves_at_once() -> None:
    pools = Pools()
    pools.declared = declared(fields(rule(), never=[address(3)]))
    assert pools.settle() == [f"retired {address(3)}"]
    pools.declared = declared(fields(rule(pool={"size": 2})))
    pools.settle()
    assert len(pools.members()) == 2
    pools.declared = declared(fields(rule("other/all")))
    pools.settle()
    assert pools.state.pools["forge/all"].addresses == []
    assert len(pools.state.pools["forge/all"].leaving) == 5
    rotate.left(pools.state, {}, pools.now + 61)
    pools.settle()
    assert [*pools.state.pools] == ["other/all"]


def test_pools_share_no_address() -> None:
    pools = Pools(rule("a/x", pool={"size": 50}), rule("b/x", pool={"size": 50}))
    assert len(pools.state.taken()) == 100


def test_a_destination_that_nobody_asks_is_forgotten_and_only_so_many_are_remembered() -> None:
    pools = Pools()
    pools.refuse(address(1))
    pools.settle(rotate.FORGET + 1)
    assert THERE not in pools.state.pools["forge/all"].destinations
    for number in range(rotate.DESTINATIONS + 20):
        pools.now += 1
        rotate.count(pools.state, {}, {(pools.members()[0], f"2001:db8:77::{number:x}"): 1}, pools.now)
    assert len(pools.state.pools["forge/all"].destinations) == rotate.DESTINATIONS


def test_a_state_goes_to_disk_and_comes_back() -> None:
    pools = Pools()
    pools.refuse(address(2))
    pools.settle(901)
    data = state_to_json(pools.state)
    assert state_to_json(state_from_json(data)) == data
    for broken in ({"version": 2}, {"version": 1}, {**data, "pools": []}, {**data, "names": {"x": {"a": "b"}}}):
        with pytest.raises(ValueError, match=r"state|version"):
            state_from_json(broken)


def test_what_takes_the_place_of_those_at_rest_is_replaced_as_well() -> None:
    """Whatever ends there by age or count: there is always somebody to leave from."""
    pools = Pools(rule(pool={"size": 2, "uses": 10, "rest": 86400}))
    for text in pools.members():
        pools.refuse(text)
    first = pools.members(THERE)
    assert not {*first} & {*pools.members()}
    for each in pools.state.pools["forge/all"].every():
        each.uses = 10 * (each.text in first)
    assert pools.settle(1) == [f"retired {text}" for text in first]
    later = pools.members(THERE)
    assert len(later) == 2
    assert not {*later} & {*first, *pools.members()}
    there = pools.state.pools["forge/all"].destinations[THERE]
    there.limits, there.until = "prefix", pools.now + 86400
    for each in there.extra:
        each.end = 0
    pools.settle(1)
    assert len(pools.members(THERE)) == 1, "where more are of no use"


def test_a_pool_without_addresses_lets_nothing_leave_from_elsewhere() -> None:
    known = declared(fields())
    assert rules.ruleset(known, State(), 1000.0).chains["from6_forge"] == ["drop"]
