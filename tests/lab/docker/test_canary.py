"""New packages under an engine: proved in a scratch container before the container that needs them gets them."""

from __future__ import annotations

import pytest

from eyas.lab.testing import retry
from tests.lab.docker.rig import Docks
from tests.lab.rig import hand_on, step_numbers

BROKEN_RUNC = """files={"/usr/sbin/runc": File("#!/bin/sh\\necho it is broken >&2; exit 1\\n", mode=0o755)},"""
WHOLE = 'base, parts=[docker("/srv/dock", size="256M")], root=Root(size="96M"),'
MORE = 'packages=["hello"],'
POD = 'base, parts=[podman("/srv/pod", size="256M")], root=Root(size="96M")'
SAID = "package hello added, proved first in a scratch container ({})"


def traces(docks: Docks) -> str:
    """What is left on the host of scratch containers: mounts, machines, units, links, control groups, files."""
    script = """\
    grep canary /proc/self/mountinfo; machinectl list --no-legend | grep canary
    systemctl list-units --all --no-legend '*canary*'; systemctl list-unit-files --no-legend '*canary*'
    ip -oneline link | grep canary; find /run/eyas /run/systemd /run/netns /var/lib/eyas/scratch /var/lib/eyas/state \
        /etc/eyas /etc/systemd /var/lib/machines /sys/fs/cgroup -name '*canary*' 2>/dev/null
    find /var/log/journal -mindepth 1 -maxdepth 1 -empty
    true"""
    return docks.succeed("host", "sh", "-c", script)


def tree(docks: Docks, name: str) -> str:
    return docks.succeed("host", "sh", "-c", f'grep -o \'"tree": "[0-9a-f]*"\' /etc/eyas/containers/{name}.json')


def test_a_new_root_is_proved_first(docks: Docks) -> None:
    """Both engines, each in a scratch container of its own; nobody but them restarts, and nothing of it stays."""
    docks.edit(WHOLE, WHOLE + MORE)
    docks.edit(POD, POD + ", " + MORE.rstrip(","))
    changes = {change["id"]: change for change in docks.plan()["changes"]}
    assert changes["container:dock"]["fields"][0]["note"] == SAID.format("docker")
    assert changes["container:pod"]["fields"][0]["note"] == SAID.format("podman")
    assert "proved first in a scratch container" in docks.eyas("plan")
    near = docks.invocation("near")
    docks.apply()
    assert docks.well("dock")
    assert docks.well("pod")
    assert docks.invocation("near") == near
    assert traces(docks) == ""


def test_a_root_that_does_not_stand_it_is_refused(docks: Docks) -> None:
    """With the words of the self-test; the old container goes on, untouched."""
    before, stands = docks.invocations(), tree(docks, "dock")
    docks.edit("import Bind, Bridge, Container, Fleet", "import Bind, Bridge, Container, File, Fleet")
    docks.edit(WHOLE, WHOLE + MORE + BROKEN_RUNC)
    (proof,) = step_numbers(docks.plan(), "container.prove")
    assert proof < min(step_numbers(docks.plan(), "container.hold", "container.configure"))
    said = docks.run("apply", "--yes")
    assert said.code == 4, said
    assert "cannot give dock its new root: docker cannot run a container: " in said.err
    assert "runc did not terminate successfully" in said.err
    assert "what runs was not touched" in said.err
    assert docks.invocations() == before
    assert tree(docks, "dock") == stands
    assert docks.selftest("dock")
    assert traces(docks) == ""


@pytest.mark.long
def test_a_killed_run_leaves_no_scratch_container(docks: Docks) -> None:
    """The agent dies while the scratch container runs; recovery takes that away, and the old container goes on."""
    before, stands = docks.invocations(), tree(docks, "dock")
    docks.edit(WHOLE, WHOLE + MORE)
    with hand_on(docks.start("apply", "--yes")) as process:
        machine = ("machinectl", "show", "--property=State", "eyas.canary-dock")
        retry(lambda: docks.execute("host", *machine).code == 0, "the scratch container runs", 120, pause=0.02)
        assert docks.open_run_on_disk()
        docks.succeed("host", "sh", "-c", "kill -KILL $(pgrep -f 'agent/.*/[r]un.py serve')")
        process.wait(60)
    assert "undone" in docks.eyas("recover")
    assert docks.invocations() == before
    assert tree(docks, "dock") == stands
    assert traces(docks) == ""
    assert docks.selftest("dock")


@pytest.mark.long
def test_the_scratch_container_is_reached_by_nobody(docks: Docks) -> None:
    """It has no link to the host, and none of its container's data."""
    docks.succeed("dock", "sh", "-c", "echo kept >/var/lib/docker/note")
    docks.edit(WHOLE, WHOLE + MORE + 'files={"/usr/local/lib/eyas/proofs/look": LOOK},')
    look = (
        'LOOK = File("#!/bin/sh\\nip -4 -oneline address | grep -v inet.127; ip route\\n'
        "ls /var/lib/docker | grep note\\n"
        'cat /proc/self/uid_map; echo looked around; exit 1\\n", mode=0o755)\n'
    )
    docks.edit("import Bind, Bridge, Container, Fleet", "import Bind, Bridge, Container, File, Fleet")
    docks.edit("dock = Container(", look + "dock = Container(")
    links = docks.succeed("host", "ip", "-oneline", "link")
    said = docks.run("apply", "--yes")
    assert said.code == 4, said
    assert "cannot give dock its new root: looked around" in said.err
    seen = [line.partition("|")[2].split() for line in said.out.splitlines() if line.startswith("  | ")]
    addresses = [line[3] for line in seen if line[2:3] == ["inet"]]
    assert addresses == ["100.127.255.254/32", "172.19.255.1/24"]
    assert [line for line in seen if line[:1] in (["default"], ["note"])] == []
    assert ["0", str(65536 * 8191), "65536"] in seen
    assert docks.succeed("host", "ip", "-oneline", "link") == links
    docks.succeed("dock", "rm", "/var/lib/docker/note")
