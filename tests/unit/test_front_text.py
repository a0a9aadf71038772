"""Sites as text of nginx: whatever their values are, what is written is read as what was meant."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.core.errors import DefinitionError
from eyas.model import Answer, Backend, Choose, Location, Login, Proxy, Redirect, Site, Static, nginx
from eyas.parts.front_sites import Front, site_conf
from eyas.parts.front_text import space, symbol, time

APP = Backend("app", 80)
NASTY = st.text(alphabet=st.sampled_from("a/.$\\\"'{};#~ \n\t()|[]%é&=*"), max_size=12)
ANY = st.text(max_size=20) | NASTY


def made(site: Site) -> list[nginx.Directive]:
    """Its file as nginx reads it, references to containers filled."""
    return nginx.parse(site_conf(site, Front()).replace("@{app.address}", "10.0.5.2"))


@given(ANY)
def test_a_word_is_one_word_and_the_same(text: str) -> None:
    if "\0" not in text:
        (directive,) = nginx.parse(f"x {nginx.word(text)};") if text else nginx.parse('x "";')
        assert directive.words == ["x", text]
        assert directive.block is None


@given(ANY)
def test_a_literal_asks_for_no_variable(text: str) -> None:
    if "\0" not in text:
        (directive,) = nginx.parse(f"x {nginx.literal(text)};")
        assert {name for word in directive.words for name in nginx.variables(word)} <= {"eyas_dollar"}
        assert directive.words[1].replace("${eyas_dollar}", "$") == text


def dollars(text: str) -> str:
    """A text in which no variable is meant."""
    return text.replace("$", "$$")


def places(path: str, text: str, regex: str) -> list[Location]:
    return [
        Location("/" + path, Static("/srv/" + path, fallback="/" + path, index=[text or "x"])),
        Location.exact("/" + path, Answer(200, text)),
        Location.regex(regex or "x", Proxy(APP, headers={"X-A": dollars(text)})),
        Location(
            "/c" + path, Choose("a", {text or "b": Redirect("https://e.org/" + path.replace("$", "$$"))}, Answer(404))
        ),
        Location("/p" + path, Proxy(APP, path="/" + path)),
        Location("/l" + path, Answer(410, text), login=Login(text.replace("$", "") or "r", file="/etc/" + path)),
    ]


def shapes(directives: list[nginx.Directive], above: str = "") -> set[tuple[str, str, int]]:
    """What stands in what, and with how many words; locations have one more where they are exact."""
    found: set[tuple[str, str, int]] = set()
    for one in directives:
        if above != "types":
            found.add((above, one.name, 0 if one.name == "location" else len(one.words)))
            found |= shapes(one.block or [], one.name)
    return found


TAME: set[tuple[str, str, int]] = set()
for words in (("abc", "x"), ("", ""), ("abc/", "a b")):
    TAME |= shapes(made(Site("a.example.org", *places(*words, "x"), headers={"X-B": words[1]})))
"""What may stand where."""


@settings(max_examples=150)
@given(ANY, ANY, ANY)
def test_no_value_ends_a_directive(path: str, text: str, regex: str) -> None:
    """A value is refused, or it is one word of the file, which has no directives beyond those of a tame site."""
    try:
        site = Site("a.example.org", *places(path, text, regex), headers={"X-B": dollars(text)})
    except DefinitionError:
        return
    assert shapes(made(site)) <= TAME
    assert sum(directive.name == "server" for directive in made(site)) == 2


@given(st.from_regex(r"[a-z0-9_-]{1,8}(\.[a-z0-9_-]{1,8}){0,2}", fullmatch=True))
def test_a_symbol_is_a_name_of_a_variable(name: str) -> None:
    assert set(symbol(name)) <= set(string.ascii_letters + string.digits + "_")


def test_times_and_sizes_are_whole_units() -> None:
    assert [time(s) for s in (1, 60, 90, 3600, 86400, 604800)] == ["1s", "1m", "90s", "1h", "1d", "7d"]
    assert [space(s) for s in (0, 1000, 1024, 52428800, 5 << 30)] == ["0", "1000", "1k", "50m", "5g"]
