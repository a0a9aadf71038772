"""Restarts that nobody is refused by: in a row, held, drained, watched, and taken back when something is not well."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from eyas import Probe
from eyas.kind.container.text import render_env
from eyas.lab.testing import retry
from eyas.render.container import probe_fields
from tests.lab.chain.definitions import NAMES, ORDER
from tests.lab.chain.row import PUBLIC, Row
from tests.lab.rig import edited, hand_on, step_numbers

LATE = 2.5
"""Seconds that a client on a loaded machine may see beyond what the host itself took."""
ALL_BIGGER = ('size="48M"', 'size="64M"')
"""Restarts all three."""


def unit(text: str) -> str:
    """A unit's text that is started with its container, as a definition holds it."""
    return f'"{text}[Install]\\nWantedBy=multi-user.target\\n"'


TRIED = {
    Probe.http(8080, contains="first"): "ok HTTP/1.0 200 OK",
    Probe.http(8080, status=404, timeout=1): "failed HTTP/1.0 200 OK",
    Probe.http(8080, contains="second", timeout=1): "failed HTTP/1.0 200 OK, without 'second'",
    Probe.http(9090, timeout=1): "failed no answer",
    Probe.tcp(8080): "ok accepts connections",
    Probe.tcp(9090, timeout=1): "failed Connection refused",
    Probe.command(["sh", "-c", "echo fine; echo $PWD is ${0##*/}", "/x/y z"]): "ok exit status 0: / is y z",
    Probe.command(["sh", "-c", "echo no luck >&2; exit 3"], timeout=1): "failed exit status 3: no luck",
    Probe.unit("serve.service"): "ok active",
    Probe.unit("rescue.service", timeout=1): "failed inactive",
}
OTHERWISE = """set -e
cat >/run/other.env
mount --bind /run/other.env /etc/eyas/containers/three.env
mount -t tmpfs none /run/eyas/probes
/usr/local/lib/eyas/probe three >&2 || echo failed
cat /run/eyas/probes/three
"""
"""The container's probes are others in here, and nobody else sees it."""


def test_probes_see_what_they_are_asked_for(row: Row) -> None:
    """Each kind, where it passes and where it does not: a status, a text, a port, a command, systemd's own state."""
    spec = json.loads(row.host.succeed("cat", "/etc/eyas/containers/three.json"))
    env = render_env({**spec, "probes": [probe_fields(probe) for probe in TRIED]})
    said = row.host.succeed("unshare", "--mount", "bash", "-c", OTHERWISE, input=env).splitlines()
    seen = [f"{result} {what}" for result, _, what in (line.split("\t") for line in said[1:])]
    assert (said[0], seen) == ("failed", [*TRIED.values()])


def test_what_listens_elsewhere_is_undone(row: Row) -> None:
    """A wrong port: the roll ends at the first one, the others are not touched, and the report says all of it."""
    before = row.invocations()
    with row.load_on("three", seconds=11) as load:
        said = row.undone(ALL_BIGGER, ('12, server("first"))', '12, server("first", port=9090))'))
    assert load.failed == 0, load.seen
    assert "cannot bring up three: the probe http 8080 / failed" in said.err
    assert "tried: three: " in said.out
    assert "root size 48M -> 64M" in said.out
    assert "(fleet.py:" in said.out
    assert "listening on 9090" in said.out, "the last words of the unit"
    assert "now: three runs with its old root since" in said.out
    assert "nothing else was touched: 2 of 3" in said.out
    after = row.invocations()
    assert {name for name in NAMES if after[name] != before[name]} == {"three"}
    (told,) = [run for run in json.loads(row.eyas("history", "--json"))["runs"] if run["run"] == row.last_run()]
    assert "listening on 9090" in str(told["log"])
    assert row.held() == ""
    assert row.differs(row.text) == []


