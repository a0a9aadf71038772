"""The unit, the shell variables and the limits of a container, as texts."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from eyas.kind.container.text import arguments, authentic, render_env, render_limits, render_unit


def spec(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": "web",
        "description": "the web front",
        "address4": "10.0.5.10/24",
        "bridge": "br0",
        "uid_base": 537526272,
        "machine_id": "0123456789abcdef0123456789abcdef",
        "tree": "c0ffee",
        "layer": "1a7e4",
        "files": {},
        "root_size": 2 << 30,
        "root_backing": "ram",
        "binds": [],
        "grants": [],
        "limits": {},
        "stop_timeout": 10,
        "start_timeout": 60,
        "after": [],
        "needs": [],
        "restart_with": [],
        "probes": [],
        "autostart": True,
    }
    return {**fields, **more}


def settings(text: str, key: str) -> list[str]:
    return [line.split("=", 1)[1] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_a_unit_knows_whether_it_was_edited() -> None:
    text = render_unit("web", spec())
    assert text.startswith("# eyas container web\n")
    assert authentic(text)
    assert not authentic(text.replace("TasksMax=16384", "TasksMax=99"))
    assert not authentic("")


def test_edges_never_require() -> None:
    text = render_unit("web", spec(after=["db"], needs=["cache"], restart_with=["auth"]))
    assert "Requires=" not in text
    assert "BindsTo=" not in text
    ordered = settings(text, "After")[-1]
    assert all(f"systemd-nspawn@{name}.service" in ordered for name in ("db", "cache", "auth"))
    assert settings(text, "Wants") == ["systemd-nspawn@cache.service"]
    assert settings(text, "PartOf") == ["machines.target", "systemd-nspawn@auth.service"]
    assert settings(text, "StopPropagatedFrom") == []


def test_probes_belong_to_the_start_and_have_their_time() -> None:
    hairpin = "-bridge link set dev vb-web hairpin on"
    assert settings(render_unit("web", spec()), "ExecStartPost") == [hairpin]
    text = render_unit("web", spec(probes=[{"type": "tcp", "port": 80, "timeout": 100}]))
    assert settings(text, "ExecStartPost") == [hairpin, "-/usr/local/lib/eyas/probe web"]
    assert settings(text, "TimeoutStartSec") == ["110"]


def test_the_stop_limit_leaves_time_for_units_inside() -> None:
    assert settings(render_unit("web", spec(stop_timeout=7)), "TimeoutStopSec") == ["12"]


@pytest.mark.parametrize("grant", ["docker", "nspawn", "tun", "loop"])
def test_no_grant_opens_everything(grant: str) -> None:
    text = render_unit("web", spec(grants=[grant]))
    assert "--capability" not in text
    assert settings(text, "DevicePolicy") == ["closed"]
    assert ("--private-users=no" in text) == (grant == "loop")


SYSFS = "/run/eyas/layer/web/sys:/run/eyas-sysfs:norbind"


def test_docker_gets_keyrings_a_sysfs_and_nothing_else() -> None:
    plain, granted = (arguments("web", spec(grants=grants)) for grants in ([], ["docker"]))
    assert set(granted) - set(plain) == {"--system-call-filter=add_key keyctl", f"--bind={SYSFS}"}
    assert "NESTS=1\n" in render_env(spec(grants=["docker"]))
    assert "NESTS=''\n" in render_env(spec())


def test_who_is_the_hosts_root_does_not_write_to_its_sysfs() -> None:
    assert f"--bind-ro={SYSFS}" in arguments("web", spec(grants=["docker", "loop"]))


def test_loop_gets_its_devices_by_name() -> None:
    text = render_unit("web", spec(grants=["loop"]))
    assert "DeviceAllow=block-loop rwm" in text
    assert "--bind=/dev/loop7" in text
    assert ":idmap" not in text  # there is no user namespace to map into
    assert "BASE=0\n" in render_env(spec(grants=["loop"]))


def test_only_a_root_on_disk_may_use_loop_devices_for_itself() -> None:
    assert "block-loop" not in render_unit("web", spec())
    assert "DeviceAllow=block-loop rw\n" in render_unit("web", spec(root_backing="disk"))


def test_binds_are_mapped_and_waited_for() -> None:
    bind = {"source": "/data_1/a b%c", "target": "/srv/x:y", "readonly": True, "persistent": True}
    text = render_unit("web", spec(binds=[bind]))
    assert '"--bind-ro=/data_1/a b%%c:/srv/x\\\\:y:idmap"' in text
    assert '"/data_1/a b%%c"' in settings(text, "RequiresMountsFor")[0]


def test_a_description_cannot_add_lines() -> None:
    text = render_unit("web", spec(description="a\nExecStart=/bin/false 100%"))
    assert settings(text, "Description") == ["a ExecStart=/bin/false 100%%"]
    assert len(settings(text, "ExecStart")) == 1


def test_limits_are_only_those_that_were_declared() -> None:
    text = render_limits(spec(limits={"memory_max": 1024, "cpu_quota": 150}))
    assert text.splitlines() == ["# made by eyas", "[Service]", "MemoryMax=1024", "CPUQuota=150%"]
    assert render_limits(spec()).splitlines() == ["# made by eyas", "[Service]"]


def test_shell_variables_survive_any_value() -> None:
    evil = 'it\'s $(reboot) `x` "y"\n'
    text = render_env(spec(probes=[{"type": "http", "port": 80, "contains": evil}]))
    values = dict(word.split("=", 1) for word in shlex.split(text, comments=True))
    assert values["PROBE_1_CONTAINS"] == evil
    assert values["PROBE_1_STATUS"] == "200"
    assert values["LOWERS"] == "/var/lib/eyas/layers/1a7e4/root /var/lib/eyas/trees/c0ffee"
    assert values["ADDRESS"] == "10.0.5.10"


def test_data_is_told_from_what_may_be_made() -> None:
    binds = [
        {"source": "/data/db", "persistent": True, "owner": 101, "group": 103, "mode": 0o700},
        {"source": "/home", "persistent": False},
    ]
    values = dict(word.split("=", 1) for word in shlex.split(render_env(spec(binds=binds)), comments=True))
    assert values["BINDS"].splitlines() == ["data 0700 101 103 /data/db", "made 0755 0 0 /home"]
