"""A builder that needs a thousand files of somebody who gives each address twenty, and then nothing for an hour."""

from __future__ import annotations

from collections import Counter

import pytest

from eyas.lab.testing import retry
from eyas.lab.upstream import Upstream
from tests.lab.sources.cached import URL, Cached

pytestmark = pytest.mark.long

MANY, LIMIT = 1000, 20
CURL = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n")
SOURCES = f"""\
source=() sha256sums=()
for n in $(seq {MANY}); do
    source+=("f$n::https://pool.example.net/files/f$n?size=100")
    sha256sums+=(SKIP)
done
package() {{ install -D "$srcdir/f{MANY}" "$pkgdir/usr/share/many"; }}
"""


def test_all_of_them_come_and_no_refused_address_asks_on(cache: Cached, up: Upstream) -> None:
    """Without a pool twenty do. Who wants them again asks nobody."""
    cache.edit("ceiling=200", "ceiling=5000")
    cache.apply()
    cache.empty()
    up.set("pool.example.net", limit=LIMIT, ban=3600)
    alone = (*CURL, f"http://pool.example.net/files/x[1-{MANY}]")
    assert Counter(cache.succeed("forge", *alone, timeout=120).split()) == {"200": LIMIT, "429": MANY - LIMIT}
    up.forget()
    with cache.queued(SOURCES) as build:
        retry(lambda: build() not in ("waiting", "running"), "the build is over", 900, pause=2)
        assert (build(), build("delays")) == ("published", "0"), build("why")
    log = up.log("pool.example.net")
    answered = [row.path for row in log if row.status == 200]
    assert len(answered) == len(set(answered)) == MANY
    refused = Counter(row.source for row in log if row.status == 429)
    print(f"addresses: {len({row.source for row in log})}; refused: {len(refused)}, {sum(refused.values())} times")
    assert sum(refused.values()) <= 2 * len(refused), "an address that was refused rests there"
    again = (*CURL, f"{URL}/https/pool.example.net/files/f[1-{MANY}]?size=100")
    assert Counter(cache.succeed("forge", *again, timeout=120).split()) == {"200": MANY}
    assert len(up.log("pool.example.net")) == len(log), "it is all there"
