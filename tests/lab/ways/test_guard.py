"""What may cut the operator's connection goes back by itself, unless a fresh connection confirms it. On a real host."""

from __future__ import annotations

import signal
import time

import pytest

from eyas.lab.testing import retry
from tests.lab.rig import hand_on
from tests.lab.ways.rig import Ways

WITHIN = 2  # seconds
CUT = {"fin": "40", "ports": "[]"}  # a kernel setting, and a forward that goes


def state(ways: Ways) -> tuple[str, bool]:
    """What counts in the kernel: the setting, and whether there is the forward."""
    rules = ways.host.succeed("nft", "list", "table", "inet", "eyas")
    return ways.host.succeed("cat", "/proc/sys/net/ipv4/tcp_fin_timeout").strip(), "8010" in rules


BEFORE, AFTER = ("50", True), ("40", False)


def timers(ways: Ways) -> str:
    return ways.host.execute("systemctl", "list-units", "--all", "--no-legend", "--plain", "eyas-guard*").text


def undone(ways: Ways) -> bool:
    return not ways.open_run() and ways.last()["result"] == "undone"


def test_a_fresh_connection_confirms(ways: Ways) -> None:
    ways.change(**CUT)
    said = ways.run("apply", "--yes", "--confirm-within", "20")
    assert said.code == 0, said
    assert "May cut your connection (the firewall, kernel setting net.ipv4.tcp_fin_timeout)" in said.err
    assert state(ways) == AFTER
    assert timers(ways) == ""
    assert said.seconds < 20


def test_without_one_the_host_goes_back(ways: Ways) -> None:
    ways.change(**CUT)
    with hand_on(ways.start("apply", "--yes", "--confirm-within", str(WITHIN), fault="unconfirmed")) as process:
        retry(lambda: state(ways) == AFTER, "the new rules are there", 20, pause=0.05)
        assert "eyas-guard-" in timers(ways)
        said = ways.end(process)
    assert said.code == 4, said
    assert f"no fresh connection confirmed within {WITHIN} s" in said.err
    assert state(ways) == BEFORE
    assert undone(ways)
    assert ways.left() == []
    retry(lambda: timers(ways) == "", "no timer is left", 20)


@pytest.mark.parametrize("who", ["agent", "operator"])
def test_killed_right_after_the_switch_the_host_goes_back_by_itself(ways: Ways, who: str) -> None:
    ways.change(**CUT)
    fault = "kill:confirm" if who == "agent" else "unconfirmed"
    with hand_on(ways.start("apply", "--yes", "--confirm-within", str(WITHIN), fault=fault)) as process:
        retry(lambda: state(ways) == AFTER, "the new rules are there", 20, pause=0.02)
        if who == "operator":
            process.send_signal(signal.SIGKILL)
        ways.end(process)
    began = time.monotonic()
    retry(lambda: state(ways) == BEFORE, "the old rules are back", WITHIN + 20, pause=0.05)
    print(f"{who} killed: the old rules are back after {time.monotonic() - began:.1f} s")
    retry(lambda: undone(ways), "the run is undone", 20)  # nobody asked for that
    assert ways.left() == []


def test_who_comes_first_after_a_kill_puts_it_back(ways: Ways) -> None:
    """Not waiting for the timer: recovery stops it, and does the same."""
    ways.change(**CUT)
    assert ways.run("apply", "--yes", "--confirm-within", "300", fault="kill:confirm").code == 1
    assert state(ways) == AFTER
    ways.eyas("recover")
    assert state(ways) == BEFORE
    assert timers(ways) == ""
    assert undone(ways)


def test_aloud_without_a_guard(ways: Ways) -> None:
    ways.change(fin="41")
    said = ways.run("apply", "--yes", "--confirm-within", "0", fault="unconfirmed")
    assert said.code == 0, said
    assert "warning: may cut your connection" in said.err
    assert state(ways)[0] == "41"
