"""systemd in a container by its own socket: what it says is what systemctl(1) says, and what it does is the same."""

from __future__ import annotations

from tests.lab.hold.rig import UNIT, Agent, Hold

INSIDE = "/etc/systemd/system"
BROKEN = "[Service]\nType=oneshot\nExecStart=/bin/false\n"


def invocation(agent: Agent) -> str:
    return str(agent("states", "serve.service")["serve.service"]["invocation"])


def test_states_are_as_systemctl_says(rig: Hold) -> None:
    with rig.agent() as agent:
        ours, theirs = (
            agent(verb, "*.service", "*.socket", "*.target", "-.mount", "serve.service", "gone.service")
            for verb in ("states", "systemctl")
        )
        assert agent("direct"), "it was asked by its own socket"
    for found in (ours, theirs):
        for state in found.values():  # not asked there
            del state["need_reload"]
    assert len(ours) > 10
    assert ours == theirs
    assert ours["gone.service"]["load"] == "not-found"
    assert not ours["serve.service"]["can_reload"]


def test_jobs_are_done_and_fail_with_a_reason(rig: Hold) -> None:
    with rig.agent() as agent:
        rig.eyas("exec", "shop", "--", "sh", "-c", f"printf '{BROKEN}' >{INSIDE}/broken.service")
        agent("reread")
        before = invocation(agent)
        assert agent("job", "try_restart", "ser?e.service", "broken.service") == ""
        assert invocation(agent) != before
        assert agent("states", "broken.service")["broken.service"]["active"] == "inactive", "it did not run"
        said = agent("job", "start", "broken.service")
        assert said == "cannot start broken.service in shop: Job for broken.service failed (exit-code)."
        assert agent("states", "broken.service")["broken.service"]["active"] == "failed"
        said = agent("job", "restart", "gone.service")
        assert said == "cannot restart gone.service in shop: Unit gone.service not found."
        assert agent("job", "stop", "gone.service") == ""
        assert agent("direct")


def test_a_container_that_went_away_meanwhile_is_found_again(rig: Hold) -> None:
    with rig.agent() as agent:
        before = invocation(agent)
        rig.restart()
        assert not agent("direct")
        assert invocation(agent) not in ("", before)
        assert agent("direct")
        rig.host.succeed("systemctl", "stop", UNIT)
        said = agent("job", "start", "serve.service")
        rig.host.succeed("systemctl", "start", UNIT)
        assert said.startswith("cannot start serve.service in shop: ")
        assert agent("job", "start", "serve.service") == ""


def test_the_way_in_is_the_containers_own(rig: Hold) -> None:
    """A link inside leads within the container, whatever is there outside: it cannot hand us another systemd."""
    with rig.agent() as agent:
        rig.eyas(
            "exec", "shop", "--", "sh", "-c", "cd /run/systemd && mv private own && ln -s /run/host/elsewhere private"
        )
        try:
            state = agent("states", "serve.service")["serve.service"]
        finally:
            rig.eyas("exec", "shop", "--", "sh", "-c", "cd /run/systemd && rm private && mv own private")
        assert state["active"] == "active", "then systemctl finds a way"
        assert agent("job", "try_restart", "serve.service") == ""
        assert agent("direct")
