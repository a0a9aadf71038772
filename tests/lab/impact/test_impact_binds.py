"""Binds of a running container when things are not as simple: eyas dies on the way, the kernel has locked them."""

from __future__ import annotations

from tests.lab.impact.rig import Impact

FREE = 'files={"/etc/other.conf"'
MORE = (
    'binds=[Bind("/srv/killed", "/killed/deep"), Bind("/etc/hostname", "/etc/killed", readonly=True)], '
    'files={"/etc/killed.conf": "x", "/etc/other.conf"'
)


def test_binds_of_a_run_that_was_killed_go_again(rig: Impact) -> None:
    before = rig.look()
    rig.edit(FREE, MORE)
    steps = rig.plan()["steps"]
    number = next(n for n, step in enumerate(steps) if (step["verb"], step["id"]) == ("live", "container:beta"))
    assert rig.run("apply", "--yes", fault=f"kill-after-do:{number}").code != 0
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
    assert rig.left() == []


ONE = 'binds=[Bind("/srv/one", "/bound"), Bind("/etc/hostname", "/etc/bound")], files={"/etc/other.conf"'
TWO = 'binds=[Bind("/srv/two", "/bound"), Bind("/etc/hosts", "/etc/bound")], files={"/etc/other.conf"'


def test_a_bind_of_the_start_changes_and_goes_wholly(rig: Impact) -> None:
    """The kernel has locked it: the new one is above it, and when that goes, the old one is not to be seen again."""
    rig.change((FREE, ONE))
    rig.switch("restart", "beta")
    rig.change((ONE, TWO))
    rig.look()
    assert (rig.bound("beta", "/bound"), rig.bound("beta", "/etc/bound")) == (["/srv/two", "rw"], ["/etc/hosts", "rw"])
    rig.change((TWO, FREE))
    rig.look()
    assert (rig.bound("beta", "/bound"), rig.bound("beta", "/etc/bound")) == (None, None)
    assert rig.inside("beta", "cat", "/etc/bound") == ""
    assert rig.left() == []
