"""Starts, stops and deaths, as systemd, machinectl and mishaps bring them about."""

from __future__ import annotations

import json
import time

import pytest

from tests.lab.containers.cells import Cells

SLACK = 6.0
"""Seconds that a loaded machine may take on top of what is declared."""


def test_machinectl_does_what_administrators_expect(cells: Cells) -> None:
    host = cells.host
    assert {"alpha", "beta"} <= {line.split()[0] for line in host.succeed("machinectl", "list").splitlines() if line}
    first = cells.invocation("alpha")
    host.succeed("machinectl", "stop", "alpha")
    cells.wait_state("alpha", "inactive")
    host.wait_until(lambda: not cells.traces("alpha"), "nothing of alpha is left", 20)
    host.succeed("machinectl", "start", "alpha", timeout=120)
    assert cells.state("alpha") == "active"
    assert cells.invocation("alpha") != first

    boot = cells.succeed("alpha", "cat", "/proc/sys/kernel/random/boot_id")
    host.succeed("machinectl", "reboot", "alpha")
    probe = ("cat", "/proc/sys/kernel/random/boot_id")
    host.wait_until(lambda: cells.execute("alpha", *probe).text not in ("", boot), "alpha booted again", 60)
    cells.wait_state("alpha", "active")

    host.succeed("machinectl", "terminate", "alpha")
    host.wait_until(lambda: cells.state("alpha") in ("failed", "inactive", "active"), "alpha settled", 60)
    cells.switch("start", "alpha")
    host.succeed("machinectl", "disable", "alpha")
    assert host.execute("systemctl", "is-enabled", "systemd-nspawn@alpha").text == "disabled"
    host.succeed("machinectl", "enable", "alpha")
    assert host.succeed("machinectl", "shell", "-q", "alpha", "/usr/bin/hostname").strip() == "alpha"
    assert host.succeed("machinectl", "shell", "-q", "kim@alpha", "/usr/bin/id", "-un").strip() == "kim"
    assert not [change for change in cells.plan()["changes"] if change["owner"] == "alpha"]


def test_one_that_powers_itself_off_stays_off_and_leaves_nothing(cells: Cells) -> None:
    cells.succeed("beta", "systemctl", "poweroff", "--no-block")
    cells.wait_state("beta", "inactive")
    assert cells.traces("beta") == []
    time.sleep(2)
    assert cells.state("beta") == "inactive"
    row = cells.status()["beta"]
    assert row["state"] != "running"
    assert "beta" in cells.eyas("plan")
    cells.apply()
    assert cells.state("beta") == "active"


def test_the_journal_of_a_stopped_container_is_there(cells: Cells) -> None:
    cells.succeed("beta", "logger", "-t", "tale", "the end of it")
    cells.switch("stop", "beta")
    assert "the end of it" in cells.eyas("logs", "beta", "-n", "400")
    cells.switch("start", "beta")


def test_a_unit_that_ignores_the_end_holds_a_stop_up_for_its_time_only(cells: Cells) -> None:
    """beta has such a unit and three seconds; alpha has none and is gone at once."""
    taken = cells.switch("stop", "beta")
    assert 2.5 < taken < 3 + SLACK
    assert cells.traces("beta") == []
    assert cells.unit("beta", "Result")["Result"] == "success"
    assert cells.switch("start", "beta") < 60
    assert cells.switch("stop", "alpha") < SLACK
    assert cells.switch("start", "alpha") < 60


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_a_killed_container_comes_back_without_leftovers(cells: Cells, name: str) -> None:
    """SIGKILL of systemd-nspawn leaves mounts and the registration to whoever starts next."""
    first = cells.invocation(name)
    mounts = len(cells.traces(name))
    unit = f"systemd-nspawn@{name}.service"
    cells.host.succeed("systemctl", "kill", "--signal=KILL", "--kill-whom=main", unit)
    again = lambda: cells.state(name) == "active" and cells.invocation(name) != first  # noqa: E731
    cells.host.wait_until(again, f"{name} runs again", 90)
    assert len(cells.traces(name)) == mounts
    assert cells.succeed(name, "hostname") == name
    assert cells.get("dock", f"http://{name}:8080/").startswith(f"{name} sees ")


