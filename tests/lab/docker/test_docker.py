"""Docker and Podman in containers: proved before they count as ready, whatever happens to what they stand on."""

from __future__ import annotations

import json

import pytest

from tests.lab.docker.rig import ENGINES, PUBLIC, Docks
from tests.lab.rig import FULL

ROUNDS = 50 if FULL else 3
BROKEN_RUNC = """files={"/usr/sbin/runc": File("#!/bin/sh\\nexit 1\\n", mode=0o755)},"""


@pytest.mark.parametrize("name", ENGINES)
def test_the_selftest_passes_at_every_start(docks: Docks, name: str) -> None:
    """Before the unit counts as started, so that whoever waits for it finds an engine that works."""
    assert docks.well(name)
    taken = []
    for round in range(ROUNDS):
        docks.host.succeed("rm", f"/run/eyas/probes/{name}")
        taken.append(docks.switch("restart", name))
        assert docks.well(name), f"round {round}: {docks.probed(name)}"
    print(f"{ROUNDS} restarts of {name}, each with its self-test: {min(taken):.1f} to {max(taken):.1f} s")
    assert docks.succeed(name, ENGINES[name], "ps", "--all", "--quiet") == ""
    assert docks.missed(name) == []


def test_a_slow_selftest_is_waited_for(docks: Docks) -> None:
    """By status too, which tries no more after a while: another one has the lock for longer than that."""
    hold = ("flock", "/run/lock/eyas-selftest.lock", "sh", "-c", "echo has it; sleep 7")
    with docks.background("dock", *hold) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "has it\n"
        said = docks.run("status", "--json")
        (row,) = (row for row in json.loads(said.out)["containers"] if row["name"] == "dock")
        assert (said.code, row["health"], row["failing"]) == (0, "healthy", [])
        assert [line for line in said.err.splitlines() if "dock" in line and "take long" in line], said
        assert process.wait() == 0


def test_docker_has_one_grant_and_podman_none(docks: Docks) -> None:
    units = {name: docks.host.succeed("cat", f"/etc/systemd/system/systemd-nspawn@{name}.service") for name in ENGINES}
    assert "--system-call-filter=add_key keyctl" in units["dock"]
    assert "--system-call-filter" not in units["pod"]
    for name, unit in units.items():
        assert "--private-users=no" not in unit
        assert "apability" not in unit
        field = "{{.Driver}}" if name == "dock" else "{{.Store.GraphDriverName}}"
        driver = docks.succeed(name, ENGINES[name], "info", "--format", field)
        assert driver.startswith("overlay")


@pytest.mark.long
def test_what_they_publish_outlives_the_firewall_a_restart_and_the_host(docks: Docks) -> None:
    docks.publish("dock")
    docks.publish("pod")
    docks.succeed("pod", "systemctl", "is-enabled", "podman-restart.service")

    def all_answer() -> None:
        docks.asked("near", "http://dock:8088/", "from dock")
        docks.asked("near", "http://pod:8088/", "from pod")
        docks.asked("internet", f"http://{PUBLIC}:8088/", "from dock")

    try:
        all_answer()
        docks.host.succeed("systemctl", "restart", "eyas-firewall.service")
        docks.edit("forwards=[Forward(8088)]", "forwards=[Forward(8088), Forward(8089)]")
        docks.apply()
        all_answer()
        for name in ENGINES:
            docks.selftest(name)
            docks.switch("restart", name)
        all_answer()
        docks.host.reboot()
        for name in ENGINES:
            docks.wait_state(name, "active")
            assert docks.well(name)
        all_answer()
    finally:
        for name, engine in ENGINES.items():
            docks.execute(name, engine, "rm", "--force", "page")


def test_a_broken_runtime_is_named_before_the_container_is_ready(docks: Docks) -> None:
    """What was there before is back afterwards, and proved again."""
    docks.edit("import Bind, Bridge, Container, Fleet", "import Bind, Bridge, Container, File, Fleet")
    whole = 'base, parts=[docker("/srv/dock", size="256M")], root=Root(size="96M"),'
    docks.edit(whole, whole.replace("96M", "97M") + BROKEN_RUNC)
    said = docks.run("apply", "--yes")
    assert said.code != 0
    assert "docker cannot run a container" in said.err
    assert "runc did not terminate successfully" in said.err
    assert docks.well("dock")


def test_a_daemon_that_does_not_start_is_named(docks: Docks) -> None:
    docks.succeed("dock", "systemctl", "stop", "docker.service", "docker.socket")
    docks.succeed("dock", "sh", "-c", 'echo \'{"storage-driver": "nope"}\' >/etc/docker/daemon.json')
    docks.execute("dock", "systemctl", "start", "docker.service")
    docks.host.wait_until(lambda: docks.execute("dock", "systemctl", "is-failed", "docker").code == 0, "it failed", 30)
    said = docks.fail("dock", "/usr/local/lib/eyas/container-selftest", "docker")
    assert "docker cannot start its daemon" in said
    assert "driver not supported: nope" in said
    docks.switch("restart", "dock")
    assert docks.well("dock")


@pytest.mark.parametrize("name", ENGINES)
def test_pruning_takes_what_nothing_uses(docks: Docks, name: str) -> None:
    """Not what is in use, no volume, and not the image of the self-test."""
    engine = ENGINES[name]
    timer = docks.succeed(name, "systemctl", "show", "--property=ActiveState", "--value", f"{engine}-prune.timer")
    assert timer == "active"
    script = f"""set -e
    {engine} volume create data; {engine} network create unused
    printf x >/tmp/x; tar -cC /tmp x | {engine} import - left:1; tar -cC /bin busybox | {engine} import - used:1
    {engine} run --name ended used:1 /busybox true
    sleep 2 # an image of this second is not older than now
    systemd-run --quiet --scope {engine} run --detach --name runs --stop-signal=KILL used:1 /busybox sleep 600"""
    docks.succeed(name, "sh", "-c", script)
    try:
        docks.succeed(name, "/usr/local/lib/eyas/container-prune", engine, "0")
        images = docks.succeed(name, engine, "image", "ls", "--format", "{{.Repository}}").replace("localhost/", "")
        assert sorted(images.split()) == ["eyas/selftest", "used"]
        assert docks.succeed(name, engine, "ps", "--all", "--format", "{{.Names}}") == "runs"
        assert docks.succeed(name, engine, "volume", "ls", "--quiet") == "data"
        assert "unused" not in docks.succeed(name, engine, "network", "ls")
    finally:
        docks.execute(name, engine, "rm", "--force", "runs")
        docks.execute(name, engine, "volume", "rm", "data")
