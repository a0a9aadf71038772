"""Keeps one Compose stack: brings it up as declared, starts again what is not well, says how it is.

usage: eyas-compose run|apply|stop|check|state NAME

``run`` is the unit compose-NAME.service, the one owner of restarts: Docker restarts none of these containers by itself.
``apply`` (its reload) makes what runs as declared: services that differ are made anew, others are left alone, what is
declared no more goes, but for volumes. A service with a running job is left as it is until the job has ended.

Declared: /etc/eyas/compose/NAME (stack.json, pins.json, the folder in ``files``).
"""

from __future__ import annotations

import json
import sys

from .docker import Refused
from .stack import ETC, Stack

VERBS = ("run", "apply", "stop", "check", "state")


def main(words: list[str]) -> int:
    """Exit status: 0, 1 for what cannot be done or is not well, 2 for a wrong command line."""
    if len(words) != 2 or words[0] not in VERBS:
        print(__doc__, file=sys.stderr)
        return 2
    verb, name = words
    try:
        return _verb(verb, _stack(verb, name))
    except (Refused, OSError, ValueError) as error:
        cannot = str(error).startswith("cannot ")
        print(f"{error}" if cannot else f"cannot {verb} the stack {name}: {error}", file=sys.stderr)
        return 1


def _stack(verb: str, name: str) -> Stack:
    declared = sorted(path.parent.name for path in ETC.glob("*/stack.json"))
    if name not in declared and verb != "stop":  # which ends what is declared no more
        raise Refused(f"cannot find the stack {name} (there are: {', '.join(declared) or 'none'})")
    return Stack(name)


def _verb(verb: str, stack: Stack) -> int:
    if verb == "run":
        stack.supervise()
    elif verb == "apply":
        stack.apply()
    elif verb == "stop":
        stack.stop()
    elif verb == "state":
        print(json.dumps(stack.state()))
    else:
        said = stack.check()
        if said:
            print(said, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
