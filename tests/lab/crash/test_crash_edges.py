"""Edges between containers that come and go with what they lead to: on real systemd, nobody innocent is stopped."""

from __future__ import annotations

import pytest

from tests.lab.crash.definitions import HEAD
from tests.lab.crash.rig import Crash, differences
from tests.lab.rig import step_numbers

DB = 'db = Container("db", "10.0.9.20", base, **small)\n'
WEB = 'web = Container("web", "10.0.9.21", base, {edge}**small)\n'
ALONE = HEAD + WEB.format(edge="") + "fleet = fleet_of(web)\n"


def both(edge: str) -> str:
    return HEAD + DB + WEB.format(edge=f'{edge}=["db"], ') + "fleet = fleet_of(db, web)\n"


@pytest.fixture(scope="module")
def alone(rig: Crash) -> Crash:
    """The host with one container, ``web``."""
    rig.restore(ALONE)
    return rig


@pytest.mark.parametrize("edge", ["after", "needs", "restart_with"])
def test_an_edge_comes_and_goes_with_its_container(alone: Crash, edge: str) -> None:
    """In order: the new container does not come up, and the edge to it goes again; it comes up; it is removed. The
    container that has the edge runs through all that."""
    rig = alone
    before, start = rig.photo(), rig.invocations()
    rig.write(both(edge))
    ready = step_numbers(rig.plan(), "container.ready container:db")[0]
    said = rig.run("apply", "--yes", fault=f"fail:{ready}")
    assert said.code == 4, said
    assert rig.invocations() == start
    assert differences(before, rig.photo()) == []

    rig.apply()
    assert rig.invocations()["web"] == start["web"]
    assert rig.differs(both(edge)) == []

    rig.write(ALONE)
    rig.apply()
    assert rig.invocations() == start
    assert rig.differs(ALONE) == []
