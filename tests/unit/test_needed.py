"""A gc of one fleet leaves what another needs, also while that one is at its build."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from eyas import image
from eyas.cli import evaluate, needed
from tests.unit.test_image import image as recipe
from tests.unit.test_image import lock_for


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EYAS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("EYAS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "fleet"
    folder.mkdir()
    (folder / "fleet.py").touch()
    return folder


def test_a_fleet_is_known_before_it_looks_for_its_images(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web = recipe("web", "nginx")
    definitions = evaluate.Definitions(fleet, cast("Any", None), (), {("host", "web"): web})
    seen = []

    def build(*_: object) -> dict[str, image.Built]:
        seen.append(needed.by_others())
        return {}

    monkeypatch.setattr(image, "build", build)
    evaluate.build(definitions, lock_for(web), 1, lambda _: None)
    assert seen == [needed.keys([web], lock_for(web))]
    assert image.key(web, lock_for(web)) in seen[0]


def test_what_a_fleet_that_is_gone_needed_is_needed_no_more(fleet: Path) -> None:
    web = recipe("web", "nginx")
    needed.note(fleet, [web], lock_for(web))
    assert needed.by_others()
    (fleet / "fleet.py").unlink()
    assert needed.by_others() == set()


def test_nobody_becomes_known_between_the_look_and_the_removal(fleet: Path) -> None:
    web = recipe("web", "nginx")
    late = threading.Thread(target=needed.note, args=(fleet, [web], lock_for(web)))
    with needed.locked():
        late.start()
        late.join(0.2)
        assert needed.by_others() == set()
    late.join()
    assert needed.by_others()
