"""One lab with a cache of sources and a builder that uses it, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyas.lab.upstream import Site, Upstream
from tests.lab.rig import lab_of
from tests.lab.sources.cached import Cached

caches = lab_of(Cached, "sources")

SITES = (
    Site(),
    Site("six.example.net", families="6"),
    Site("four.example.net", families="4"),
    Site("pool.example.net"),
)


@pytest.fixture(scope="package")
def ups(caches: Cached) -> Iterator[Upstream]:
    with caches.upstream(*SITES) as up:
        yield up


@pytest.fixture
def cache(caches: Cached, ups: Upstream) -> Cached:
    """A cache that has nothing and remembers nothing, and an upstream without limits."""
    for site in SITES:
        ups.set(site.name, limit=0, answer=0, delay=0, refusal="429", retry_after=True, by="address")
    ups.forget()
    caches.undo_edits()
    caches.empty()
    return caches


@pytest.fixture
def up(ups: Upstream, cache: Cached) -> Upstream:
    return ups
