"""How far a builder gets by a cache that leaves from a pool, where single addresses are limited."""

from __future__ import annotations

import pytest

from eyas.lab.upstream import Upstream
from tests.lab.sources.cached import URL, Cached

COUNT, LIMIT = 1000, 20


@pytest.mark.long
def test_a_thousand_fetches_by_a_cache_all_succeed(cache: Cached, up: Upstream) -> None:
    """Nobody tells of a refusal but the cache, and nobody tries again but the cache."""
    cache.edit("ceiling=200", "ceiling=5000")
    cache.apply()
    try:
        up.set("pool.example.net", limit=LIMIT, ban=3600)
        many = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n")
        said = cache.succeed("forge", *many, f"{URL}/http/pool.example.net/files/[1-{COUNT}]", timeout=600).split()
        counts, refused = up.counts("pool.example.net"), up.counts("pool.example.net", "refused")
        print(f"{COUNT} fetches from {len(counts)} addresses, {sum(refused.values())} refused")
        failed = [(number, status) for number, status in enumerate(said, 1) if status != "200"]
        assert not failed, cache.succeed("cache", "journalctl", "-t", "source_cache_asked", "-n", "40", "--no-pager")
        assert len(said) == COUNT
        assert len(counts) >= COUNT / LIMIT
    finally:
        cache.undo_edits()
