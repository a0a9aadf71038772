"""On a lab host, in one process of eyas's agent: `rotate COUNT RULE...`, `tick [SECONDS FROM NOW]`,
`watch`, `whole`, `look`, `forget RULE...`, `old`, `release`.

The command line of eyas starts an agent for each rotation; a thousand of them are quicker so, and are the same code.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Callable, Sequence

sys.path.insert(0, "/usr/local/lib/eyas/agent/current")

from eyas.kind.egress import service, store
from eyas.kind.egress import text as rules
from eyas.kind.egress.state import State, state_from_json
from eyas.remote.agent.real import system as here


def whole() -> dict[str, object]:
    """Whether the kernel has the rules that the state asks for, and what they are."""
    system = here()
    with system.egress.locked():
        settings = store.settings(system)
        assert settings is not None
        state = state_from_json(json.loads(system.files.read(store.STATE) or b""))
        text = rules.ruleset(settings, state, time.time()).whole()
        loaded = system.egress.loaded()
        written = (system.files.read("/etc/eyas/egress.nft") or b"").decode()
        return {
            "same": bool(loaded.digest) and store.loaded_as(system, text) == loaded.digest,
            "boot": written == rules.at_boot(text),
            "chains": len(loaded.chains),
            "mode": state.mode,
            "held": state.held > time.time(),
            "pools": {name: [each.text for each in pool.addresses] for name, pool in state.pools.items()},
            "leaving": {name: [*pool.leaving] for name, pool in state.pools.items()},
            "answering": sorted(system.egress.answering(settings.uplink)),
        }


def change(do: Callable[[State], None]) -> None:
    system = here()
    with system.egress.locked():
        state = store.read(system)
        do(state)
        store.write(system, state)


def look(state: State) -> None:
    """How the prefix is reached is not known."""
    state.checked = 0.0


def old(state: State) -> None:
    """The life of all addresses is over."""
    for pool in state.pools.values():
        for each in pool.every():
            each.end = 0.0


def release(state: State) -> None:
    """A change that was taken back is forgotten."""
    state.held = 0.0


def forget(state: State, names: Sequence[str]) -> None:
    """Pools are to be made anew, with nothing that is known of destinations."""
    for name in names:
        pool = state.pools[name]
        pool.leaving.update({each.text: 0.0 for each in pool.every()})
        pool.addresses, pool.destinations = [], {}


def main(verb: str, *words: str) -> None:
    match verb:
        case "rotate":
            for _ in range(int(words[0])):
                began = time.monotonic()
                service.answer(here(), "rotate", words[1:])
                sys.stdout.write(f"{time.monotonic() - began:.3f}\n")
                sys.stdout.flush()
        case "tick":
            now = time.time() + sum(map(float, words))
            sys.stdout.write(json.dumps([event.to_json() for event in service.tick(here(), now)]))
        case "watch":
            while not select.select([sys.stdin], [], [], 0.5)[0]:  # until nobody listens any more
                service.tick(here())
        case "whole":
            sys.stdout.write(json.dumps(whole()))
        case "look":
            change(look)
            service.tick(here())
        case "forget":
            change(lambda state: forget(state, words))
            service.tick(here())
        case "old":
            change(old)
        case "release":
            change(release)


if __name__ == "__main__":
    main(*sys.argv[1:])
