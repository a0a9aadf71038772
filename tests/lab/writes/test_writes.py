"""What containers wrote: seen, told before a restart, carried over, and never lost by an apply that fails."""

from __future__ import annotations

import json
import time

from tests.lab.rig import edited
from tests.lab.writes.definitions import FLEET
from tests.lab.writes.pair import Pair

BIND = 'Bind("/pool/one/app", "/var/lib/app", persistent=True, carry=True)'
ONE = "persistent=True)], **times"
CARRIED = (ONE, f"persistent=True), {BIND}], **times")
TWO = "binds=[], **times"


def test_what_was_written_by_whom(pair: Pair) -> None:
    pair.inside(
        "one",
        "mkdir -p /srv/mine/deep /srv/scratch /usr/share/doc/bash /opt/many; echo 123 >/srv/mine/deep/file; "
        "chown -R app /srv/mine; echo x >/srv/scratch/x; echo y >/var/tmp/y; echo z >/var/cache/z; "
        "echo changed >/etc/debian_version; rm /etc/issue; rm -r /etc/skel; mkdir /etc/skel; echo s >/etc/skel/s; "
        "mkdir -p /opt/empty; cd /opt/many; seq 20000 | xargs touch; echo hidden >/kept/file",
    )  # fmt: skip
    began = time.monotonic()
    report = pair.writes("one")
    assert time.monotonic() - began < 15
    found = {item["path"]: item for item in report["written"]}
    said = {path: (item["what"], item["unit"], item["how"]) for path, item in found.items()}
    assert said == {
        "/var/lib/app": ("new", "app.service", "StateDirectory="),
        "/srv/open": ("new", "app.service", "has it open"),
        "/srv/mine": ("new", "app.service", "alone runs as app"),
        "/opt/many": ("new", "", ""),
        "/etc/debian_version": ("changed", "", ""),
        "/etc/issue": ("deleted", "", ""),
        "/etc/skel": ("replaced", "", ""),
        "/srv": ("changed", "", ""),  # its owner
    }
    assert found["/opt/many"]["count"] == 20000
    assert (found["/srv/mine"]["owner"], found["/srv/mine"]["size"]) == ("app", 4)
    assert (found["/etc/debian_version"]["package"], found["/etc/issue"]["package"]) == ("base-files", "base-files")
    assert found["/etc/debian_version"]["at"] > time.time() - 600
    rules = {row["rule"]: row["count"] for row in report["noise"]}
    assert rules["/srv/scratch/**"] == rules["temporary files"] == rules["caches"] == 1
    assert "empty folders" in rules

    lines = {row["target"]: row["line"] for row in report["proposals"]}
    assert lines["/var/lib/app"] == (
        'Bind("/pool/one/app", "/var/lib/app", persistent=True, carry=True, owner="app", group="app")'
    )
    assert set(lines) == {"/var/lib/app", "/srv/mine", "/opt/many"}
    text = pair.eyas("writes", "one")
    assert "fleet.py:" in text
    assert "a restart of one loses them" in text
    assert "noise: caches" in pair.eyas("writes", "one", "--all")


def test_a_plan_warns_of_a_loss_once_and_knows_how_long_it_takes(pair: Pair) -> None:
    pair.inside("one", "echo 1 >/etc/first")
    pair.inside("two", "echo 1 >/tmp/nobody")
    losses = pair.losses(edited(FLEET, ("64M", "65M"), ("48M", "49M")))
    assert losses["one"] >= {"/etc/first"}
    assert "two" not in losses
    pair.write(edited(FLEET, ("64M", "65M")))
    assert "warning: one loses what it wrote: " in pair.eyas("plan")
    pair.apply()

    pair.inside("one", "echo 1 >/etc/first; echo 2 >/etc/second")
    assert pair.losses(edited(FLEET, ("64M", "66M")))["one"] == {"/etc/second"}
    plan = json.loads(pair.eyas("plan", "--json"))
    (change,) = [change for change in plan["changes"] if change["id"] == "container:one"]
    assert 0 < change["wait"] < 60
    assert change["notice"].startswith("new connections wait about ")
    said = pair.eyas("apply", "--yes")
    assert "one: predicted " in said
    run = json.loads(pair.eyas("history", "--json"))["runs"][0]
    waits = {wait["container"]: wait for wait in run["waits"]}
    assert waits["one"]["predicted"] == change["wait"]
    assert 0 < waits["one"]["seen"] < 60
    assert {"hold", "restart", "ready", "release"} <= set(waits["one"]["steps"])


