"""A type in words: one description serves messages ("allowed is ...") and the tables of the manual."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from eyas.model.values import Words

SIMPLE = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    bytes: "bytes",
    type(None): "None",
}


def words(annotation: Any, metadata: Iterable[Any] = (), *, none: bool = True) -> str:
    """What a value of this annotation may be; ``none=False`` leaves out that None is allowed."""
    for mark in metadata:
        if isinstance(mark, Words):
            return mark.text
    kind, args = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return words(args[0], args[1:], none=none)
    if kind is Literal:
        return " or ".join(f'"{arg}"' if isinstance(arg, str) else str(arg) for arg in args)
    if kind in (Union, types.UnionType):
        branches = [words(arg) for arg in args if none or arg is not type(None)]
        return " or ".join(dict.fromkeys(branches))
    if kind is tuple:
        return f"a list of {_many(words(args[0]))}"
    if kind is dict:
        return f"a mapping of {words(args[0])} to {words(args[1])}"
    return SIMPLE.get(annotation) or str(getattr(annotation, "__name__", annotation))


def _many(text: str) -> str:
    """``a port: 1 to 65535`` inside ``a list of``."""
    return (
        text.split(": ")[0].removeprefix("a ").removeprefix("an ").removeprefix("the ") if text[:1].islower() else text
    )


def named(value: object) -> str:
    """A value as a message shows it: short, with its type when the text does not tell it."""
    text = repr(value)
    if len(text) > 60:
        text = text[:57] + "..."
    if isinstance(value, str | int | float | bool | type(None)):
        return text
    name = getattr(value, "name", None)
    if isinstance(name, str) and text[:1].isupper():
        return f'{type(value).__name__}("{name}")'
    return f"{text} ({type(value).__name__})" if not text[:1].isupper() else text
