"""Jobs that nobody trusts: what they cannot do, and what is left of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.lab.limits.rig import ATTEMPTS, Tenants

PAGE = Path(__file__).parents[3] / "docs" / "untrusted.md"


def test_forty_attempts_are_refused(tenants: Tenants) -> None:
    status, log = tenants.job("attempts", ATTEMPTS)
    assert status == "0", log
    outcome = json.loads(log)
    for name, (refused, seen) in outcome.items():
        print(f"{'refused' if refused else 'DONE'}: {name}: {seen}")
    assert len(outcome) >= 40
    assert [(name, seen) for name, (refused, seen) in outcome.items() if not refused] == []
    # The page that tells what was tried tells all of it.
    assert set(re.findall(r"^\| ([^|]+?) \| refused", PAGE.read_text(), re.M)) == {*outcome}


def test_attempts_get_through_where_nothing_stops_them(tenants: Tenants) -> None:
    """Some of the list, by root of a container that has no such rules: so the list can tell one from the other."""
    names = (
        "secrets: keys of SSH", "secrets: passwords", "rights: mount", "bus: the system bus", "runner: leave a program",
        "rights: a namespace of mounts", "runner: its journal", "secrets: environment of others",
        "network: a raw socket",
    )  # fmt: skip
    tenants.inside("quick", "mkdir -p /build")
    said = tenants.succeed("quick", "python3", "-", *names, input=ATTEMPTS)
    assert [name for name, (refused, _) in json.loads(said).items() if refused] == []


def test_each_job_has_a_root_of_its_own(tenants: Tenants) -> None:
    places = "/build /tmp /var/tmp /dev/shm"
    leave = f"#!/bin/sh\nfor d in {places}; do echo mine >$d/left || exit 1; done\nsleep 100 & exit 7\n"
    assert tenants.job("one", leave) == ("7", "")
    look = f"#!/bin/sh\nls -A {places}; pgrep -a sleep; id -un\n"
    status, log = tenants.job("two", look)
    assert (status, "left" in log, "sleep" in log) == ("0", False, False), log
    assert log.endswith("ci-job")


def test_a_job_that_uses_up_what_it_has(tenants: Tenants) -> None:
    fill = "#!/bin/sh\ndd if=/dev/zero of=/build/big bs=1M\ndf -m --output=size /build | tail -1\n"
    status, log = tenants.job("full", fill)
    assert (status, "No space left on device" in log, log.split()[-1]) == ("0", True, "64"), log
    said = tenants.job("chatty", "#!/bin/sh\nhead -c 20M /dev/zero\n")[1]
    assert len(said) == 16 << 20
    assert tenants.job("after", "#!/bin/sh\necho fine\n") == ("0", "fine")


def test_nothing_is_left_of_jobs(tenants: Tenants) -> None:
    """Also not of one that was under way when the container stopped, and that is told as lost."""
    tenants.put_job("long", "#!/bin/sh\nsleep 600\n")
    tenants.host.wait_until(lambda: tenants.exists("/srv/ci/done/long/log"), "the job has begun", 30)
    tenants.switch("restart", "runner")
    tenants.host.wait_until(lambda: tenants.exists("/srv/ci/done/long/status"), "it is told", 30)
    assert tenants.succeed("host", "cat", "/srv/ci/done/long/status") == "lost: the runner stopped"
    assert tenants.job("after", "#!/bin/sh\necho fine\n") == ("0", "fine")
    assert tenants.inside("runner", "ls -A /run/ci; grep ci-job /proc/self/mountinfo || true") == ""
