"""Random edits of a small fleet, one after the other: what a plan claims is what is seen, and nothing else.

After each apply the host is looked at past eyas: which containers and which units inside were started anew, what is in
effect in them, who answers at each forward, and that nobody is held any more. Then there is nothing left to plan. In a
share of the edits the agent is killed or the host's power cut, somewhere on the way: the host is then wholly before or
wholly after, and the next apply converges.

EYAS_SEED names a sequence (it is told by a failure, with all edits), EYAS_EDITS how many; EYAS_FULL=1 does 200.
"""

from __future__ import annotations

import json
import os
import random
import time
from typing import Any

import pytest

from eyas.core.words import Impact
from eyas.lab.testing import retry
from tests.lab.random.claims import broken
from tests.lab.random.edits import PORTS, Author, Edit, World, first
from tests.lab.random.looks import Look, expected, look, unlike
from tests.lab.rig import FULL, Rig, Said, hand_on

SEED = int(os.environ.get("EYAS_SEED") or time.time_ns() % 1_000_000)
EDITS = int(os.environ.get("EYAS_EDITS") or (200 if FULL else 20))
BLOWS = EDITS // 4 if FULL else min(3, EDITS)
KINDS = ("kill:{}", "kill-after-do:{}", "moment", "cut")


def apply(rig: Rig) -> dict[str, Any]:
    """An apply that is kept; its plan."""
    return dict(rig.json("apply", "--yes")["plan"])


def undone_or_kept(rig: Rig, kind: str, draw: random.Random) -> Said:
    """An apply that is struck on its way; the host up again, and the run ended by recovery where it was left open."""
    steps = len(rig.plan()["steps"])
    number = draw.randrange(max(1, steps))
    if kind.startswith("kill"):
        said = rig.run("apply", "--yes", fault=kind.format(number))
    else:
        with hand_on(rig.start("apply", "--yes")) as process:
            try:
                rig.wait_step(process, number, timeout=60)
                time.sleep(draw.random() * 0.1)
            except AssertionError:
                assert process.poll() == 0, "it is over, or something is wrong"  # it was quicker than we
            if kind == "cut":
                rig.host.cut()
            else:
                rig.host.execute("sh", "-c", "kill -KILL $(sed 's/.* //' /run/eyas/lock)")
            said = rig.end(process)
    if kind == "cut":
        rig.host.boot()
        rig.host.wait_until_succeeds("systemctl", "is-active", "multi-user.target", timeout=120)
        retry(lambda: not rig.host.succeed("systemctl", "list-jobs", "--no-legend").strip(), "no jobs", 180)
    elif rig.open_run():
        ended = rig.run("recover")
        assert ended.code == 0, ended
    return said


def settled(rig: Rig, world: World) -> Look:
    """The host once everybody answers who is going to; a service that has just begun may take a moment."""
    wanted = expected(world)["answers"]
    return retry(lambda: seen if (seen := look(rig)).facts["answers"] == wanted else None, "answers", 2)


def left_to_do(rig: Rig, world: World) -> list[str]:
    """What eyas would still do so that the host is as these definitions say."""
    plan = rig.differs(world.text())
    return [f"left to do: {plan}"] if plan else []


def struck(rig: Rig, old: World, new: World, kind: str, draw: random.Random) -> bool:
    """Before or after, never between; whether it is after, because the blow came too late to undo anything."""
    rig.write(new.text())
    said = undone_or_kept(rig, kind, draw)
    wrong: dict[str, list[str]] = {}

    def one_of_them() -> bool:
        seen = look(rig).facts
        for when, world in (("before", old), ("after", new)):
            wrong[when] = unlike(seen, expected(world)) or left_to_do(rig, world)
        return not all(wrong.values())

    try:
        retry(one_of_them, "before or after", 10)
    except AssertionError:
        raise AssertionError(f"{kind}: neither before nor after: {json.dumps(wrong, indent=1)}\n{said}") from None
    return not wrong["after"]


def step(rig: Rig, new: World, edit: Edit, before: Look | None) -> Look:
    """One edit, applied; all that its plan claims, and how the host is afterwards."""
    before = before or look(rig)
    rig.write(new.text())
    plan = apply(rig)
    try:
        after = settled(rig, new)
    except AssertionError:
        after = look(rig)
    found = broken(plan, edit, before, after) + unlike(after.facts, expected(new)) + left_to_do(rig, new)
    assert not found, "\n".join(found)
    return after


def test_an_address_changes_hands(rig: Rig) -> None:
    """Whoever has it now is reached at once: the host remembers for a while where it was."""
    last: Look | None = None
    for edits in ({"ada": 17, "cyd": 11}, {"ada": 11, "cyd": 13}):
        world = first()
        for name, number in edits.items():
            world.cells[name].last = number
            world.cells[name].forwards = [PORTS[0] if name == "ada" else PORTS[2]]
        last = step(rig, world, Edit("addresses", dict.fromkeys(edits, Impact.restart)), last)
    rig.write(first().text())
    apply(rig)


def test_random_edits(rig: Rig) -> None:
    author, draw = Author(SEED), random.Random(SEED + 1)
    blows = {number: KINDS[i % len(KINDS)] for i, number in enumerate(draw.sample(range(EDITS), BLOWS))}
    if not FULL:  # of each sort one
        blows = dict(zip(blows, (draw.choice(KINDS[:2]), "moment", "cut"), strict=False))
    world, last = first(), None
    done: list[str] = []
    began = time.monotonic()
    for number in range(EDITS):
        new, edit = author.edit(world)
        done.append(f"{number}: {edit.words}" + (f" [{blows[number]}]" if number in blows else ""))
        try:
            if number in blows:
                last = None
                if struck(rig, world, new, blows[number], draw):
                    world = new
                    continue
            last = step(rig, new, edit, last)
        except AssertionError as error:
            story = "\n".join(done)
            pytest.fail(f"EYAS_SEED={SEED} EYAS_EDITS={EDITS}:\n{story}\n{error}", pytrace=False)
        world = new
    print(f"seed {SEED}: {EDITS} edits, {len(blows)} blows, {time.monotonic() - began:.1f} s")
