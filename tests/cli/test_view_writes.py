"""What containers wrote, as text."""

from __future__ import annotations

from eyas.cli.view.plan import plan_text
from eyas.cli.view.writes import loss_lines, writes_text
from eyas.core.words import Action, Change, FieldChange, Impact, Loss, Plan, Reason
from eyas.core.written import Written
from eyas.status.writes import Proposal

ITEMS = [
    Written("/etc/app.conf", "changed", "file", 1536, 1, 90.0, owner="root", package="app"),
    Written("/srv/many/*", "new", "file", 0, 40, 95.0, uid=-1),
    Written(
        "/var/lib/app", "new", "dir", 3 << 20, 1, 40.0, 900, owner="app", unit="app.service", how="StateDirectory="
    ),
]
NOISE = [{"rule": "logs", "count": 3, "size": 4096}, {"rule": "empty folders", "count": 0, "size": 0}]
PROPOSAL = Proposal("/var/lib/app", "/data/web/app", 'Bind("a", "b")', "fleet.py:4", ("x",), ("app.service",), 3 << 20)


def test_all_of_it() -> None:
    text = writes_text("web", ITEMS, NOISE, [PROPOSAL], 100.0, 120)
    rows = [line.split() for line in text.splitlines()]
    assert rows[1] == ["1.5K", "10", "s", "changed,", "of", "app", "root", "/etc/app.conf"]
    assert rows[2] == ["0", "5", "s", "new", "several", "/srv/many/*", "(40", "files)"]
    assert " ".join(rows[3]) == "3M 1 min new app /var/lib/app/ (1 file) app.service (StateDirectory=)"
    assert "3 paths, 3M: a restart of web loses them." in text
    assert '    Bind("a", "b"),  # 3M of app.service' in text
    assert "add to binds of web (fleet.py:4)" in text
    assert text.endswith("  logs: 3 files, 4K\n  empty folders: nothing in them")


def test_nothing_that_anybody_would_miss() -> None:
    noise = Written("/var/log/x", rule="logs", at=10.0)
    text = writes_text("web", [noise], NOISE, [], 100.0)
    assert text.startswith("web wrote nothing outside its persistent paths")
    assert "noise: logs" in writes_text("web", [noise], NOISE, [], 100.0, everything=True)


def test_a_plan_warns_of_what_is_new_alone() -> None:
    new = (
        ("/var/lib/app", "new", 2048),
        ("/etc/x", "changed", 5),
        ("/a", "deleted", 0),
        ("/b", "new", 1),
        ("/c", "new", 1),
    )
    losses = (Loss("web", new, ("/old",)), Loss("db", (), ("/old",)))
    assert loss_lines(losses) == [
        "warning: web loses what it wrote: /var/lib/app (2K), /etc/x (changed), /a (deleted) and 2 more paths; "
        "see: eyas writes web"
    ]
    field = FieldChange("root_size", 1, 2, Impact.restart, "root size 1 -> 2")
    change = Change("container:web", "container", "web", Action.update, Impact.restart, Reason.differs, fields=(field,))
    plan = Plan("h", (change,), (), losses=losses)
    assert "see: eyas writes web" in plan_text(plan)
    assert Plan.from_json(plan.to_json()) == plan
