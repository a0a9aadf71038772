"""New files of a running container, tried beside the old ones: what is put there, and what a no means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from eyas.core.errors import Failed
from eyas.core.system import Entry
from eyas.kind.container.trial import PLACE, try_all
from eyas.model import File, Unit
from tests.property.test_converge import Ground, fast_folder
from tests.unit.test_kind_chain import APP, one, wanted

TRY = {"eyas-try-app.service": Unit("[Service]\nType=oneshot\nExecStart=/bin/try\n", enable=False)}
HERE = f"{PLACE}/app.service"


@pytest.fixture
def ground() -> Iterator[Ground]:
    with fast_folder() as folder:
        yield Ground(folder)


def fleet(words: str, **more: Any) -> Any:
    hook = ["app.service"]
    files = {"/etc/app/one": File(words, reload=hook), "/etc/app/two": File("two", reload=hook)}
    return wanted(one("a", 10, units={**APP, **TRY}, files=files | more.get("files", {})))


def tried(ground: Ground, target: Any) -> dict[str, Entry | None]:
    """What is put into the container for the look."""
    ground.world.containers.edited.clear()
    ground.world.units.inside.clear()
    try_all(ground.world, ground.plan(target))
    return ground.world.containers.edited.get("a", {})


def test_what_changes_is_put_beside_and_looked_at(ground: Ground) -> None:
    ground.reach(fleet("one"))
    new = {"/etc/key": File("secret"), "/etc/app/three": File("three", reload=["app.service"])}
    put = tried(ground, fleet("other", files=new))
    data = {path.removeprefix(HERE): entry.data.decode() for path, entry in put.items() if entry is not None}
    assert data == {
        "/root/etc/app/one": "other",
        "/root/etc/app/three": "three",
        "/root/etc/key": "secret",
        "/list": "put /etc/app/one\nput /etc/app/three\nput /etc/key\n",
    }
    assert ("a", "start", "eyas-try-app.service") in ground.world.units.inside


def test_what_goes_is_said(ground: Ground) -> None:
    ground.reach(fleet("one", files={"/etc/app/three": File("three", reload=["app.service"])}))
    put = tried(ground, fleet("one"))
    listing = put[f"{HERE}/list"]
    assert listing is not None
    assert listing.data == b"drop /etc/app/three\n"


def test_nobody_looks_where_nobody_reloads(ground: Ground) -> None:
    ground.reach(fleet("one"))
    assert tried(ground, fleet("one", files={"/etc/motd": File("hello")})) == {}


def test_a_no_is_an_error_with_its_reason(ground: Ground) -> None:
    ground.reach(fleet("one"))
    inner = ground.world.units.start

    def start(units: Any, **more: Any) -> None:
        inner(units, **more)
        if more.get("machine"):
            raise Failed("it says no")

    ground.world.units.start = start  # type: ignore[method-assign]
    try_all(ground.world, ground.plan(fleet("other")))  # it could not look: the reload will tell
    ground.world.containers.inside["a", f"{HERE}.said"] = Entry(f"{HERE}.said", "file", 0o644, data=b"no such\nword\n")
    with pytest.raises(Failed, match=r"cannot use the new files of app\.service in a: no such word"):
        try_all(ground.world, ground.plan(fleet("other")))
