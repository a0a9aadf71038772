"""The quick reading of a command line and typer's agree, for every line that the quick one understands."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.cli.app import run_app
from eyas.cli.read import Call, read
from eyas.cli.table import Argument, Option, Verb
from eyas.cli.verbs import GLOBALS, VERBS
from eyas.core.errors import UsageError

WORDS = st.text(alphabet="abz019./_=", min_size=1, max_size=6)


def by_typer(words: Sequence[str]) -> Call:
    calls: list[Call] = []

    def handle(call: Call) -> int:
        calls.append(call)
        return 0

    assert run_app(words, handle) == 0
    return calls[0]


@st.composite
def option(draw: st.DrawFn, row: Option) -> list[str]:
    flag = draw(st.sampled_from(row.flags))
    if row.is_flag:
        return [flag]
    value = str(draw(st.integers(0, 99))) if row.number else draw(WORDS)
    if flag.startswith("--") and draw(st.booleans()):
        return [f"{flag}={value}"]
    return [flag, value]


@st.composite
def argument(draw: st.DrawFn, row: Argument) -> list[str]:
    least = 1 if row.required else 0
    return draw(st.lists(WORDS, min_size=least, max_size=3 if row.many else 1))


@st.composite
def line(draw: st.DrawFn) -> list[str]:
    verb: Verb = draw(st.sampled_from(VERBS))
    before = [w for row in draw(st.lists(st.sampled_from(GLOBALS), max_size=2, unique=True)) for w in draw(option(row))]
    rows = [*verb.options, *GLOBALS]
    after = [w for row in draw(st.lists(st.sampled_from(rows), max_size=3, unique=True)) for w in draw(option(row))]
    words = [w for row in verb.arguments for w in draw(argument(row))]
    if draw(st.booleans()):
        words = ["--", *words]
    return [*before, *verb.words, *after, *words]


@settings(max_examples=60, deadline=None)
@given(line())
def test_both_readings_agree(words: list[str]) -> None:
    quick = read(words)
    assert quick is not None
    slow = by_typer(words)
    assert (quick.verb, quick.globals, quick.values) == (slow.verb, slow.globals, slow.values)


@pytest.mark.parametrize(
    "words",
    [
        [], ["--help"], ["plan", "-h"], ["aply"], ["plan", "--frob"], ["check", "extra"], ["exec"], ["exec", "x"],
        ["lab"], ["lab", "sideways"], ["apply", "--yes=1"], ["apply", "--jobs", "many"], ["apply", "--jobs"], ["-C"],
        ["plan", "-jx"],
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_typer(words: list[str]) -> None:
    assert read(words) is None


def test_what_follows_two_dashes_belongs_to_the_command() -> None:
    call = read(["--lab", "exec", "web", "--", "ls", "--lab", "-v", "--", "x"])
    assert call is not None
    assert call.globals["lab"] is True
    assert call.values == {"name": "web", "command": ("ls", "--lab", "-v", "--", "x")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["aply"], "cannot understand the command line: no such command 'aply'. Did you mean"),
        (["plan", "--frob"], "cannot understand the command line: no such option: --frob"),
        (["exec"], "cannot understand the command line: missing argument 'NAME'"),
        (["apply", "--jobs", "many"], "cannot understand the command line: invalid value for '-j' / '--jobs'"),
    ],
)
def test_mistakes_are_named(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_app(words, lambda _call: 0)
    assert caught.value.message.lower().startswith(said.lower()[:60])
    assert caught.value.hint.endswith("--help")
