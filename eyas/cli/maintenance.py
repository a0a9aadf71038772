"""`eyas maintenance on|off|list`: sites that answer with their page of maintenance, by flag files in the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eyas.cli.context import Context
from eyas.cli.crossing import Crossing, flags
from eyas.cli.session import Session
from eyas.core.errors import Failed, UsageError
from eyas.core.words import Json
from eyas.status.declared import Declared

VERSION = 1


def switch(context: Context, names: Sequence[str], *, on: bool, json: bool = False) -> int:
    """Switch it on or off for sites and containers."""
    with Session(context) as session:
        crossing = Crossing(session)
        wanted = places(crossing.declared, names)
        down = sorted(set(wanted) - set(crossing.running))
        if down:
            raise Failed(
                f"cannot switch maintenance in {', '.join(down)}: it does not run", "eyas apply starts it"
            )  # fmt: skip
        found = crossing.flags()
        for front, changed in wanted.items():
            found[front] = flags(session, front, changed if on else (), () if on else changed)
        session.listener.close()
        show(context, crossing.declared, found, json=json)
    return 0


def show(context: Context, declared: Declared, found: Mapping[str, Sequence[str]], *, json: bool) -> None:
    """Print what is under maintenance."""
    if json:
        rows: list[Json] = [
            {"front": front, "flag": flag, "sites": [*affected(declared, front, flag)]}
            for front, some in found.items()
            for flag in some
        ]
        context.write_json({"version": VERSION, "host": declared.host, "maintenance": rows})
        return
    lines = [
        f"{flag.removeprefix('@')}: {', '.join(affected(declared, front, flag)) or 'no site'} (in {front})"
        for front, some in found.items()
        for flag in some
    ]
    context.write("\n".join(lines) or f"{declared.host}: nothing is under maintenance.")


def affected(declared: Declared, front: str, flag: str) -> list[str]:
    """The sites that a flag in a front is about."""
    from eyas.status.sites import held_back

    return [site.name for site in declared.sites if site.front == front and held_back(site, [flag])]


def places(declared: Declared, names: Sequence[str]) -> dict[str, list[str]]:
    """The flags for sites and containers, by the front that they are for. UsageError for what no front leads to."""
    found: dict[str, list[str]] = {}
    for name in names:
        sites = [site for site in declared.sites if name in site.names]
        led = [site for site in declared.sites if any(name == backend for backend, _ in site.backends)]
        for site in sites:
            found.setdefault(site.front, []).append(site.name)
        for front in dict.fromkeys(site.front for site in led if not sites):
            found.setdefault(front, []).append(f"@{name}")
        if not sites and not led:
            raise UsageError(f"cannot switch maintenance of {name}: {_why(declared, name)}", _near(declared, name))
    return {front: [*dict.fromkeys(some)] for front, some in found.items()}


def _why(declared: Declared, name: str) -> str:
    return "no site leads to it" if name in declared.home else "no site or container has this name"


def _near(declared: Declared, name: str) -> str:
    import difflib

    known = [*(each for site in declared.sites for each in site.names), *declared.home]
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near and near[0] != name else "eyas sites lists the sites"
