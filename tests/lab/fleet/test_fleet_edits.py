"""Edits of the definitions, one at a time: each is planned exactly, and does exactly that.

What ran before and was not named by the plan runs on: the same invocation for the host's systemd, the same boot id
inside, the same starts of the services in it. In order of the file; each test begins with a fleet as declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eyas.lab.testing import retry
from tests.lab.fleet.garuda import NAMES, Garuda, costs

Change = Callable[..., Any]
PUBLIC = ("203.0.113.112", "[2001:db8:5:1::2]")


@pytest.fixture(scope="module")
def fleet(garuda: Garuda) -> Iterator[Garuda]:
    """The fleet, and at the end the example again: all edits taken back at once."""
    garuda.apply()
    yield garuda
    garuda.put_back()
    garuda.apply()
    assert garuda.costs() == set()


@pytest.fixture
def change(fleet: Garuda, failed: list[str]) -> Change:
    """Plan and apply what was edited: as expected, and nothing else."""
    if failed:  # what an edit left that went wrong is not the next one's fault
        failed.clear()
        fleet.put_back()
        fleet.apply()

    def change(expected: dict[str, str], restarts: set[str] = frozenset(), gone: set[str] = frozenset()) -> Any:
        before = fleet.runs()
        planned = fleet.json("plan")
        assert costs(planned) == set(expected.items())
        assert fleet.runs() == before, "to plan is to look"
        done = fleet.applied()
        assert costs(done["plan"]) == costs(planned)
        after = fleet.runs()
        same = {name for name in after if after[name] == before.get(name)}
        assert set(after) - same == restarts, "restarted, or new"
        assert set(before) - set(after) == gone
        for name in restarts & set(before):
            assert after[name][0] != before[name][0]
            assert after[name][1] != before[name][1]
        assert fleet.costs() == set(), "a second plan is empty"
        print(f"{sorted(expected.items())}: {done['seconds']:.1f} s")
        return done

    return change


def page(fleet: Garuda, site: str, words: str) -> None:
    retry(lambda: words in fleet.internet.get(f"https://{site}/"), f"{site} shows {words!r}", timeout=30)


def test_a_comment_and_moved_lines_change_nothing(fleet: Garuda, change: Change) -> None:
    fleet.edit("# --- services", "# A comment.\n\n\n# --- services")
    change({})


def test_an_option_of_the_host(fleet: Garuda, change: Change) -> None:
    before = fleet.host.succeed("sysctl", "-n", "net.ipv4.tcp_fin_timeout")
    assert before != "42"
    fleet.edit('{"vm.overcommit_memory": 1}', '{"vm.overcommit_memory": 1, "net.ipv4.tcp_fin_timeout": 42}')
    change({"host": "live"})
    assert fleet.host.succeed("sysctl", "-n", "net.ipv4.tcp_fin_timeout") == "42"
    fleet.edit(', "net.ipv4.tcp_fin_timeout": 42', "")
    change({"host": "live"})
    assert fleet.host.succeed("sysctl", "-n", "net.ipv4.tcp_fin_timeout") == before


def test_a_limit_of_one_container(fleet: Garuda, change: Change) -> None:
    assert fleet.detail("meshcentral", "MemoryMax") == str(2 << 30)
    fleet.edit('limits=Limits(memory="2G", cpus=2)', 'limits=Limits(memory="3G", cpus=1.5)')
    change({"meshcentral": "live"})
    assert fleet.detail("meshcentral", "MemoryMax") == str(3 << 30)
    assert fleet.detail("meshcentral", "CPUQuotaPerSecUSec") == "1.500000s"


def test_a_page_of_one_service_of_the_stack(fleet: Garuda, change: Change) -> None:
    """Of the stack's services the one is made anew that shows it."""
    units, before = fleet.units("docker"), fleet.services()
    fleet.edit("<title>wiki</title>", "<title>wiki, second edition</title>", "compose/all-in-one/pages/wiki/index.html")
    change({"docker": "reload"})
    page(fleet, "wiki.example.org", "second edition")
    after = fleet.services()
    assert {name for name in before if after.get(name) != before[name]} == {"wikijs"}
    assert len(after) == len(before) >= 20
    assert fleet.units("docker") == units


def test_the_forum_by_its_own_launcher(fleet: Garuda, change: Change) -> None:
    """It has its place, drives Docker itself, and makes its container anew when its configuration differs."""
    fleet.exec("forum", "touch", "/var/discourse/shared/standalone/kept")
    before = fleet.exec("forum", "docker", "inspect", "--format={{.Id}}", "app")
    fleet.edit("title: forum", "title: forum, second edition", "forum/app.yml")
    change({"forum": "reload"})
    page(fleet, "forum.example.org", "<title>forum, second edition")
    shown = "{{.Id}}\n{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Binds}}"
    after = fleet.exec("forum", "docker", "inspect", f"--format={shown}", "app")
    assert after.splitlines()[0] != before.strip()
    assert after.splitlines()[1] == "always [/var/discourse/shared/standalone:/shared]"
    assert fleet.host.succeed("ls", "/data_1/containers/forum/shared/standalone") == "kept"
    said = fleet.run("exec", "forum", "--", "/usr/local/lib/forum/launcher", "start", "app")
    assert (said.code, said.out + said.err) == (1, "launcher: it has to be /var/discourse/launcher\n")