def test_limits_are_in_effect_and_change_without_a_restart(cells: Cells) -> None:
    asked = ("MemoryMax", "MemoryHigh", "CPUQuotaPerSecUSec", "CPUWeight", "IOWeight", "TasksMax")
    wanted = (str(512 << 20), str(384 << 20), "1.500000s", "50", "20", "300")
    assert cells.unit("alpha", *asked) == dict(zip(asked, wanted, strict=True))
    before = cells.invocation("alpha")
    cells.edit('memory="512M"', 'memory="640M"')
    cells.edit("cpus=1.5", "cpus=0.5")
    cells.edit("tasks=300", "tasks=301")
    cells.apply()
    seen = cells.unit("alpha", *asked)
    assert (seen["MemoryMax"], seen["CPUQuotaPerSecUSec"], seen["TasksMax"]) == (str(640 << 20), "500ms", "301")
    cells.edit("cpus=0.5, ", "")
    cells.apply()
    assert cells.unit("alpha", "CPUQuotaPerSecUSec")["CPUQuotaPerSecUSec"] == "infinity"
    cells.undo_edits()
    assert cells.unit("alpha", *asked) == dict(zip(asked, wanted, strict=True))
    assert cells.invocation("alpha") == before


def test_tasks_are_counted_where_the_kernel_counts_them(cells: Cells) -> None:
    """The limit of processes holds inside, when the machine has that controller."""
    group = cells.unit("alpha", "ControlGroup")["ControlGroup"]
    limit = cells.host.execute("cat", f"/sys/fs/cgroup{group}/pids.max")
    if limit.code == 0:
        assert limit.text == "300"
        assert "ork" in cells.fail("alpha", "sh", "-c", "for n in $(seq 400); do sleep 20 & done 2>&1; wait")


def test_a_container_starts_when_the_probes_of_the_other_have_passed(cells: Cells) -> None:
    """beta is after alpha. alpha's probes pass four seconds after it says that it is ready."""
    cells.edit(
        "    limits=Limits(", '    files={"/etc/systemd/system/answer.service.d/late.conf": LATE},\n    limits=Limits('
    )
    cells.edit(
        "\nalpha = Container(", 'LATE = "[Service]\\nExecStartPre=/bin/sleep 4\\nType=simple\\n"\n\nalpha = Container('
    )
    cells.apply()
    cells.host.succeed("systemctl", "stop", "systemd-nspawn@alpha", "systemd-nspawn@beta", timeout=60)
    cells.host.succeed("systemctl", "start", "systemd-nspawn@beta", "systemd-nspawn@alpha", timeout=200)
    times = {
        name: cells.unit(name, "ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        for name in ("alpha", "beta")
    }
    up = int(times["alpha"]["ActiveEnterTimestampMonotonic"])
    assert up - int(times["alpha"]["ExecMainStartTimestampMonotonic"]) > 4_000_000
    assert int(times["beta"]["ExecMainStartTimestampMonotonic"]) >= up


def test_a_probe_that_fails_undoes_the_run_and_says_what_it_saw(cells: Cells) -> None:
    before = {name: cells.invocation(name) for name in ("alpha", "dock", "nest", "image")}
    forwards = cells.host.succeed("nft", "list", "table", "inet", "eyas")
    cells.edit('    stop_timeout="3s",', '    stop_timeout="4s", probes=[Probe.tcp(9999, timeout="2s")],')
    cells.edit("Forward(8080), ", "Forward(8080), Forward(8086, to=8080), ")
    said = cells.run("apply", "--yes", timeout=300)
    assert said.code != 0
    assert "the probe tcp 9999 failed" in said.err
    assert "refused" in said.err
    assert cells.host.succeed("nft", "list", "table", "inet", "eyas") == forwards
    assert cells.unit("beta", "TimeoutStopUSec")["TimeoutStopUSec"] == "8s"
    assert {name: cells.invocation(name) for name in before} == before
    assert cells.status()["beta"]["health"] == "healthy"


def test_a_service_that_stopped_answering_is_unhealthy(cells: Cells) -> None:
    cells.succeed("alpha", "systemctl", "stop", "answer.service")
    assert cells.status()["alpha"]["health"] != "healthy"
    assert cells.status()["beta"]["health"] == "healthy"
    cells.succeed("alpha", "systemctl", "start", "answer.service")
    cells.host.wait_until(lambda: cells.status()["alpha"]["health"] == "healthy", "alpha is healthy", 30)


def test_what_was_done_by_hand_is_seen_and_mended(cells: Cells) -> None:
    """A stopped container and a container that was switched off at boot; status tells, apply mends."""
    cells.switch("stop", "beta")
    cells.host.succeed("systemctl", "disable", "systemd-nspawn@alpha")
    drift = json.dumps(json.loads(cells.eyas("status", "--json")))
    assert "switched off by hand" in drift
    assert cells.run("status", "--exit-code").code == 3
    before = cells.invocation("alpha")
    cells.apply()
    assert cells.state("beta") == "active"
    assert cells.host.succeed("systemctl", "is-enabled", "systemd-nspawn@alpha") == "enabled"
    assert cells.invocation("alpha") == before
    drift = json.loads(cells.eyas("status", "--json", "alpha", "beta"))
    assert "by hand" not in json.dumps(drift)
