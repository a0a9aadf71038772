"""What `eyas ports`, `sites`, `verify` and `maintenance` ask of a host; see `eyas.remote.agent.serve`.

sockets      who listens, on the host and in each of its containers that runs
ask          questions, asked from places (`eyas.host.vantage`)
asked        whom addresses have asked lately, as the kernel's table of connections knows
maintenance  flag files in a running front
limits       what the kernel holds running containers to
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.errors import Failed, UsageError
from eyas.core.events import Event
from eyas.core.words import Json
from eyas.kind.slots import machine_now

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.core.system import System
    from eyas.remote.agent.serve import Agent, Request

MOST = 120.0  # seconds that all questions together may take


def sockets(agent: Agent, request: Request) -> Json:
    """Of the containers ``names``: those that do not run are left out."""
    from eyas.host.sockets import of_container, of_host

    system = agent.system()
    found: dict[str, Json] = {}
    for name in _words(request.get("names")):
        rows = of_container(machine_now(system.files, name))
        if rows is not None:
            found[name] = [*rows]
    return {"host": [*of_host()], "containers": found}


def ask(agent: Agent, request: Request) -> Json:
    """``places``: the questions of each; ``seconds``: what all of them may take together."""
    from eyas.host.vantage import HOST, inquire

    system, given = agent.system(), request.get("places")
    places = {name: _rows(rows) for name, rows in (given.items() if isinstance(given, dict) else ())}
    machines = {name: machine_now(system.files, name) for name in places if name != HOST}
    limit = request.get("seconds")
    seconds = min(MOST, float(limit) if isinstance(limit, int | float) else 30.0)
    done = 0

    def tell(name: str) -> None:
        nonlocal done
        done += 1
        agent.tell(Event("verify", name, f"{len(places[name])} questions answered", done, len(places)))

    answers = inquire(places, machines, seconds, tell)
    return {name: [*rows] for name, rows in answers.items()}


def asked(_agent: Agent, request: Request) -> Json:
    """(own port, address, port) of whom the ``addresses`` have asked over TCP in the last two minutes."""
    from eyas.host.conntrack import asked_by

    return [[own, address, port] for own, address, port in asked_by(tuple(_words(request.get("addresses"))))]


def maintenance(agent: Agent, request: Request) -> Json:
    """Put flags of a front up (``on``) and take them down (``off``); gives those that are up then. The folder is in
    the container's /run: what is there goes when it stops."""
    from eyas.host.flags import flags

    name, folder = str(request.get("name")), str(request.get("folder"))
    on, off = _words(request.get("on")), _words(request.get("off"))
    if not folder.startswith("/run/") or any("/" in flag or flag.startswith(".") for flag in (*on, *off)):
        raise UsageError(f"cannot keep such flags in {folder}")
    system = agent.system()
    machine = machine_now(system.files, name)
    try:
        return [*flags(machine, _base(system, machine), folder, on, off)]
    except ProcessLookupError:
        raise Failed(
            f"cannot switch maintenance in {name}: it does not run", f"start it: eyas apply --only {name}"
        ) from None


def limits(agent: Agent, request: Request) -> Json:
    """Of the containers ``names``, which run: what `eyas.host.limits.effect` reads."""
    import json

    from eyas.host.limits import effect

    system, found = agent.system(), dict[str, Json]()
    for name in _words(request.get("names")):
        machine = machine_now(system.files, name)
        known = json.loads(system.files.read(paths.print_of(machine)) or b"{}")
        spec = known.get("spec") if isinstance(known, dict) else None
        found[name] = effect(machine, spec if isinstance(spec, dict) else {})
    return found


def _base(system: System, machine: str) -> int:
    import json

    spec = json.loads(system.files.read(paths.spec(machine)) or b"{}")
    base = spec.get("uid_base") if isinstance(spec, dict) else None
    return base if isinstance(base, int) else 0


def _words(value: Json) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _rows(value: Json) -> list[Mapping[str, Json]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
