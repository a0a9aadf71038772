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
from .stack import Stack


def main(verb: str, name: str) -> int:
    stack = Stack(name)
    if verb == "run":
        stack.supervise()
    elif verb == "apply":
        try:
            stack.apply()
        except Refused as error:
            print(error, file=sys.stderr)
            return 1
    elif verb == "stop":
        stack.stop()
    elif verb == "state":
        print(json.dumps(stack.state()))
    elif verb == "check":
        said = stack.check()
        if said:
            print(said, file=sys.stderr)
            return 1
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]) if len(sys.argv) == 3 else print(__doc__, file=sys.stderr) or 2)
