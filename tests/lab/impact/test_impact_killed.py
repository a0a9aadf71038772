"""eyas dies after it has changed binds of a running container, before it could note that: recovery takes it back."""

from __future__ import annotations

import json

import pytest

from tests.lab.impact.rig import Rig

FREE = 'files={"/etc/other.conf"'
MORE = (
    'binds=[Bind("/srv/killed", "/killed/deep"), Bind("/etc/hostname", "/etc/killed", readonly=True)], '
    'files={"/etc/killed.conf": "x", "/etc/other.conf"'
)


def test_binds_of_a_run_that_was_killed_go_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rig.look()
    rig.edit(FREE, MORE)
    steps = json.loads(rig.eyas("plan", "--json"))["steps"]
    number = next(n for n, step in enumerate(steps) if (step["verb"], step["id"]) == ("live", "container:beta"))
    monkeypatch.setenv("EYAS_FAULT", f"kill-after-do:{number}")
    assert rig.run("apply", "--yes").code != 0
    monkeypatch.delenv("EYAS_FAULT")
    rig.look()
    assert rig.bound("beta", "/killed/deep") == ["/srv/killed", "rw"]
    rig.eyas("recover")
    after = rig.look()
    assert after["beta"]["start"] == before["beta"]["start"]
    assert after["beta"]["mounts"] == before["beta"]["mounts"]
    for path in ("/killed", "/etc/killed", "/etc/killed.conf"):
        rig.fail("beta", "test", "-e", path)
    assert rig.host.execute("test", "-e", "/srv/killed").code != 0, "made for it, and empty"
    rig.edit(MORE, FREE)
    assert rig.plan() == []