def test_a_package_of_one_container(fleet: Garuda, change: Change) -> None:
    assert fleet.run("exec", "chaotic-kde", "--", "hello").code == 127
    fleet.edit("ssh_port=226,", 'ssh_port=226, packages=["hello"],')
    done = change({"chaotic-kde": "restart"}, restarts={"chaotic-kde"})
    assert "package hello added" in str(done["plan"]["changes"])
    assert "Hello, world!" in fleet.exec("chaotic-kde", "hello")


def test_a_forward_comes_and_goes(fleet: Garuda, change: Change) -> None:
    urls = [f"http://{public}:5000/" for public in PUBLIC]
    for url in urls:
        fleet.internet.fail("curl", "-sS", "--max-time", "2", url)
    fleet.edit("forwards=[Forward(27017)]", "forwards=[Forward(27017), Forward(5000, to=3001)]")
    change({"host": "live"})
    for url in urls:
        assert "wiki" in fleet.internet.get(url)
        assert "wiki" in fleet.host.succeed("curl", "-sSf", url)
        assert "wiki" in fleet.exec("postgres", "curl", "-sSf", url)
    fleet.edit(", Forward(5000, to=3001)", "")
    change({"host": "live"})
    for url in urls:
        fleet.internet.fail("curl", "-sS", "--max-time", "2", url)


def test_a_container_comes_and_goes_and_its_data_stays(fleet: Garuda, change: Change) -> None:
    fleet.edit(
        "# --- builders",
        'notes = ours(\n    "notes", 110, repository(), System(clients=[Client("web-front", 80)]),\n'
        '    binds=[kept("/data_1/containers/notes", "/srv/http/notes")])\n\n\n'
        "# --- builders",
    )
    fleet.edit("    Bridge,\n", "    Bridge,\n    Client,\n    System,\n")
    fleet.edit("kde, stacks],", "kde, stacks, notes],")
    change({"notes": "live", "host": "live"}, restarts={"notes"})
    assert fleet.health()["notes"] == "healthy"
    fleet.exec("notes", "sh", "-c", "echo kept >/srv/http/notes/page")
    assert fleet.exec("web-front", "curl", "-sSf", "http://notes/notes/page") == "kept\n"  # by name, at once
    fleet.edit("kde, stacks, notes],", "kde, stacks],")
    done = change({"notes": "replace", "host": "live"}, gone={"notes"})
    assert "/data_1/containers/notes" in done["plan"]["left"]
    assert fleet.host.succeed("cat", "/data_1/containers/notes/page") == "kept"
    assert "/data_1/containers/notes" in fleet.eyas("plan")
    assert "notes" not in fleet.host.succeed("systemctl", "list-units", "--all", "systemd-nspawn@*")
    assert "notes" not in fleet.host.succeed("cat", "/var/lib/eyas/names/hosts")
    places = ("/etc/eyas", "/etc/systemd", "/run/eyas", "/run/systemd")
    assert fleet.host.succeed("find", *places, "-maxdepth", "4", "-name", "*notes*", "-not", "-path", "*/roots/*") == ""
    assert "Startup finished" in fleet.eyas("logs", "notes", "-n", "1000"), "its journal outlives it"


def test_a_container_gets_another_number(fleet: Garuda, change: Change) -> None:
    nginx = fleet.units("web-front")
    fleet.edit('"docker", 100,', '"docker", 101,')
    change(
        {"docker": "restart", "web-front": "reload", "postgres": "reload", "host": "live"},
        restarts={"docker"},
    )
    page(fleet, "wiki.example.org", "<title>wiki")
    assert fleet.units("web-front") == nginx
    assert fleet.exec("mastodon", "getent", "ahostsv4", "docker").split()[0] == "10.0.5.101"
    assert "101" in fleet.host.succeed("machinectl", "status", "docker")


def test_a_default_that_concerns_three_containers(fleet: Garuda, change: Change) -> None:
    fleet.edit("Limits(cpu_weight=50, ", "Limits(cpu_weight=60, tasks=9000, ")
    builders = {"repo", "chaotic-kde", "temeraire"}
    change(dict.fromkeys(builders, "live"))
    assert {name for name in NAMES if fleet.detail(name, "CPUWeight") == "60"} == builders
    assert {name for name in NAMES if fleet.detail(name, "TasksMax") == "9000"} == builders


