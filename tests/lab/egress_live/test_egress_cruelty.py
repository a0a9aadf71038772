"""Kills, power cuts, and changes that do harm: the rules are whole, and what comes in is answered.

EYAS_FULL=1 does ten times as many kills and five times as many cuts.
"""

from __future__ import annotations

import random

import pytest

from tests.lab.egress_live.rig import ACT, Live
from tests.lab.rig import FULL

KILLS = 100 if FULL else 10
CUTS = 10 if FULL else 2
SERVICE = "eyas-egress.service"


def whole(live: Live) -> None:
    """Whoever died: rules are there, in and out work; and after the next look all is as it should be."""
    now = live.whole()  # which fails for a state that cannot be read
    assert now["chains"] > 8
    live.answers()
    live.act("tick")
    now = live.whole()
    assert (now["same"], now["boot"], now["held"]) == (True, True, False)
    assert sorted(len(addresses) for addresses in now["pools"].values()) == [4, 8, 8, 16, 64]
    assert live.leaves() in now["pools"]["forge/all"]


@pytest.mark.parametrize("who", ["rotation", "service"])
def test_kills(live: Live, who: str) -> None:
    for _ in range(KILLS // 2):
        after = random.uniform(0.2, 1.2)
        if who == "rotation":
            alone = random.choice([["--foreground"], []])  # it, or all that it has started as well
            argv = ["timeout", *alone, "--signal=KILL", f"{after:.3f}", "python3", "-c", ACT, "rotate", "100"]
            assert live.host.execute("setsid", "--wait", *argv).code in (-9, 124, 137)
        else:
            live.act("old")
            kill = f"systemctl start {SERVICE}; sleep {after:.3f}; systemctl kill --signal=KILL {SERVICE}"
            live.host.execute("sh", "-c", kill)
        print(f"{who} killed after {after:.3f} s")
        whole(live)


def test_power_cuts(live: Live) -> None:
    for _ in range(CUTS):
        command = ("python3", "-c", ACT, "rotate", "1000")
        with live.background("host", *command) as process:
            assert process.stdout is not None
            for _ in range(random.randint(1, 4)):
                process.stdout.readline()
            live.host.cut()
        live.host.boot()
        live.host.wait_until(lambda: live.names() == ["forge", "mirror", "web"], "all containers run", 120)
        live.host.wait_until(lambda: live.answers() is None, "what comes in is answered", 60)
        live.host.wait_until(lambda: live.leaves() != "", "what goes out is", 60)
        whole(live)


def test_after_a_boot_addresses_are_answered_for_before_anybody_looks(live: Live) -> None:
    """The rules are loaded before the network is up: the first connection of a container may leave from a pool."""
    late = f"/etc/systemd/system/{SERVICE}.d/late.conf"
    script = f"mkdir -p $(dirname {late}); printf '[Unit]\nConditionPathExists=/run/late\n' >{late}; sync"
    live.host.succeed("sh", "-c", script)
    try:
        live.host.cut()
        live.host.boot()
        live.host.wait_until(lambda: "forge" in live.names(), "the container runs", 120)
        now = live.whole()
        wanted = [each for pools in (now["pools"], now["leaving"]) for pool in pools.values() for each in pool]
        assert now["mode"] == "on-link"
        assert sorted(now["answering"]) == sorted(wanted)
        live.host.wait_until(lambda: live.leaves() in now["pools"]["forge/all"], "it leaves from its pool", 60)
    finally:
        live.host.succeed("sh", "-c", f"rm -r $(dirname {late}); systemctl daemon-reload")
    whole(live)


@pytest.mark.parametrize("how", ["lie", "break"])
def test_a_change_that_does_harm_is_taken_back(live: Live, how: str) -> None:
    before = live.whole()
    with live.vantage():
        live.act("rotate", "1", "mirror/all")
        live.host.succeed("sh", "-c", f"printf {how} >/run/vantage")
        said = live.run("egress", "rotate", "forge/all")
        assert said.code != 0
        assert "cannot change pools: after a change of pools this did not answer any more: " in said.err
        assert ("nobody is there" if how == "lie" else "timed out") in said.err
        live.host.succeed("rm", "-f", "/run/vantage")
        live.answers()
        now = live.whole()
        assert now["pools"]["forge/all"] == before["pools"]["forge/all"]
        assert now["held"]
        assert live.leaves() in now["pools"]["forge/all"]
        assert live.history("restored")[0] == live.egress()["history"][0]
        assert "taken back" in str(live.egress()["warnings"])
        assert "taken back" in live.run("egress", "rotate").err
        live.act("release")
        live.act("rotate", "1")
    live.answers()
    after = live.whole()
    assert after["same"]
    assert not {*after["pools"]["forge/all"]} & {*before["pools"]["forge/all"]}
