"""Edges that come and go with what they lead to: nobody is stopped along with a container that it no longer needs."""

from __future__ import annotations

from typing import Any

import pytest

from eyas.model import Bridge, Container, Host, Image, Uplink
from tests.property.fleets import resources
from tests.property.test_converge import Ground, fast_folder, same, seen

PLAIN = Image.debian(name="plain")


def host(*containers: Container) -> Host:
    return Host("h", Uplink("eth0", "203.0.113.2/24"), Bridge("br0", "10.0.5.1/24"), containers)


def pair(edge: str) -> tuple[Any, Any]:
    """(with it, without it): a container with an edge to another, and alone."""
    db = Container("db", "10.0.5.10", PLAIN)
    both = host(db, Container("web", "10.0.5.11", PLAIN, **{edge: ["db"]}))  # type: ignore[arg-type]
    return resources(both), resources(host(Container("web", "10.0.5.11", PLAIN)))


@pytest.mark.parametrize("edge", ["after", "needs", "restart_with"])
def test_an_edge_goes_with_its_container(edge: str) -> None:
    with fast_folder() as folder:
        ground, (both, alone) = Ground(folder), pair(edge)
        ground.reach(both)
        web = ground.world.running()["web"]
        outcome = ground.reach(alone)
        assert outcome.proved == ("web",)
        assert ground.world.running() == {"web": web}


@pytest.mark.parametrize("edge", ["after", "needs", "restart_with"])
def test_an_edge_comes_with_its_container_and_goes_when_that_does_not_come_up(edge: str) -> None:
    with fast_folder() as folder:
        ground, (both, alone) = Ground(folder), pair(edge)
        ground.reach(alone)
        before, web = seen(ground.world), ground.world.running()["web"]
        steps = [f"{step.kind}.{step.verb} {step.id}" for step in ground.plan(both).steps]
        outcome = ground.apply(both, f"fail:{steps.index('container.ready container:db')}")
        assert outcome.result == "undone"
        assert ground.world.running() == {"web": web}
        same(before, seen(ground.world))
