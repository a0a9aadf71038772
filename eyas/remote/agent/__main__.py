"""Entry of the agent: python3 -I -S -B run.py serve | recover [--boot] [--accept] | renew | egress [answer] | compile

Without -S, because it needs packages of the host: `acme` (`eyas.host.acme`).

`serve` is on the way of every command of the operator, also of those that find nothing to do, so it imports only what
an observation needs; the rest is imported by the requests that need it.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and __package__ in (None, ""):
    raise SystemExit("start the agent by its launcher, run.py")


def main(words: list[str]) -> int:
    """Do what the words say; the exit status. Messages go to standard error: the journal, at boot."""
    match words:
        case ["serve"]:
            from eyas.remote.agent.serve import serve

            # Frames own standard output; what a stray print or a child says goes to standard error.
            frames = os.fdopen(os.dup(1), "wb")
            os.dup2(2, 1)
            return serve(open(0, "rb", buffering=0, closefd=False), frames)
        case ["recover", *options] if set(options) <= {"--boot", "--accept"}:
            from eyas.remote.agent.standalone import recover

            return recover(boot="--boot" in options, accept="--accept" in options)
        case ["renew"]:
            from eyas.remote.agent.standalone import renew

            return renew()
        case ["egress"]:
            from eyas.remote.agent.egress import serve as look

            return look()
        case ["egress", "answer"]:
            from eyas.remote.agent.egress import answer

            return answer()
        case ["acme"]:
            from eyas.host.acme.program import main as acme

            return acme(sys.stdin, sys.stdout)
        case ["compile"]:
            from eyas.remote.agent.standalone import compile_all

            return compile_all()
    sys.stderr.write("usage: run.py serve | recover [--boot] [--accept] | renew | egress [answer] | compile\n")
    return 2
