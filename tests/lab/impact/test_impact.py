"""What docs/impact.md says a change costs is what the plan says, and what happens: to whom, and to nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.lab.impact.cases import BATCHES, Batch
from tests.lab.impact.rig import Impact, moved
from tests.lab.rig import elsewhere

ORDER = ("none", "live", "reload", "restart_unit", "restart", "replace")
PREPARES = ("tree", "layer", "identity", "directory")  # what a container's own change speaks for


def planned(changes: list[Mapping[str, Any]], who: str) -> tuple[str, set[str]]:
    """What a plan says about a container, or the host ("")."""
    own = [c for c in changes if c["owner"] == (who or "host") and c["kind"] not in PREPARES]
    own = [c for c in own if not elsewhere(c)]
    impact = max((ORDER.index(str(c["impact"])) for c in own), default=0)
    if not who:
        return ORDER[impact], {str(c["kind"]) for c in own}
    return ORDER[impact], {str(f["field"]).partition(".")[0] for c in own for f in c["fields"]}


@pytest.mark.parametrize("batch", BATCHES, ids=[batch.name for batch in BATCHES])
def test_the_rules(rig: Impact, batch: Batch) -> None:
    for case in batch.cases:
        case.before(rig)
    before = rig.look()
    done = rig.change(*(edit for case in batch.cases for edit in case.edits))
    after = rig.look()
    by_who = {who: [c for c in batch.cases if c.who == who] for who in {*(c.who for c in batch.cases), *before, *after}}
    for who, cases in by_who.items():
        impact = ORDER[max((ORDER.index(case.impact) for case in cases), default=0)]
        fields = {field for case in cases for field in case.fields}
        assert planned(done["plan"]["changes"], who) == (impact, fields), who or "host"
        if who in batch.gone | batch.new:
            continue
        anew = after[who]["start"] != before[who]["start"]
        assert anew == (impact == "restart"), f"{who or 'host'}: {'restarted' if anew else 'went on'}"
        if not anew:
            assert moved(before, after, who) == {unit for case in cases for unit in case.units}, who or "host"
    assert set(before) - set(after) == batch.gone
    assert set(after) - set(before) == batch.new
    for case in batch.cases:
        case.look(rig)
    assert rig.left() == [], "a second plan is empty"
