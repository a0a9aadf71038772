"""The quick reading of a command line: what is plainly right is understood here, everything else goes to typer.

Importing typer takes longer than an apply with nothing to do. So a command line that consists of known words only is
read here, from the same table that the typer application is made of; help, completion, abbreviations and every mistake
give None, and typer answers. A property test compares the two readings.
"""

from __future__ import annotations

from eyas.cli.verbs import BY_NAME, GLOBALS, GROUPS

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyas.cli.table import Option, Value, Values, Verb


class Call:
    """A command line that was understood: the verb, the options that all share, and the verb's own."""

    def __init__(self, verb: Verb, globals: Values, values: Values) -> None:
        self.verb = verb
        self.globals = globals
        self.values = values


def read(words: Sequence[str]) -> Call | None:
    """Understand a command line (without the program's name), or give None."""
    shared: Values = {option.name: option.default for option in GLOBALS}
    rest = _options(list(words), GLOBALS, shared, {}, stop=True)
    if not rest:
        return None
    count = 2 if rest[0] in GROUPS else 1
    verb = BY_NAME.get(" ".join(rest[:count]))
    if verb is None:
        return None
    values = verb.defaults()
    left = _options(rest[count:], (*GLOBALS, *verb.options), shared, values)
    if left is None or not _arguments(verb, left, values):
        return None
    return Call(verb, shared, values)


def _options(
    words: list[str], options: Sequence[Option], shared: Values, values: Values, stop: bool = False
) -> list[str] | None:
    """Take options out of the words; what is left are arguments. None for anything unusual.

    With ``stop``, ends at the first word that is no option. ``values`` takes what the verb declares, ``shared`` the
    rest.
    """
    known = {flag: option for option in options for flag in option.flags}
    left: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            return None if stop else [*left, *words]
        if not word.startswith("-") or word == "-":
            if stop:
                return [word, *words]
            left.append(word)
            continue
        flag, equals, value = word.partition("=")
        option = known.get(flag)
        if option is None or (option.is_flag and equals) or (equals and not flag.startswith("--")):
            return None
        got: Value = True
        if not option.is_flag:
            if not equals and not words:
                return None
            text = value if equals else words.pop(0)
            if option.number and not (text.isascii() and text.isdigit()):
                return None
            got = int(text) if option.number else text
        (values if option.name in values else shared)[option.name] = got
    return left


def _arguments(verb: Verb, words: list[str], values: Values) -> bool:
    """Give the words to the verb's arguments in order; False when there are too few or too many."""
    for argument in verb.arguments:
        if argument.many:
            values[argument.name] = tuple(words)
            if argument.required and not words:
                return False
            words = []
        elif words:
            values[argument.name] = words.pop(0)
        elif argument.required:
            return False
    return not words
