"""Compose stacks: a change concerns the services that it is about, what is not well is started again and shown."""

from __future__ import annotations

import shutil

import pytest

from eyas.lab.testing import retry
from tests.lab.compose.rig import FILE, Stacks


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Services with another container, or none."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def all_well(stacks: Stacks) -> bool:
    """Nothing is said against the container; what is, is in the error."""
    row = stacks.status()["stacks"]
    assert row["failing"] == []
    return bool(row["health"] == "healthy")


def test_one_changed_nineteen_untouched(stacks: Stacks) -> None:
    """Also when another depends on it: by its file, by a page that it shows, by what its image is built from."""
    before = stacks.ids()
    assert len(before) == 20
    note = stacks.directory / "compose/twenty/notes/note"
    note.parent.mkdir()
    note.write_text("of the folder\n")
    stacks.edit('NUMBER: "one"', 'NUMBER: "two"', FILE)
    stacks.apply()
    now = stacks.ids()
    assert changed(before, now) == {"back"}
    assert stacks.succeed("stacks", "cat", "/var/lib/compose/twenty/notes/note").strip() == "of the folder"
    shutil.rmtree(note.parent)
    stacks.edit("from the folder", "from another folder", "compose/twenty/pages/index.html")
    stacks.apply()
    again = stacks.ids()
    assert changed(now, again) == {"web"}
    assert stacks.execute("stacks", "ls", "/var/lib/compose/twenty/notes").code != 0, "its folder is gone with it"
    assert stacks.get("stacks", "http://127.0.0.1:8000/") == "from another folder"
    stacks.edit("-h /www", "-v -h /www", "compose/twenty/web/run")
    stacks.apply()
    assert changed(again, stacks.ids()) == {"web"}
    assert stacks.get("stacks", "http://127.0.0.1:8000/") == "from another folder"


def test_a_missing_variable_is_refused_by_name_and_line(stacks: Stacks) -> None:
    before = stacks.ids()
    line = next(
        n for n, text in enumerate((stacks.directory / FILE).read_text().splitlines(), 1) if "${GREETING" in text
    )
    for hidden in ("${GREETINGS:?what it says}", "${GREETINGS:-?what it says}", "${GREETINGS}"):
        stacks.edit("${GREETING:?what it says}", hidden, FILE)
        for words in (("check",), ("apply", "--yes")):
            said = stacks.run(*words)
            assert said.code == 2, said
            assert f"{FILE}:{line}: error: " in said.out + said.err
            assert hidden in said.out + said.err
        stacks.edit(hidden, "${GREETING:?what it says}", FILE)
    assert stacks.ids() == before


def test_what_is_declared_no_more_goes_but_volumes(stacks: Stacks) -> None:
    web = stacks.ids()["web"]
    stacks.succeed("stacks", "sh", "-c", "echo own >/var/lib/compose/twenty/data/own")
    stacks.edit("  s20: *service\n", "", FILE)
    stacks.edit("networks: [default, inner]", "networks: [default]", FILE)
    stacks.edit("  inner: {}\n", "  default: {}\n", FILE)
    stacks.edit("volumes: [kept:/kept]", "volumes: []", FILE)
    stacks.edit("\nvolumes:\n  kept: {}\n", "", FILE)
    stacks.apply()
    now = stacks.ids()
    assert "s20" not in now
    assert now["web"] == web
    assert "twenty_inner" not in stacks.docker("network", "ls")
    assert "twenty_kept" in stacks.docker("volume", "ls")
    assert stacks.state()["volumes"] == ["kept"]
    assert stacks.succeed("stacks", "cat", "/var/lib/compose/twenty/data/own").strip() == "own"
    stacks.edit('longest_pause="4s"', 'longest_pause="4s", remove_volumes=["kept"]')
    stacks.apply()
    assert "twenty_kept" not in stacks.docker("volume", "ls")


def test_words_that_mean_nothing_are_one_line(stacks: Stacks) -> None:
    """For people in the container: no traceback, and the status says whose mistake it is."""
    for words, code, said in (
        ("state nothing", 1, "cannot find the stack nothing (there are: features, twenty)"),
        ("apply nothing", 1, "cannot find the stack nothing"),
        ("sate twenty", 2, "usage: eyas-compose"),
        ("state", 2, "usage: eyas-compose"),
    ):
        done = stacks.execute("stacks", "eyas-compose", *words.split())
        assert (done.code, said in done.error) == (code, True), (words, done)
        assert "Traceback" not in done.error


