"""A plan for some of the containers does those, and leaves the others and the host as they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyas.apply.run import apply
from eyas.core.errors import UsageError
from eyas.kind import observe
from eyas.model import Host
from eyas.plan.part import HOST, part
from tests.property.fleets import NAMES, hosts, resources
from tests.property.test_converge import FAST, Ground, fast_folder, same, seen


@FAST
@given(hosts(), hosts(), st.sets(st.sampled_from((*NAMES, HOST)), min_size=1))
def test_a_part_is_done_and_the_rest_is_left(one: Host, two: Host, names: set[str]) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(resources(one))
        world, wanted = ground.world, resources(two)
        before, photo = world.running(), seen(world)
        actual = observe(world)
        try:
            made = part(wanted, actual, resources(one), "h", names)
        except UsageError:  # the rules of the firewall name a container that would go
            return
        whole = {change.id for change in ground.plan(wanted).changes}
        done = {change.id for change in made.plan.changes}
        assert whole <= done | {left.id for left in made.left}
        partners = {c.owner for c in made.plan.changes if any(f.field == "restart_with" for f in c.fields)}
        strangers = {c.owner for c in made.plan.changes if c.kind in ("container", "layer")} - names
        assert strangers <= partners
        outcome = apply(made.plan, made.desired, world, ground.runs, threads=False)
        if outcome.result == "undone":  # it asked for what another one has: an address that only all together free
            same(photo, seen(world))
            return
        assert outcome.result == "kept", (outcome.error, outcome.hands)
        assert not outcome.disturbed
        after = world.running()
        assert {name for name in before if after.get(name) != before[name]} <= {*outcome.restarts, *outcome.replaced}
        again = ground.plan(made.desired)
        assert not again.changes, [c.to_json() for c in again.changes]
        ground.reach(wanted)


@FAST
@given(hosts(), hosts())
def test_all_parts_are_the_whole(one: Host, two: Host) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(resources(one))
        wanted, actual = resources(two), observe(ground.world)
        made = part(wanted, actual, resources(one), "h", {*NAMES, HOST})
        whole = ground.plan(wanted)
        assert [s.to_json() for s in made.plan.steps] == [s.to_json() for s in whole.steps]
        assert made.left == ()


def test_eyas_knows_its_own_units() -> None:
    from eyas.cli.support import support
    from eyas.core import paths

    assert {*support()[1]} == {*paths.BOOT_UNITS}
