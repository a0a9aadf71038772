"""Ways to change a host that are not all at once: back, a part, the next boot. On a real host."""

from __future__ import annotations

import json
import time

from tests.lab.ways.definitions import fleet
from tests.lab.ways.rig import Ways

CHANGED = {"image": "fat", "app": "two", "tasks": "600", "conf": "two"}


def test_back_is_as_quick_as_a_restart_and_asks_no_definitions(ways: Ways) -> None:
    ways.reach(**CHANGED)
    before = ways.invocations()
    ways.write("this is no Python\n")
    planned = json.loads(ways.eyas("rollback", "--plan", "--exit-code", "--json", code=3))
    touched = {change["owner"] for change in planned["changes"]}
    assert touched == {"one", "two", "host"}
    said = ways.run("rollback", "--yes")
    assert said.code == 0, said
    assert "eyas plan shows how they differ" in said.err
    after = ways.invocations()
    assert set(after) == {"one", "two"}
    assert after["two"] == before["two"]  # its file and its limit changed while it ran
    assert after["one"] != before["one"]
    run = ways.last()
    assert run["note"].startswith("rollback to ")
    assert run["run"] in ways.eyas("history")
    began = time.monotonic()
    ways.host.succeed("systemctl", "restart", "systemd-nspawn@one.service")
    print(f"rollback {said.seconds:.1f} s, a restart by hand {time.monotonic() - began:.1f} s")
    assert ways.left() == []
    assert ways.host.succeed("cat", "/etc/ways.conf") == "one"


def test_back_to_an_older_run_forth_again_and_not_to_what_is_gone(ways: Ways) -> None:
    first = ways.reach(app="first")
    spec = json.loads(ways.host.succeed("cat", "/etc/eyas/containers/two.json"))
    second = ways.reach(app="second", names="one")
    invocation = ways.invocations()["one"]
    ways.eyas("rollback", first[-4:], "--yes")  # brings two back, which was removed
    assert ways.left(app="first") == []
    ways.eyas("rollback", second, "--yes")
    assert ways.left(app="second", names="one") == []
    assert ways.invocations() == {"one": invocation}
    told = ways.run("rollback", "none")
    assert (told.code, "no run has this id" in told.err) == (2, True)
    ways.host.succeed("mv", f"/var/lib/eyas/layers/{spec['layer']}", "/var/tmp/gone")
    gone = ways.run("rollback", "--yes")  # without a name: before the last run, so with two
    ways.host.succeed("mv", "/var/tmp/gone", f"/var/lib/eyas/layers/{spec['layer']}")
    assert gone.code == 1, gone
    assert f"the layer {spec['layer'][:12]} of two is gone from the host" in gone.err
    assert "eyas apply" in gone.err
    ways.eyas("rollback", "--yes")
    assert ways.left(app="first") == []


def test_a_part_is_done_and_what_is_left_is_said(ways: Ways) -> None:
    before = ways.invocations()
    ways.change(image="fat", ports="[8010, 8011]", app="part", conf="part")
    said = ways.eyas("apply", "--yes", "--only", "two")
    assert "Left as it is: one (" in said
    assert "host (" in said
    assert ways.invocations() == before
    assert ways.host.succeed("cat", "/proc/sys/net/ipv4/tcp_fin_timeout") == "50"
    assert ways.host.succeed("cat", "/etc/ways.conf") == "one"
    told = ways.run("plan", "--only", "onne")
    assert (told.code, "did you mean one?" in told.err) == (2, True)
    ways.eyas("apply", "--yes", "--only", "one")  # with its forward: all that differs in the firewall is of it
    assert "8011" in ways.host.succeed("nft", "list", "table", "inet", "eyas")
    assert ways.left(image="fat", ports="[8010, 8011]", app="part", conf="part") == ["update file:/etc/ways.conf"]
    assert ways.last()["note"] == "only one"
    ways.eyas("apply", "--yes", "--only", "host")
    assert ways.left(image="fat", ports="[8010, 8011]", app="part", conf="part") == []