def test_what_is_there_is_carried_over(pair: Pair) -> None:
    pair.inside(
        "one",
        "cd /var/lib/app; mkdir -m 2750 more; echo 1 >more/file; ln more/file more/hard; ln -s /etc/passwd link; "
        "chown -R app:app more; cp /bin/true ping; setcap cap_net_raw+ep ping; chmod 4711 more/file",
    )  # fmt: skip
    note = "import os; os.setxattr('/run/eyas/roots/one/var/lib/app/more/file', 'user.note', b'kept')"
    pair.host.succeed("python3", "-c", note)
    look = "cd /var/lib/app; find more ping link -printf '%p %y %m %u %g %n %T@ %l\\n' | sort; cat more/*; getcap ping"
    before = pair.inside("one", look)
    assert "cap_net_raw=ep" in before
    assert pair.losses(edited(FLEET, CARRIED)).get("one", set()) & {"/var/lib/app"} == set()
    pair.apply()
    assert pair.inside("one", look) == before
    assert pair.inside("one", "cat /var/lib/app/state").split() == ["begun", "begun"]  # the service went on with it
    assert pair.on_host("stat -c '%u %a' /pool/one/app") == "900 755"
    read = "import os; print(os.getxattr('/pool/one/app/more/file', 'user.note').decode())"
    assert pair.host.succeed("python3", "-c", read).strip() == "kept"
    assert pair.on_host("ls -A /run/eyas/carry 2>/dev/null || true") == ""
    assert "/var/lib/app" not in pair.written("one")
    pair.restore()  # the data stays when the bind goes
    assert "more" in pair.on_host("ls /pool/one/app")
    pair.on_host("rm -r /pool/one/app")


def test_a_run_that_fails_afterwards_brings_it_back(pair: Pair) -> None:
    pair.inside("one", "echo precious >/var/lib/app/precious; chown app /var/lib/app/precious")
    said = pair.undone(edited(FLEET, (ONE, f'persistent=True), {BIND}], probes=[Probe.tcp(9, timeout="1s")], **times')))
    assert "as it was before" in said
    assert pair.inside("one", "stat -c %U /var/lib/app/precious; cat /var/lib/app/precious") == "app\nprecious"
    assert pair.on_host("ls -A /pool/one/app 2>/dev/null || true") == ""
    assert pair.on_host("ls -A /run/eyas/carry 2>/dev/null || true") == ""


def test_a_disk_without_room_is_seen_before_anything_stops(pair: Pair) -> None:
    pair.inside("two", "mkdir /var/lib/big; head -c 6000000 /dev/zero >/var/lib/big/file")
    pair.on_host("mkdir -p /pool/two; mount -t tmpfs -o size=4m none /pool/two")
    try:
        boot = pair.inside("two", "cat /proc/sys/kernel/random/boot_id")
        bind = 'Bind("/pool/two/big", "/var/lib/big", persistent=True, carry=True)'
        said = pair.undone(edited(FLEET, (TWO, f"binds=[{bind}], **times")))
        assert "cannot carry /var/lib/big of two to /pool/two/big: it has " in said
        assert pair.inside("two", "cat /proc/sys/kernel/random/boot_id") == boot
    finally:
        pair.on_host("umount /pool/two")


def test_a_copy_that_fails_loses_nothing(pair: Pair) -> None:
    """There is room, but not for so many files: the root is kept until the container has it back."""
    pair.inside("two", "mkdir -p /var/lib/many/deep; cd /var/lib/many/deep; seq 50 | xargs touch; echo 1 >one")
    pair.on_host("mkdir -p /pool/two; mount -t tmpfs -o size=8m,nr_inodes=20 none /pool/two")
    try:
        bind = 'Bind("/pool/two/many", "/var/lib/many", persistent=True, carry=True)'
        said = pair.undone(edited(FLEET, (TWO, f"binds=[{bind}], **times")))
        assert "as it was before" in said
        assert pair.inside("two", "ls /var/lib/many/deep | wc -l; cat /var/lib/many/deep/one") == "51\n1"
        assert pair.on_host("find /pool/two -mindepth 1") == ""
        assert "/run/eyas/carry" not in pair.on_host("cat /proc/self/mountinfo")
        assert pair.on_host("ls -A /run/eyas/carry 2>/dev/null || true") == ""
    finally:
        pair.on_host("umount /pool/two")
