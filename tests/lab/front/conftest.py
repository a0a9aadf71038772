"""One lab with a front, for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyas.lab import down
from tests.lab.front.fronts import Fronts, copy


@pytest.fixture(scope="package")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronts]:
    """The fleet, applied. Tests leave it as they found it: definitions as in the folder ``fleet``."""
    fronts = Fronts(copy(tmp_path_factory.mktemp("front") / "fleet"))
    try:
        said = fronts.run("lab", "up", timeout=1800)
        assert said.code == 0, said.err
        fronts.apply(timeout=1800)
        fronts.ca.write_text(fronts.host.succeed("cat", "/srv/acme/ca/ca.crt"))
        yield fronts
    finally:
        down(fronts.directory)


@pytest.fixture(autouse=True)
def as_found(fronts: Fronts) -> Iterator[None]:
    """A test that fails on its way does not spoil the next one."""
    yield
    fronts.restore()
