"""Plans as text: values in, text out."""

from __future__ import annotations

from textwrap import dedent

from eyas.cli.view.plan import plan_text, question
from eyas.cli.view.text import Paint
from eyas.core.words import Action, Change, FieldChange, Impact, Plan, Reason


def change(owner: str, *fields: FieldChange, kind: str = "container", action: Action = Action.update, name: str = "",
           line: int = 1, notice: str = "") -> Change:  # fmt: skip
    impact = max((field.impact for field in fields), default=Impact.none)
    return Change(
        f"{kind}:{name or owner}", kind, owner, action, impact, Reason.differs, f"fleet.py:{line}", fields, notice
    )


def field(impact: Impact, note: str = "", name: str = "x", old: object = None, new: object = None) -> FieldChange:
    return FieldChange(name, old, new, impact, note)  # type: ignore[arg-type]


def shown(*changes: Change, width: int = 120, untouched: tuple[str, ...] = (), left: tuple[str, ...] = ()) -> str:
    return plan_text(Plan("immortalis", changes, (), untouched, left), width)


def test_the_one_from_the_readme() -> None:
    text = shown(
        change("web-front", field(Impact.live, "site wiki.example.org added"), line=21, notice="nobody notices"),
        change("meshcentral", field(Impact.live, "", "limits.memory_max", 2 << 30, 3 << 30), line=17, notice="nobody"),
        change(
            "postgres", field(Impact.restart, "package postgresql-17-pgvector added"), line=14, notice="its clients"
        ),
        untouched=("web-front", "meshcentral", "a", "b", "c", "d", "e", "f", "g"),
    )
    assert text == dedent("""\
        postgres     restart  package postgresql-17-pgvector added  fleet.py:14  its clients
        meshcentral  live     memory max 2G -> 3G                   fleet.py:17  nobody
        web-front    live     site wiki.example.org added           fleet.py:21  nobody notices
        7 containers and the host: untouched.
        2 containers changed while running: meshcentral, web-front.""")


def test_nothing_to_do() -> None:
    assert shown(untouched=("a",)) == "immortalis: no changes. The host is what the definitions say."


def test_what_only_prepares_is_not_shown_beside_its_container() -> None:
    text = shown(
        change("new", kind="container", action=Action.create, line=3, notice="nobody notices: it was not running"),
        change("new", kind="layer", action=Action.create, name="ab" * 32),
        change("host", kind="tree", action=Action.create, name="cd" * 32),
        change("host", kind="names", action=Action.update, name="hosts", line=9),
        untouched=("a",),
    )
    assert text == dedent("""\
        new   create  created                         fleet.py:3  nobody notices: it was not running
        host  none    names of the containers changed  fleet.py:9
        1 container: untouched.""").replace("created     ", "created      ", 1)


def test_what_prepares_alone_is_shown() -> None:
    assert shown(change("web", kind="layer", action=Action.create, name="ab" * 32)).startswith(
        "web  none  layer abababababab added"
    )


def test_removal_keeps_data_and_says_so() -> None:
    text = shown(change("old", kind="container", action=Action.delete), left=("/data_1/old",))
    assert "removed, its data stays" in text
    assert text.endswith("Left behind, named by no definition any more (data is never removed):\n  /data_1/old")


def test_a_narrow_terminal_wraps_and_loses_nothing() -> None:
    words = "package postgresql-17-pgvector added to what every container of the fleet has had since last year"
    text = shown(change("postgres", field(Impact.restart, words), notice="its clients: connections break"), width=80)
    assert max(map(len, text.splitlines())) <= 80
    seen = " ".join(text.split())
    assert all(word in seen for word in words.split())


def test_colours_are_only_paint() -> None:
    plan = Plan("h", (change("a", field(Impact.restart, "x y")),), ())
    painted = plan_text(plan, 100, Paint(on=True))
    assert "\033[31m" in painted
    plain = painted
    for code in ("1", "2", "31", "32", "33", "0"):
        plain = plain.replace(f"\033[{code}m", "")
    assert plain == plan_text(plan, 100)


def test_the_question_names_who_restarts() -> None:
    plan = Plan("h", (change("b", field(Impact.restart)), change("a", action=Action.delete)), ())
    assert question(plan) == "Restart or stop 2 containers (a, b)?"


def test_a_long_list_is_cut_and_told_in_full_when_asked() -> None:
    fields = tuple(field(Impact.live, f"/etc/file{number} added") for number in range(9))
    plan = Plan("h", (change("web", *fields),), ())
    assert "and 3 more (-v lists them)" in plan_text(plan)
    assert "file8" not in plan_text(plan)
    assert "file8" in plan_text(plan, verbose=True)
    assert "more (-v" not in plan_text(plan, verbose=True)