def test_a_restart_loses_nothing_of_a_stack(stacks: Stacks) -> None:
    assert stacks.missed("stacks") == []


def test_a_service_that_ends_is_started_again_by_its_one_owner(stacks: Stacks) -> None:
    before = stacks.ids()
    box = before["s05"]
    assert stacks.docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", box).strip() == "no"
    stacks.docker("kill", box)
    stacks.wait_service("s05", state="running", restarts=1)
    assert stacks.ids() == before
    assert "stack twenty: s05 is running, started again 1 time of late" in stacks.eyas("status")
    stacks.docker("rm", "--force", box)
    retry(lambda: changed(before, stacks.ids()) == {"s05"} and "s05" in stacks.ids(), "s05 is made again", 60)


@pytest.mark.long
def test_an_unhealthy_service_is_restarted_for_ever_and_shown(stacks: Stacks) -> None:
    """It does not get well by a restart; it is tried again and again, and gets well when its cause is gone."""
    data = "/var/lib/compose/twenty/data"
    stacks.succeed("stacks", "touch", f"{data}/ill")
    tried = stacks.state()["services"]["web"]["restarts"]
    stacks.docker("exec", stacks.ids()["web"], "sh", "-c", ": >/tmp/well; /bin/busybox rm /tmp/well")
    try:
        retry(lambda: stacks.state()["services"]["web"]["restarts"] >= tried + 2, "two more tries", 90)
        stacks.wait_service("web", health="unhealthy")
        row = stacks.status()["stacks"]
        assert row["health"] == "unhealthy"
        assert any("stack twenty: web is" in text for text in row["failing"]), row
        (twenty,) = (stack for stack in row["stacks"] if stack["name"] == "twenty")
        (well,) = (service for service in twenty["services"] if service["name"] == "s05")
        assert {"name": "s05", "state": "running"}.items() <= well.items()
        assert "stack twenty: web is" in stacks.eyas("status")
    finally:
        stacks.succeed("stacks", "rm", f"{data}/ill")
    stacks.wait_service("web", health="healthy")
    retry(lambda: all_well(stacks), "the container is well", 30)


def test_a_change_waits_for_a_job(stacks: Stacks) -> None:
    stacks.docker("exec", stacks.ids()["back"], "touch", "/tmp/job")
    before = stacks.ids()
    stacks.edit('NUMBER: "one"', 'NUMBER: "three"', FILE)
    stacks.edit("from the folder", "from beside a job", "compose/twenty/pages/index.html")
    stacks.apply()
    now = stacks.ids()
    assert changed(before, now) == {"web"}
    assert stacks.state()["waiting"] == ["back"]
    stacks.docker("exec", now["back"], "/bin/busybox", "rm", "/tmp/job")
    retry(lambda: changed(now, stacks.ids()) == {"back"}, "the change is made when the job has ended", 60)
    assert "NUMBER=three" in stacks.docker("inspect", stacks.ids()["back"])
    assert stacks.state()["waiting"] == []


def test_a_stack_that_cannot_come_up_is_undone(stacks: Stacks) -> None:
    before = stacks.ids()
    stacks.edit('command: ["sleep", "infinity"]', 'command: ["no-such-program"]', FILE)
    stacks.apply(code=4)
    stacks.edit('command: ["no-such-program"]', 'command: ["sleep", "infinity"]', FILE)
    stacks.wait_service("s05", state="running", timeout=60)
    assert {*stacks.ids()} == {*before}


def test_it_comes_up_again_with_its_container(stacks: Stacks) -> None:
    before = stacks.ids()
    stacks.switch("restart", "stacks")
    retry(lambda: stacks.status()["stacks"]["health"] == "healthy", "all is well again", 60)
    assert stacks.ids() == before


def test_a_stack_that_is_declared_no_more(stacks: Stacks) -> None:
    stacks.edit(", tiny, twenty, features]", ", tiny, features]")
    stacks.apply()
    assert stacks.ids() == {}
    assert "twenty_default" not in stacks.docker("network", "ls")
    volumes = stacks.succeed("stacks", "docker", "volume", "ls", "--quiet").split()
    assert [name for name in volumes if name.startswith("twenty")] == ["twenty_kept"]
