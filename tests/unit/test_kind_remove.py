"""What goes with a container that is removed, and comes back when that is undone."""

from __future__ import annotations

from eyas.core import paths
from eyas.core.words import Phase, Step
from eyas.kind.container.disk import remove
from tests.unit.test_kind_container_text import spec
from tests.world import World


def test_losses_that_were_told_go_with_the_container() -> None:
    world = World()
    told = paths.accepted("web")
    world.files.write(told, b"{}", 0o600)
    todo = Step("container", "remove", "container:web", Phase.remove, {"spec": spec(name="web")})
    saved = remove.save(world, todo, f"{paths.RUNS}/r/saved/1")
    remove.do(world, todo, saved)
    assert world.files.read(told) is None
    remove.undo(world, todo, saved)
    assert world.files.read(told) == b"{}"
