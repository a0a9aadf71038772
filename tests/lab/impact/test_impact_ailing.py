"""A unit that is ill already, or from its first start: people are told of it, and a change is not undone for it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.impact.rig import Impact

UNIT = "other.service"
NEW = """\
delta = Container(
    "delta", "10.0.9.40", base,
    units={"broken.service": service("sh -c 'echo the dog ate it; exit 3'", "Type=oneshot")},
    root=Root(size="32M"),
    **few,
)

fleet = Fleet("""


@pytest.fixture
def beta(rig: Impact) -> Iterator[Impact]:
    """A container in which a unit has failed, and cannot start as things are."""
    rig.restore()
    rig.inside("beta", "mkdir", "-p", f"/run/systemd/system/{UNIT}.d")
    guard = "[Service]\nExecStartPre=sh -c '[ -e /run/well ] || { echo no well; exit 1; }'\n"
    rig.succeed("beta", "tee", f"/run/systemd/system/{UNIT}.d/guard.conf", input=guard)
    rig.inside("beta", "systemctl", "daemon-reload")
    rig.fail("beta", "systemctl", "restart", UNIT)
    yield rig
    rig.restore()
    rig.inside("beta", "rm", "-rf", f"/run/systemd/system/{UNIT}.d", "/run/well")
    rig.inside("beta", "systemctl", "daemon-reload")
    rig.inside("beta", "systemctl", "restart", UNIT)


def state(rig: Impact) -> str:
    return rig.execute("beta", "systemctl", "is-active", UNIT).text


def test_one_that_had_failed_before_is_tried_and_told(beta: Impact) -> None:
    beta.edit('File("one", reload=', 'File("two", reload=')
    failing = next(n for n, step in enumerate(beta.plan()["steps"]) if step["verb"] == "live") + 1
    said = beta.settled("apply", "--yes", fault=f"fail:{failing}")
    assert said.code == 4, f"undone, and nobody is stuck: {said}"
    assert state(beta) == "failed"
    said = beta.settled("apply", "--yes")
    assert said.code == 0, said
    assert f"{UNIT} in beta failed" in said.err
    assert "as before this change" in said.err
    assert "no well" in said.err, "with what it said last"
    newest = json.loads(beta.eyas("history", "--json"))["runs"][0]
    assert f"{UNIT} in beta failed" in newest["warnings"][0]
    shown = beta.eyas("history", newest["run"])
    assert f"warning    {UNIT} in beta failed" in shown
    assert "no well" in shown
    assert "1 warning" in beta.eyas("history").splitlines()[1]
    assert state(beta) == "failed"
    beta.inside("beta", "touch", "/run/well")
    beta.edit('File("two", reload=', 'File("three", reload=')
    said = beta.settled("apply", "--yes")
    assert (said.code, "warning" in said.err) == (0, False), said
    assert state(beta) == "active", "what was mended runs again"


def test_one_that_fails_at_its_first_start_is_told(rig: Impact) -> None:
    rig.restore()
    rig.edit("fleet = Fleet(", NEW)
    rig.edit("[alpha, beta, gamma]", "[alpha, beta, gamma, delta]")
    said = rig.settled("apply", "--yes")
    assert said.code == 0, said
    assert "warning: broken.service in delta failed (exit-code)" in said.err, said
    assert "the dog ate it" in said.err
    rig.restore()