def test_the_next_boot_brings_it_and_nothing_before(ways: Ways) -> None:
    ways.reach(names="one, two, three")
    ways.write(fleet(names="one, two, three").replace('"10.0.9.11", tiny', '"10.0.9.11", fat'))
    plan = json.loads(ways.eyas("plan", "--json", "--only", "two"))  # who restarts along is said before
    assert {change["owner"] for change in plan["changes"] if change["impact"] == "restart"} == {"two", "three"}
    edits = {"image": "fat", "ports": "[8012]", "app": "boot", "tasks": "800", "fin": "45", "names": "one, two"}
    before, rules = ways.invocations(), ways.host.succeed("nft", "list", "table", "inet", "eyas")
    ways.change(**edits, packages='["tree"]')
    planned = [change["id"] for change in ways.plan()["changes"]]
    said = ways.eyas("apply", "--boot")
    assert "Left out: package tree" in said
    assert "Left out: container three: it runs" in said
    assert [change["id"] for change in ways.plan()["changes"] if not change["id"].startswith("layer:")] == [
        id_ for id_ in planned if not id_.startswith(("layer:", "tree:"))
    ]
    status = json.loads(ways.eyas("status", "--json"))
    pending = {row["name"]: bool(row["pending"]) for row in status["containers"]}
    assert pending == {"one": True, "two": True, "three": True}
    assert [row["drift"] for row in status["containers"]] == [[], [], []]
    assert len(status["drift"]) == 1  # the package
    # Somebody reloads systemd, and a container starts anew: it is what it was.
    ways.host.succeed("systemctl", "daemon-reload")
    ways.host.succeed("systemctl", "restart", "systemd-nspawn@one.service")
    ways.host.fail("test", "-e", "/run/eyas/roots/one/usr/bin/curl")
    assert ways.host.succeed("cat", "/run/eyas/roots/two/etc/app.conf") == "one"
    assert "TasksMax=500" in ways.host.succeed("systemctl", "show", "-p", "TasksMax", "systemd-nspawn@two.service")
    now = ways.invocations()
    assert (now["two"], now["three"]) == (before["two"], before["three"])
    assert ways.host.succeed("nft", "list", "table", "inet", "eyas") == rules
    assert ways.host.succeed("cat", "/proc/sys/net/ipv4/tcp_fin_timeout") == "50"
    booted = ways.host.reboot()
    print(f"booted in {booted:.1f} s")
    ways.host.wait_for_unit("multi-user.target")
    assert ways.names() == ["one", "two"]
    ways.host.succeed("test", "-e", "/run/eyas/roots/one/usr/bin/curl")
    assert ways.host.succeed("cat", "/run/eyas/roots/two/etc/app.conf") == "boot"
    assert ways.host.succeed("cat", "/proc/sys/net/ipv4/tcp_fin_timeout") == "45"
    assert "8012" in ways.host.succeed("nft", "list", "table", "inet", "eyas")
    assert "three" not in ways.host.succeed("cat", "/var/lib/eyas/names/hosts")
    rest = ways.left(**edits, packages='["tree"]')
    assert rest == ["delete container:three", "create package:tree"]
    assert not json.loads(ways.eyas("status", "--json"))["pending"]


def test_what_is_prepared_can_be_done_at_once_after_all(ways: Ways) -> None:
    ways.change(app="later", ports="[8013]")
    ways.eyas("apply", "--boot")
    ways.apply()
    assert ways.left(app="later", ports="[8013]") == []
    assert ways.host.succeed("cat", "/run/eyas/roots/two/etc/app.conf") == "later"
    assert not ways.host.execute("ls", "/run/eyas/now").text
    assert "8013" in ways.host.succeed("nft", "list", "table", "inet", "eyas")