def test_a_person_for_all(fleet: Garuda, change: Change) -> None:
    key = (fleet.directory / "keys/anna.pub").read_text().replace("anna", "dora")
    (fleet.directory / "keys/dora.pub").write_text(key)
    fleet.edit('"carla": 1003', '"carla": 1003, "dora": 1004')
    # what reloads is the unit that makes home directories; no service of a container is touched
    before = {name: fleet.units(name) for name in ("postgres", "mastodon")}
    change({**dict.fromkeys(NAMES, "reload"), "host": "live"})
    assert {name: fleet.units(name) for name in before} == before
    for name in ("postgres", "web-front", "docker"):
        assert ":1004:" in fleet.exec(name, "getent", "passwd", "dora")
    assert ":1004:" in fleet.host.succeed("getent", "passwd", "dora")
    assert fleet.exec("repo", "stat", "--format=%U", "/home/dora") == "dora\n"


# ------------------------------------------------------------ and of our own


def test_the_environment_of_one_service(fleet: Garuda, change: Change) -> None:
    before = fleet.units("mastodon")
    fleet.edit("StartLimitIntervalSec=0\n", "StartLimitIntervalSec=0\nDocumentation=https://example.org\n", "garuda.py")
    fleet.edit('{"DATABASE":', '{"COLOUR": "blue", "DATABASE":', "garuda.py")
    change({"mastodon": "restart_unit"})
    page(fleet, "social.example.org", '"database": "mastodon"')
    after = fleet.units("mastodon")
    assert {unit for unit in before if after.get(unit) != before[unit]} == {"mastodon-web.service"}
    seen = fleet.exec("mastodon", "systemctl", "show", "--property=Environment", "mastodon-web.service")
    assert "COLOUR=blue" in seen


def test_a_site(fleet: Garuda, change: Change) -> None:
    before = fleet.units("web-front")
    fleet.edit(
        '        Site("garuda.example.org"',
        '        Site("pages.example.org", to=stacks.port(3001)),\n        Site("garuda.example.org"',
    )
    change({"web-front": "reload", "host": "live"})  # its name is answered by the host
    page(fleet, "pages.example.org", "<title>wiki")  # with a certificate that is good for it
    assert fleet.units("web-front") == before
    fleet.edit('        Site("pages.example.org", to=stacks.port(3001)),\n', "")
    change({"web-front": "reload", "host": "live"})  # its name is answered by the host
    fleet.internet.fail(
        "curl",
        "-sSf",
        "--max-time",
        "5",
        "--resolve",
        f"pages.example.org:443:{PUBLIC[0]}",
        "https://pages.example.org/",
    )


def test_an_edge_of_the_start_order(fleet: Garuda, change: Change) -> None:
    fleet.edit("    ssh_port=224,\n", "    after=[postgres], ssh_port=224,\n")
    change({"forum": "live"})
    assert "systemd-nspawn@postgres.service" in fleet.detail("forum", "After").split()


def test_a_probe(fleet: Garuda, change: Change) -> None:
    fleet.edit("ssh_port=224,\n", "ssh_port=224,\n    probes=[Probe.tcp(22)],\n")
    fleet.edit("    Open,\n", "    Open,\n    Probe,\n")
    change({"forum": "live"})
    assert "tcp 22" in fleet.host.succeed("cat", "/run/eyas/probes/forum")
    assert fleet.health()["forum"] == "healthy"


def test_times_and_words(fleet: Garuda, change: Change) -> None:
    where = '    binds=[kept("/data_1/containers/meshcentral"'
    fleet.edit(where, '    stop_timeout="20s", description="Remote help",\n' + where)
    change({"meshcentral": "live"})
    assert fleet.detail("meshcentral", "TimeoutStopUSec") == "25s"
    assert fleet.detail("meshcentral", "Description") == "Remote help"


def test_a_bind_of_one_container(fleet: Garuda, change: Change) -> None:
    fleet.edit("shared=True)], ssh_port=227,", 'shared=True), kept("/data_1/isos", "/srv/isos")], ssh_port=227,')
    change({"iso-runner": "live"})
    fleet.exec("iso-runner", "touch", "/srv/isos/one")
    assert fleet.host.succeed("ls", "/data_1/isos") == "one"


def test_all_of_it_taken_back(fleet: Garuda, change: Change) -> None:
    fleet.put_back()
    for file in ("compose/all-in-one/pages/wiki/index.html", "forum/app.yml"):
        assert "second edition" not in (fleet.directory / file).read_text()
    concerned = {
        **dict.fromkeys(NAMES, "reload"),
        **dict.fromkeys(("chaotic-kde", "docker"), "restart"),
        "mastodon": "restart_unit",
        "host": "live",
    }
    change(concerned, restarts={"chaotic-kde", "docker"})
    fleet.host.fail("getent", "passwd", "dora")
    assert fleet.detail("meshcentral", "MemoryMax") == str(2 << 30)
    assert fleet.detail("repo", "TasksMax") == "16384"
    assert fleet.detail("forum", "After").find("postgres") == -1
    fleet.well()
    page(fleet, "wiki.example.org", "<title>wiki</title>")
    listed = fleet.eyas("plan")
    for path in ("/data_1/containers/notes", "/data_1/isos"):
        assert path in listed
