"""What may cut the connection of whoever asks for it."""

from __future__ import annotations

import pytest

from eyas.apply.risk import risks, risky_steps
from eyas.core.words import Action, Change, FieldChange, Impact, Phase, Plan, Reason, Step


def change(id_: str, action: Action = Action.update, *notes: str) -> Change:
    fields = tuple(FieldChange("x", None, None, Impact.live, note) for note in notes)
    return Change(id_, id_.partition(":")[0], "host", action, Impact.live, Reason.differs, "", fields)


@pytest.mark.parametrize(
    ("made", "risky"),
    [
        (change("network:50-eyas-br0.network"), True),
        (change("firewall:eyas", Action.update, "forward 80/tcp to web added"), False),
        (change("firewall:eyas", Action.update, "forward 80/tcp to web added", "forward 81/tcp to web removed"), True),
        (change("firewall:eyas", Action.update, "rules changed"), True),
        (change("firewall:eyas", Action.update, "shop may now use data:80", "notes comes"), False),
        (change("firewall:eyas", Action.update, "port 80/tcp of the host opened"), False),
        (change("firewall:eyas", Action.update, "port 22/tcp of the host closed"), True),
        (change("firewall:eyas", Action.create, "firewall added"), True),
        (change("sysctl:net.ipv4.neigh.default.gc_thresh1"), False),
        (change("sysctl:net.ipv4.ip_forward"), True),
        (change("sysctl:vm.swappiness"), False),
        (change("file:/etc/ssh/sshd_config.d/x.conf"), True),
        (change("file:/home/ann/.ssh/authorized_keys", Action.create), True),
        (change("file:/etc/motd"), False),
        (change("unit:sshd.service"), True),
        (change("unit:backup.service"), False),
        (change("user:ann"), True),
        (change("user:ann", Action.delete), True),
        (change("user:ann", Action.create), False),
        (change("container:web"), False),
    ],
)
def test_risks(made: Change, risky: bool) -> None:
    assert bool(risks(Plan("h", (made,), ()))) is risky


def test_risky_steps_are_those_that_act() -> None:
    steps = (
        Step("network", "settle", "network:settle", Phase.prepare),
        Step("file", "write", "file:/etc/motd", Phase.host),
        Step("network", "write", "network:a.network", Phase.network),
        Step("network", "reload", "network:reload", Phase.network),
    )
    assert risky_steps(Plan("h", (change("network:a.network"), change("file:/etc/motd")), steps)) == [2, 3]
    assert risky_steps(Plan("h", (change("file:/etc/motd"),), steps)) == []
