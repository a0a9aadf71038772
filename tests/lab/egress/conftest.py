"""One lab for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyas.lab.upstream import Upstream
from tests.lab.egress.rig import SITES, Egress
from tests.lab.rig import lab_of

egresses = lab_of(Egress, "egress")


@pytest.fixture(scope="package")
def sites(egresses: Egress) -> Iterator[Upstream]:
    with egresses.upstream(*SITES) as made:
        egresses.wait_names()
        yield made


@pytest.fixture
def up(sites: Upstream) -> Upstream:
    """Sites as they are declared, that remember nobody."""
    for site in SITES:
        sites.set(site.name, limit=0)
    sites.forget()
    return sites


@pytest.fixture
def out(egresses: Egress) -> Egress:
    egresses.undo_edits()
    return egresses
