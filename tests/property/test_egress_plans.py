"""Whatever happens to pools: they have their size, share nothing, never hold what is somebody's, and a kill at any act
leaves rules that are whole."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.core import paths
from eyas.core.egress import Translated
from eyas.core.errors import EyasError
from eyas.kind.egress import store
from eyas.kind.egress.declared import declared
from eyas.kind.egress.report import Report
from eyas.kind.egress.service import answer, take, tick
from eyas.kind.egress.state import State
from tests.egress import fields, rule
from tests.world import Killed, World

PLACES = ("2001:db8:77::1", "2001:db8:77::2", "2001:db8:88::1")
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["tick", "rotate", "refuse", "use", "boot", "deaf", "size"]),
        st.integers(0, 3),
        st.sampled_from(PLACES),
        st.one_of(st.none(), st.integers(0, 8)),
    ),
    max_size=30,
)


@settings(max_examples=80, deadline=None)
@given(ACTS, st.sampled_from(["routed", "on-link"]))
def test_pools_after_whatever_happened(acts: list[tuple[str, int, str, int | None]], mode: str) -> None:
    world, now, sizes = World(), 1_700_000_000.0, [4, 4]
    world.egress.mode = (mode, "it was seen")
    _declare(world, sizes)
    tick(world, now)
    for what, number, place, fuse in acts:
        now += 7
        world.fuse.left = fuse
        with suppress(Killed, EyasError):
            _act(world, what, number, place, now, sizes)
        world.fuse.left = None
        world.egress.deafening, world.egress.deaf = False, set()
        now += 700  # beyond any pause after a change that was taken back
        _declare(world, sizes)
        tick(world, now)
        _whole(world, sizes, now)


def _declare(world: World, sizes: list[int]) -> None:
    some = [
        rule(f"c{n}/x", sources6=[f"fd00:5::{n + 1}"], pool={"size": size, "rest": 60}) for n, size in enumerate(sizes)
    ]
    world.files.write(paths.EGRESS_DECLARED, store.encoded(fields(*some)))


def _act(world: World, what: str, number: int, place: str, now: float, sizes: list[int]) -> None:
    state = store.read(world)
    name = f"c{number % 2}/x"
    member = state.pools[name].members(place, now)[number % len(state.pools[name].members(place, now))]
    match what:
        case "tick":
            tick(world, now)
        case "rotate":
            answer(world, "rotate", [name], now)
        case "refuse":
            world.egress.made = [Translated(f"fd00:5::{number % 2 + 1}", 4000, place, 443, member, 0)]
            take(world, [Report(name.partition("/")[0], place, 429)], now)
        case "use":
            used = world.egress.sets.setdefault("used", {})
            used[(member, place)] = used.get((member, place), 0) + 25
            tick(world, now)
        case "boot":
            world.files.remove(store.PRINT)
            world.egress.proxied, world.egress.sets = set(), {}
            tick(world, now)
        case "deaf":
            world.egress.deafening = True
            answer(world, "rotate", [name], now)
        case "size":
            sizes[number % 2] = 1 + number * 2
            _declare(world, sizes)
            tick(world, now)


def _whole(world: World, sizes: list[int], now: float) -> None:
    state: State = store.read(world)
    network = declared(fields()).network
    assert network is not None
    every = [each.text for pool in state.pools.values() for each in pool.every()]
    assert len(every) == len(set(every))
    assert not set(every) & world.egress.addresses
    for number, size in enumerate(sizes):
        pool = state.pools[f"c{number}/x"]
        assert len(pool.addresses) == size
        for place in PLACES:
            members = pool.members(place, now)
            there = pool.destinations.get(place)
            assert members
            assert len(members) >= size or (there is not None and there.limits)
    assert all(text in world.egress.text for pool in state.pools.values() for text in pool.members("", now))
    assert (world.files.read(paths.EGRESS_RULES) or b"").decode().endswith(world.egress.text)
    if state.mode == "on-link":
        assert world.egress.proxied >= set(every)
