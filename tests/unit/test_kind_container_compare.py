"""What a difference between two specs costs, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from eyas.core.system import Entry
from eyas.core.words import Action, Change, Impact, Phase, Reason, Resource
from eyas.kind import KINDS
from eyas.kind.container.compare import compare_specs, size, unit_of, wanted_unit
from eyas.kind.container.live import edit_of
from tests.unit.test_kind_container_text import spec

RUNNING = {"active": "active", "invocation": "f00"}


def resource(state: dict[str, Any] | None = None, **more: Any) -> Resource:
    fields = spec(**more)
    return Resource("container:web", "container", "web", {**fields, "state": state} if state else fields)


def said(want: dict[str, Any], have: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change.note, change.impact.name) for change in compare_specs(spec(**want), spec(**have))]


@pytest.mark.parametrize(
    ("want", "have", "note", "impact"),
    [
        ({"limits": {"memory_max": 3 << 30}}, {"limits": {"memory_max": 2 << 30}}, "memory 2G -> 3G", "live"),
        ({"limits": {}}, {"limits": {"cpu_quota": 50}}, "CPU quota 50 % -> none", "live"),
        ({"root_size": 1 << 30}, {}, "root size 2G -> 1G", "restart"),
        ({"address4": "10.0.5.11/24"}, {}, "address 10.0.5.10/24 -> 10.0.5.11/24", "restart"),
        (
            {"grants": ["docker"]},
            {},
            "grants: docker (the system calls add_key and keyctl, a sysfs that shows no network at /run/eyas-sysfs: "
            "runc makes a session keyring for each container, and the kernel mounts sysfs in a user namespace only for "
            "who sees a whole one; Podman does without) added",
            "restart",
        ),
        ({"after": ["db"]}, {}, "after: db added", "live"),
        ({"stop_timeout": 20}, {}, "stop timeout 10 s -> 20 s", "live"),
        ({"probes": [{"type": "tcp", "port": 80}]}, {}, "probe tcp 80 added", "live"),
        ({"binds": [{"source": "/a", "target": "/b"}]}, {}, "bind /b added", "live"),
        ({"autostart": False}, {}, "start at boot off", "live"),
        ({"image": "other"}, {"image": "base"}, "image renamed", "none"),
        (
            {"tree": "beef", "packages": {"cowsay": "1", "less": "2"}},
            {"packages": {"less": "1"}},
            "package cowsay added, package less 1 -> 2",
            "restart",
        ),
        ({"tree": "beef"}, {}, "image rebuilt", "restart"),
        ({"something_new": 1}, {}, "something new none -> 1", "restart"),
    ],
)
def test_each_field_has_its_words_and_its_cost(
    want: dict[str, Any], have: dict[str, Any], note: str, impact: str
) -> None:
    assert said(want, have) == [(note, impact)]


def test_equal_specs_have_no_differences() -> None:
    assert said({"after": []}, {"after": None}) == []


def test_owner_and_mode_of_a_bind_restart_nothing() -> None:
    bind = {"source": "/a", "target": "/b", "readonly": False, "mode": 0o755}
    assert said({"binds": [{**bind, "mode": 0o700}]}, {"binds": [bind]}) == [("bind /b changed", "none")]


def bind(target: str, source: str = "/a", **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target, "readonly": False, "persistent": False, **more}


@pytest.mark.parametrize(
    ("want", "have", "notes"),
    [
        ([], [bind("/b")], [("bind /b removed", "live")]),
        ([bind("/b", readonly=True)], [bind("/b")], [("bind /b changed", "live")]),
        ([bind("/b", "/c")], [bind("/b")], [("bind /b changed", "live")]),
        ([bind("/b"), bind("/bc")], [bind("/b")], [("bind /bc added", "live")]),
        (
            [bind("/b", "/c", persistent=True)],
            [bind("/b", persistent=True)],
            [("bind /b changed (other data for services that have the old data open)", "restart")],
        ),
        ([bind("/b"), bind("/b/c")], [bind("/b")], [("bind /b/c added (/b is bound above it)", "restart")]),
        ([bind("/b/c")], [bind("/b"), bind("/b/c")], [("bind /b removed (/b/c is bound below it)", "restart")]),
        ([bind("/run/eyas-egress")], [], [("bind /run/eyas-egress added", "live")]),
        ([bind("/run/x")], [], [("bind /run/x added (/run is mounted at the start)", "restart")]),
        ([bind("/var/log")], [], [("bind /var/log added (/var/log/journal is mounted at the start)", "restart")]),
        ([bind("/devices")], [], [("bind /devices added", "live")]),
    ],
)
def test_most_binds_come_and_go_while_it_runs(want: list[Any], have: list[Any], notes: list[tuple[str, str]]) -> None:
    assert said({"binds": want}, {"binds": have}) == notes


def test_what_a_grant_is_made_of_stays_while_it_runs() -> None:
    changed = {"binds": [bind("/var/lib/docker")], "grants": ["docker"]}
    assert said({**changed, "binds": []}, changed) == [
        ("bind /var/lib/docker removed (the grant docker uses it)", "restart")
    ]


def row(digest: str, **more: Any) -> dict[str, Any]:
    return {"digest": digest, "type": "file", "mode": 0o644, "uid": 0, "gid": 0, "reload": [], "restart": [], **more}


@pytest.mark.parametrize(
    ("path", "entry", "impact", "unit"),
    [
        ("/etc/motd", {}, "live", ""),
        ("/etc/nginx/x", {"reload": ["nginx.service"]}, "reload", "nginx.service"),
        ("/etc/app", {"restart": ["app.service"]}, "restart_unit", "app.service"),
        ("/etc/systemd/system/app.service", {}, "restart_unit", "app.service"),
        ("/etc/systemd/system/app.service.d/x.conf", {}, "restart_unit", "app.service"),
        ("/etc/systemd/system/job@.service", {}, "restart_unit", "job@*.service"),
        ("/etc/systemd/system/job-.service.d/x.conf", {}, "restart_unit", "job-*.service"),
        ("/etc/systemd/system/multi-user.target.wants/app.service", {"type": "link"}, "live", ""),
    ],
)
def test_a_changed_file_disturbs_only_who_reads_it(path: str, entry: dict[str, Any], impact: str, unit: str) -> None:
    (change,) = compare_specs(spec(files={path: row("2", **entry)}), spec(files={path: row("1", **entry)}))
    assert (change.impact.name, change.unit, change.note) == (impact, unit, f"{path} changed")


def test_a_changed_hook_alone_is_no_change() -> None:
    one, two = row("1"), row("1", restart=["app.service"])
    assert said({"files": {"/etc/app": two}}, {"files": {"/etc/app": one}}) == []


def test_sizes_are_said_as_they_were_written() -> None:
    assert [size(value) for value in (3 << 30, 1536 << 20, 1000)] == ["3G", "1536M", "1000"]


def test_units_are_known_by_their_paths() -> None:
    assert unit_of("/etc/systemd/system/multi-user.target.wants/app.service") == ""
    assert unit_of("/etc/systemd/system.conf.d/x.conf") == ""
    assert wanted_unit("/etc/systemd/system/multi-user.target.wants/app.service") == "app.service"
    assert wanted_unit("/etc/systemd/system/app.service") == ""


def steps(want: Resource | None, have: Resource | None, action: Action = Action.update) -> list[str]:
    kind = KINDS["container"]
    fields = tuple(kind.compare(want, have))
    impact = max((field.impact for field in fields), default=Impact.none)
    change = Change("container:web", "container", "web", action, impact, Reason.differs, "", fields)
    found = kind.steps(change, want, have)
    assert [step.phase for step in found if step.phase < Phase.prepare] == []
    return [f"{step.kind}.{step.verb}" for step in found]


def test_a_limit_reads_systemd_again_and_restarts_nothing() -> None:
    want = resource(limits={"memory_max": 1024})
    found = steps(want, resource(RUNNING))
    assert "systemd.reload" in found
    assert not {"container.restart", "container.start", "container.stop"} & set(found)


def test_a_file_does_not_even_read_systemd_again() -> None:
    want = resource(layer="new", files={"/etc/motd": row("2")})
    assert steps(want, resource(RUNNING)) == ["container.settle", "container.configure", "container.live"]


def test_the_way_back_is_in_front() -> None:
    for want, have, action in (
        (resource(root_size=1), resource(RUNNING), Action.update),
        (None, resource(RUNNING), Action.delete),
    ):
        assert steps(want, have, action)[0] == "container.settle"


def test_a_container_that_does_not_start_by_itself_is_only_configured() -> None:
    assert steps(resource(autostart=False), None, Action.create) == [
        "systemd.settle",
        "container.configure",
        "systemd.reload",
        "container.guard",  # another that needs it may start it
    ]


def test_drift_on_disk_is_mended_without_a_restart() -> None:
    have = resource(RUNNING)
    have = Resource(have.id, have.kind, have.owner, {**have.fields, "disk_drift": ["x changed by hand"]})
    found = steps(resource(), have)
    # What a hand changed may have been told to the kernel as well.
    assert found[-3:] == ["container.configure", "systemd.reload", "container.limit"]
    assert "container.restart" not in found


def test_an_unknown_start_needs_a_new_one() -> None:
    have = resource(RUNNING)
    have = Resource(have.id, have.kind, have.owner, {**have.fields, "print_drift": "not known"})
    assert "container.restart" in steps(resource(), have)


class Layers:
    """As much of a system as an edit reads: files of layers, and one file of the tree."""

    def __init__(self, files: dict[str, str], tree: dict[str, Entry]) -> None:
        self._files, self._tree = files, tree
        self.files = self.containers = self

    def read(self, path: str) -> bytes | None:
        return self._files[path].encode() if path in self._files else None

    def readlink(self, path: str) -> str | None:
        return self._files.get(path)

    def find(self, _commit: str, path: str) -> Entry | None:
        return self._tree.get(path)


def edit(old: dict[str, Any], new: dict[str, Any], tree: dict[str, Entry] | None = None) -> Any:
    where = "/var/lib/eyas/layers/new/root"
    files = {where + path: str(entry.get("target", "text")) for path, entry in new.items()}
    system: Any = Layers(files, tree or {})
    return edit_of(system, spec(layer="old", files=old), spec(layer="new", files=new))


UNITS = "/etc/systemd/system"


def test_a_removed_file_shows_the_one_below() -> None:
    below = Entry("/etc/motd", "file", 0o644, data=b"of the package")
    assert edit({"/etc/motd": row("1")}, {}, {"/etc/motd": below}).put == [below]
    assert edit({"/etc/motd": row("1")}, {}).drop == ["/etc/motd"]


def test_what_a_removed_unit_was_told_of_goes_with_it() -> None:
    unit, conf = "/etc/systemd/system/x.service", "/etc/x.conf"
    row = {"digest": "1", "mode": 0o644, "uid": 0, "gid": 0, "type": "file"}
    for hook in ("reload", "restart"):
        with_unit = {"files": {unit: row, conf: {**row, hook: ["x.service"]}}}
        found = compare_specs(spec(files={}), spec(**with_unit))
        assert {change.impact for change in found} == {Impact.live}, found


def test_a_removed_unit_is_stopped_before_its_file_goes() -> None:
    link = row("l", type="link", target=f"{UNITS}/app.service")
    found = edit({f"{UNITS}/app.service": row("1"), f"{UNITS}/multi-user.target.wants/app.service": link}, {})
    assert found.stop == {"app.service"}
    assert not found.restart | found.start
    assert found.manager


def test_a_new_unit_is_started_once() -> None:
    link = row("l", type="link", target=f"{UNITS}/app.service")
    found = edit({}, {f"{UNITS}/app.service": row("1"), f"{UNITS}/multi-user.target.wants/app.service": link})
    assert found.start | found.restart == {"app.service"}
    assert "app.service" in found.start


def test_a_masked_unit_is_stopped() -> None:
    found = edit({}, {f"{UNITS}/app.service": row("l", type="link", target="/dev/null")})
    assert found.stop == {"app.service"}


def test_a_masked_mount_stays_until_the_next_start() -> None:
    found = edit({}, {f"{UNITS}/tmp.mount": row("l", type="link", target="/dev/null")})
    assert found.stop == set()
    assert found.manager


def test_a_mount_that_goes_needs_a_restart_because_it_may_be_in_use() -> None:
    found = compare_specs(spec(files={}), spec(files={f"{UNITS}/srv.mount": row("1")}))
    assert [(change.impact, change.unit) for change in found] == [(Impact.restart, "srv.mount")]


def test_a_new_mount_is_started_and_restarts_nothing() -> None:
    link = row("l", type="link", target=f"{UNITS}/srv.mount")
    found = edit({}, {f"{UNITS}/srv.mount": row("1"), f"{UNITS}/local-fs.target.wants/srv.mount": link})
    assert (found.start, found.restart) == ({"srv.mount"}, set())


def test_a_mask_that_goes_stops_nobody() -> None:
    found = edit({f"{UNITS}/app.service": row("l", type="link", target="/dev/null")}, {})
    assert found.drop == [f"{UNITS}/app.service"]
    assert not found.stop | found.restart | found.start


def test_the_packages_own_unit_comes_to_light_again() -> None:
    below = {"/usr/lib/systemd/system/app.service": Entry("/usr/lib/systemd/system/app.service", "file", 0o644)}
    found = edit({f"{UNITS}/app.service": row("1")}, {}, below)
    assert (found.stop, found.restart) == (set(), {"app.service"})


def test_a_restart_makes_a_reload_needless() -> None:
    old = {"/etc/a": row("1", reload=["app.service"]), "/etc/b": row("1", restart=["app.service"])}
    found = edit(old, {path: {**entry, "digest": "2"} for path, entry in old.items()})
    assert (found.restart, found.reload) == ({"app.service"}, set())


def test_a_new_container_says_what_it_may_do_beyond_the_default() -> None:
    from eyas.core.words import Resource
    from eyas.kind import kind_of

    plain = Resource("container:a", "container", "a", {"grants": []})
    granted = Resource("container:b", "container", "b", {"grants": ["docker", "loop"]})
    kind = kind_of("container")
    assert [change.note for change in kind.compare(plain, None)] == ["container added"]
    (said,) = [change.note for change in kind.compare(granted, None)]
    assert said.startswith("container added, granted: docker (the system calls add_key and keyctl, a sysfs")
    assert "loop (/dev/loop-control and /dev/loop0 to 7, and no user namespace: the kernel mounts" in said
    assert [change.note for change in kind.compare(None, granted)] == ["container removed"]
