"""What is asked of systemd over its own socket is what systemctl(1) says."""

from __future__ import annotations

import json

from eyas.lab import LabHost
from eyas.lab.testing import Host
from eyas.remote import bundle
from eyas.remote.transport import LabWire, ensure
from tests.lab.labs import LabMaker

KINDS = ("*.service", "*.socket", "*.mount", "*.target", "*.timer", "*.slice")
PATTERNS = (*KINDS, "-.mount", "gone.service", "idle.service")
DROP_INS = "/etc/systemd/system/idle.service.d"

PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from eyas.host.command import run
from eyas.host.states import States
from eyas.host.units import parse_show, show_argv
patterns = sys.argv[2:]
ours, theirs = States(patterns).result(), parse_show(run(show_argv(patterns)).text)
rows = [{name: dict(vars(state)) for name, state in sorted(found.items())} for found in (ours, theirs)]
for found in rows:
    for row in found.values():  # asked of units in containers only, by systemctl
        del row["restarts"], row["can_reload"]
print(json.dumps(rows))
"""


def both(host: Host) -> tuple[dict[str, dict[str, object]], dict[str, dict[str, object]]]:
    folder = bundle.launcher().rpartition("/")[0]
    said = host.succeed("/usr/bin/python3", "-I", "-S", "-B", "-c", PROGRAM, folder, *PATTERNS)
    ours, theirs = json.loads(said)
    return ours, theirs


def test_units_are_as_systemctl_says(make_lab: LabMaker) -> None:
    lab = make_lab(LabHost("units", addresses=("203.0.113.20/26",)))
    host = Host(lab, "units")
    machine = lab.host("units")
    ensure(LabWire("units", tuple(machine.command([])), machine.root))
    host.succeed("sh", "-c", "printf '[Service]\\nExecStart=sleep 1000\\n' >/etc/systemd/system/idle.service")
    host.succeed("systemctl", "daemon-reload")
    ours, theirs = both(host)
    assert len(ours) > 50
    assert ours == theirs
    assert ours["gone.service"]["load"] == "not-found"
    # a drop-in that systemd has not read, then one that it has read and that went away
    host.succeed("systemctl", "start", "idle.service")
    host.succeed("sh", "-c", f"mkdir {DROP_INS}; echo >{DROP_INS}/a.conf")
    ours, theirs = both(host)
    assert ours == theirs
    assert ours["idle.service"]["need_reload"]
    host.succeed("systemctl", "daemon-reload")
    ours, theirs = both(host)
    assert ours == theirs
    assert not ours["idle.service"]["need_reload"]
    assert ours["idle.service"]["drop_ins"] == [f"{DROP_INS}/a.conf"]
    host.succeed("rm", f"{DROP_INS}/a.conf")
    ours, theirs = both(host)
    assert ours == theirs
    assert ours["idle.service"]["need_reload"]