def test_a_crash_loop_is_undone(row: Row) -> None:
    """It is well for a moment, again and again: found while it is watched, when its clients are in already."""
    loop = unit(
        "[Unit]\\nStartLimitIntervalSec=0\\n"
        "[Service]\\nExecStart=sh -c 'sleep 0.7; echo out of luck; exit 3'\\nRestart=always\\nRestartSec=100ms\\n"
    )
    said = row.undone(('first", probes=False)', f'first", probes=False, flaky={loop}), size="64M"'))
    assert "cannot keep up one: flaky.service does not stay up" in said.err
    assert "out of luck" in said.out
    assert row.held() == ""
    assert row.differs(row.text) == []


def test_a_hang_at_the_start_is_undone(row: Row) -> None:
    """Something that the start waits for never ends: after the declared time it is over, and nothing stale is left."""
    hang = unit("[Service]\\nType=oneshot\\nExecStart=sleep infinity\\nTimeoutStartSec=infinity\\n")
    began = time.monotonic()
    said = row.undone(('first", probes=False)', f'first", probes=False, hang={hang}), size="64M"'))
    assert "cannot start systemd-nspawn@one.service" in said.err
    assert "the last lines of one:" in said.out
    assert 5 < time.monotonic() - began < 60
    assert row.host.succeed("cat", "/proc/self/mountinfo").count("/run/eyas/roots/one ") == 1
    assert row.names() == sorted(NAMES)
    assert row.differs(row.text) == []


def test_a_unit_that_fails_after_its_restart_is_undone(row: Row) -> None:
    """Its clients wait while it is tried and taken back; the container runs on."""
    before = row.invocations()
    with row.load_on("three", seconds=7) as load:
        said = row.undone(('12, server("first"))', '12, server("first", port="none"))'))
    assert load.failed == 0, load.seen
    assert "serve.service" in said.err
    assert "invalid literal for int()" in said.out, "the last words of the unit"
    assert "now: no container was restarted or stopped" in said.out
    assert row.invocations() == before
    assert row.held() == ""


def test_a_unit_whose_job_fails_is_undone(row: Row) -> None:
    """With other settings it does not even start: the report has its own last words."""
    before = row.invocations()
    said = row.undone(
        ("ExecStart=/usr/local/bin/serve", "ExecStartPre=sh -c 'echo no luck; exit 3'\\nExecStart=/usr/local/bin/serve")
    )
    assert "cannot restart serve.service in " in said.err
    assert "no luck" in said.out, "the last words of the unit"
    assert row.invocations() == before
    assert row.held() == ""


def test_a_unit_inside_restarts_unnoticed(row: Row) -> None:
    """The server takes half a second to listen again; its container goes on, and its clients wait that long."""
    before = row.invocations()
    with row.load_on("one", seconds=7) as load:
        row.change(('"first"', '"second"'))
    assert load.failed == 0, load.seen
    assert set(load.seen["answers"]) == {"first", "second"}
    live = row.times()[("live", "one")]
    assert load.longest < live[1] - live[0] + LATE
    assert row.invocations() == before
    assert row.held() == ""


def test_a_roll_under_load(row: Row) -> None:
    """One after the other in the order of their edges; new connections wait for as long as their container takes. One
    has a unit that ignores the end: it holds up for the declared time, and no longer."""
    before = row.invocations()
    retry(lambda: row.execute("internet", "curl", "-sS", row.url("one")).code == 0, "one serves", 30)
    # One has no probes, and its server is up later than its systemd: the clients wait for it all the same.
    with row.load_on("two", seconds=14) as load, row.load_on("one", seconds=14) as unproved:
        row.change(ALL_BIGGER)
    assert load.failed == 0, load.seen
    assert unproved.failed == 0, unproved.seen
    times = row.times()
    held = {name: times[("release", name)][1] - times[("hold", name)][0] for name in NAMES}
    print(f"held: {held}, longest request {load.longest}")
    assert 3 < held["two"] < 3 + 20
    assert load.longest < held["two"] + LATE
    for name in NAMES:
        verbs = [times[(verb, name)] for verb in ("hold", "drain", "restart", "ready", "release", "watch")]
        assert all(one[1] <= two[0] + 0.01 for one, two in pairwise(verbs)), verbs
        assert times[("watch", name)][1] - times[("watch", name)][0] > 0.9
    for first, second in pairwise(ORDER):
        assert times[("watch", first)][1] <= times[("hold", second)][0] + 0.01, "two stood still at once"
    assert not set(before.values()) & set(row.invocations().values())
    assert row.host.succeed("cat", "/proc/self/mountinfo").count("/run/eyas/roots/two ") == 1
    assert row.names() == sorted(NAMES), "nothing stale is registered"
    links = row.host.succeed("ls", "/proc/sys/net/ipv4/conf").split()
    assert sorted(link for link in links if link.startswith("vb-")) == sorted(f"vb-{name}" for name in NAMES)
    assert row.held() == ""
    assert row.differs(row.text) == []


