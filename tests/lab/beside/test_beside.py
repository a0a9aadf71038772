"""Two generations side by side: one takes over from the other, and nobody notices, whatever breaks on the way."""

from __future__ import annotations

import re

import pytest

from tests.lab.beside.definitions import BIGGER, FLEET
from tests.lab.beside.pair import URL, Pair, generations
from tests.lab.rig import edited

NOISE = 0.9
"""Seconds. On a busy machine a request may take long by itself; one whose first packet is lost takes a second more."""

PORT = ('parts=[server()], root=Root(size="48M"), stateless', 'parts=[server(9090)], root=Root(size="64M"), stateless')
LOOP = (
    'parts=[server()], root=Root(size="48M"), stateless',
    'parts=[server(crash="[Service]\\nExecStart=/bin/false\\nRestart=always\\nRestartSec=50ms\\n'
    'StartLimitIntervalSec=0\\n[Install]\\nWantedBy=multi-user.target\\n")], '
    'root=Root(size="64M"), stateless',
)


def test_replaced_twice_under_load(pair: Pair) -> None:
    """From one slot to the other and back, without a question, a failure or a wait; a download goes on to its end."""
    first, slot, mill = pair.serving(), pair.alone(), pair.invocations()["mill"]
    pair.write(edited(FLEET, BIGGER))
    assert "nobody notices: a new one starts beside it" in pair.eyas("plan")
    with pair.load(URL) as load:
        with pair.download(60) as whole, pair.datagrams() as answered:
            pair.eyas("apply")
        second = pair.serving()
        assert pair.alone() != slot
        pair.write(FLEET)
        pair.eyas("apply")
        third = pair.serving()
    assert load.failed == 0, load.seen
    assert load.longest < NOISE, load.seen
    assert generations(load) == {first, second, third}
    assert answered == [first, second], "one socket, without a pause in which a flow would be forgotten"
    assert whole == [f"whole, by {first}"]
    assert pair.alone() == slot
    assert pair.invocations()["mill"] == mill
    assert pair.differs(FLEET) == []


def test_both_are_one_to_others(pair: Pair) -> None:
    """Whichever slot it is in: names, addresses, identity and the verbs of eyas are those of the one container."""
    keys = pair.eyas("exec", "web", "--", "cat", "/etc/ssh/eyas/ssh_host_ed25519_key.pub")
    seen = []
    for text in (edited(FLEET, BIGGER), FLEET):
        pair.write(text)
        pair.eyas("apply")
        seen.append(pair.alone())
        ask = ("exec", "mill", "--", "curl", "--silent", "--show-error", "--fail", "--max-time", "10")
        assert pair.eyas(*ask, "-4", "http://web:8080/").split()[2] == "10.0.12.11"
        assert pair.eyas(*ask, "-6", "http://web:8080/").split()[2] == "fd00:12::11"
        assert pair.eyas(*ask, "http://web:8080/ask/10.0.12.11").split()[2] == "10.0.12.10"
        assert pair.eyas(*ask, "http://web:8080/ask/[fd00:12::11]").split()[2] == "fd00:12::10"
        generation = pair.serving()
        assert pair.eyas(*ask, "http://web:8080/ask/web").split()[0] == generation
        assert pair.eyas(*ask, "http://web:8080/name").split() == ["web", "10.0.12.10"]
        assert pair.host.succeed("curl", "--silent", "http://10.0.12.10:8080/").split()[0] == generation
        assert pair.eyas("exec", "web", "--", "hostname").strip() == "web"
        assert pair.eyas("exec", "web", "--", "cat", "/etc/ssh/eyas/ssh_host_ed25519_key.pub") == keys
        assert "web   running  healthy  10.0.12.10" in pair.eyas("status")
    assert set(seen) == {"a", "b"}
    logs = pair.eyas("logs", "web", "--lines=200", "--unit=serve.service")
    assert logs.count("Stopped serve.service") >= 2, "what both generations said, and more"


def test_stateless_no_more_and_again(pair: Pair) -> None:
    """A restart each time, whichever slot it was in: clients wait, the other container does not notice."""
    if pair.alone() == "a":
        pair.write(edited(FLEET, BIGGER))
        pair.eyas("apply")
    assert pair.alone() == "b"
    mill, once = pair.invocations()["mill"], edited(FLEET, (", stateless=True", ""))
    with pair.load(URL, rate=50) as load:
        for text in (once, FLEET):
            pair.write(text)
            impacts = {row["owner"]: row["impact"] for row in pair.plan()["changes"] if row["kind"] == "container"}
            assert impacts == {"web": "restart", "mill": "live"}, "mill starts after it, whichever slot that is"
            pair.eyas("apply", "--yes")
            assert pair.differs(text) == []
            assert list(pair.slots()) == ["a"]
            assert pair.invocations()["mill"] == mill
    assert load.failed == 0, load.seen
    assert load.longest < 30, "nobody waits for longer than the hold"
    assert pair.alone() == "a"
    assert len(generations(load)) > 2


def test_after_a_boot_the_current_one_runs_alone(pair: Pair) -> None:
    if pair.alone() == "a":
        pair.write(edited(FLEET, BIGGER))
        pair.eyas("apply")
    text = (pair.directory / "fleet.py").read_text()
    assert pair.alone() == "b"
    pair.host.reboot()
    pair.host.wait_for_unit("machines.target")
    assert pair.alone() == "b"
    assert pair.serving()
    assert pair.differs(text) == []


@pytest.mark.parametrize("wrong", [PORT, LOOP], ids=["wrong port", "crash loop"])
def test_a_generation_that_is_never_well(pair: Pair, wrong: tuple[str, str]) -> None:
    """It goes again, and nobody has noticed: the old one was not touched."""
    before, generation = pair.slots(), pair.serving()
    with pair.load(URL, rate=100) as load:
        said = pair.undone(edited(FLEET, wrong))
    assert load.failed == 0, load.seen
    assert load.longest < NOISE, load.seen
    assert generations(load) == {generation}
    assert pair.slots() == before
    assert pair.alone() in before
    assert re.search("cannot (bring|keep) up web", said.err)
    assert pair.differs(FLEET) == []


@pytest.mark.parametrize("fault", ["kill:{ready}", "kill-after-do:{switch}", "kill-after-do:{retire}"])
def test_killed_on_the_way(pair: Pair, fault: str) -> None:
    """Before or after, and nobody notices which: the agent is killed, and what it began is taken back."""
    slot = pair.alone()
    pair.write(edited(FLEET, BIGGER))
    fault = fault.format(**pair.steps())
    with pair.load(URL, rate=100) as load:
        said = pair.run("apply", fault=fault)
        assert said.code not in (0, 4), said
        assert pair.open_run()
        pair.eyas("recover")
        assert pair.alone() == slot
    assert load.failed == 0, load.seen
    assert load.longest < NOISE, load.seen
    assert pair.differs(FLEET) == []
