"""Which new roots are proved first, and what the scratch container has of the one that it stands for."""

from __future__ import annotations

from typing import Any

import pytest

from eyas.core.words import Action, Change, Impact, Reason, Resource
from eyas.kind import KINDS
from eyas.kind.container import canary
from eyas.kind.container.text import words
from tests.unit.test_kind_container_compare import RUNNING, resource, row

PROOF = {"/usr/local/lib/eyas/proofs/docker": row("1"), "/usr/local/lib/eyas/other": row("1")}
DATA: dict[str, Any] = {
    "source": "/srv/dock", "target": "/var/lib/docker", "persistent": True, "owner": 0, "group": 0, "mode": 0o711,
}  # fmt: skip


def changed(want: Resource, have: Resource) -> Change:
    fields = tuple(KINDS["container"].compare(want, have))
    impact = max((field.impact for field in fields), default=Impact.none)
    return Change("container:web", "container", "web", Action.update, impact, Reason.differs, "", fields)


def proved(want: Resource, have: Resource) -> list[str]:
    """What the steps of a change prove."""
    steps = KINDS["container"].steps(changed(want, have), want, have)
    return [name for step in steps if step.verb == "prove" for name in words(step.args["proofs"])]


@pytest.mark.parametrize(
    ("want", "have", "names"),
    [
        ({"tree": "new"}, RUNNING, ["docker"]),
        ({"tree": "new", "root_size": 1}, RUNNING, ["docker"]),
        ({"root_size": 1}, RUNNING, []),  # the packages are the same
        ({"tree": "new"}, {"active": "inactive"}, []),  # nobody has anything to lose
        ({"tree": "new", "files": {}}, RUNNING, []),
    ],
)
def test_new_packages_are_proved_where_there_is_a_proof(want: Any, have: Any, names: list[str]) -> None:
    wanted = resource(**{"files": PROOF, **want})
    assert proved(wanted, resource(have, files=PROOF)) == names


def test_one_that_runs_twice_is_its_own_proof() -> None:
    more = {"stateless": True, "beside": {"address4": "100.64.0.2/32", "machine_id": "f" * 32}, "files": PROOF}
    want, have = resource(tree="new", **more), resource(RUNNING, **more)
    assert changed(want, have).impact is Impact.beside
    assert proved(want, have) == []


def test_it_is_said_and_done_before_anything_else() -> None:
    want, have = resource(tree="new", files=PROOF), resource(RUNNING, files=PROOF)
    change = changed(want, have)
    assert change.fields[0].note.endswith("proved first in a scratch container (docker)")
    kind: Any = KINDS["container"]
    steps = [step.verb for step in kind.at_boot(change, want, have)]
    assert steps[0] == "prove"
    phases = {step.verb: step.phase for step in kind.steps(change, want, have)}
    assert phases["prove"] < min(phase for verb, phase in phases.items() if verb not in ("prove", "settle"))


def test_it_has_nothing_of_the_place_and_the_data_of_its_container() -> None:
    of = resource(grants=["docker"], limits={"memory_max": 1 << 30}, binds=[DATA], files=PROOF).fields
    spec = canary.scratch_spec(of)
    text = canary.unit_text(spec, of)
    assert "--private-network" in text
    assert "--network-bridge" not in text
    assert "/srv/dock" not in text
    assert "--bind=/var/lib/eyas/scratch/eyas.canary-web/0:/var/lib/docker:idmap" in text
    assert f"--private-users={65536 * 8191}:65536" in text
    assert '"--system-call-filter=add_key keyctl"' in text
    assert "MemoryMax=1073741824" in text
    assert str(of["machine_id"]) not in text
    env = canary.env_text(spec, of)
    assert str(of["machine_id"]) not in env
    assert str(of["address4"]) not in env.partition("READDRESS")[2]


def test_its_name_is_one_that_machined_takes() -> None:
    assert canary.machine("web") == "eyas.canary-web"
    long = [canary.machine("a" * 60 + end) for end in "xy"]
    assert max(len(name) for name in long) <= 64
    assert len({*long}) == 2