ASK = """
import socket, sys, time
began, told = time.monotonic(), "connected"
with socket.socket() as client:
    client.settimeout(60)
    try:
        client.connect((sys.argv[1], int(sys.argv[2])))
    except OSError as error:
        told = type(error).__name__ if error.errno != 113 else "NoRoute"
print(told, round(time.monotonic() - began, 2))
"""


def test_after_the_time_to_hold_clients_are_told_the_truth(row: Row) -> None:
    """It may wait for two seconds and takes far longer: who asks is refused then, and does not wait for more."""
    slow = unit("[Unit]\\nBefore=serve.service\\n[Service]\\nType=oneshot\\nExecStart=sleep 8\\n")
    plain, brief = '12, server("second"))', '12, server("second"), hold=2)'
    late = f'12, server("second", slow={slow}), size="72M", hold=2, start_timeout=30)'
    row.change((plain, brief))
    row.text = edited(row.text, (brief, late))
    row.write(row.text)
    number = step_numbers(row.plan(), "container.restart container:three")[0]
    asked = (("python3", "-c", ASK, PUBLIC, "8012"), ("curl", "-sS", "--max-time", "60", row.url("three")))
    with hand_on(row.start("apply", "--yes")) as process:
        row.wait_step(process, number)
        with ThreadPoolExecutor() as pool:
            first, web = pool.map(lambda words: row.internet.execute(*words), asked)
        later = row.internet.execute(*asked[0])
        said = row.end(process)
    assert said.code == 0, said
    print(f"first {first.text}, curl {web.code}, later {later.text}")
    restarted, up = row.times()[("restart", "three")][0], row.times()[("ready", "three")][1]
    told, waited = first.text.split()
    assert told in ("ConnectionRefusedError", "NoRoute")
    assert float(waited) < up - restarted, "nobody had to wait for what comes after that"
    assert web.code == 7, "it could not connect, and says so"
    assert later.text.split()[0] in ("ConnectionRefusedError", "NoRoute")
    assert row.internet.get(row.url("three")) == "second"
    row.change((late, plain))


def test_requests_under_way_end_first(row: Row) -> None:
    """One that is answered a second later is waited for; one that never is, for three seconds."""
    answers: list[str] = []

    def ask() -> None:
        answers.append(row.internet.execute("curl", "-sS", "--max-time", "60", row.url("three", "/slow")).text)

    sizes = ('12, server("second"))', '12, server("second"), size="80M")')
    for answered, edit in ((True, sizes), (False, sizes[::-1])):
        row.text = row.text.replace(*edit)
        row.write(row.text)
        number = step_numbers(row.plan(), "container.drain container:three")[0]
        thread = threading.Thread(target=ask)
        thread.start()
        with hand_on(row.start("apply", "--yes")) as process:
            row.wait_step(process, number)
            if answered:
                time.sleep(1)
                row.host.succeed("touch", "/run/eyas/roots/three/go")
            said = row.end(process)
        thread.join()
        assert said.code == 0, said
        assert answers.pop() == ("second" if answered else "")
        began, ended = row.times()[("drain", "three")]
        print(f"drained for {ended - began:.2f} s")
        assert (0.9 if answered else 2.8) < ended - began < 3 + LATE
