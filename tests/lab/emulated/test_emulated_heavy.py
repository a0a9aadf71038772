"""Docker, a Compose stack, Podman and the package builder on Debian's own kernel, with all of its controllers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyas.lab.emulated import Emulated, emulated
from eyas.lab.testing import retry
from tests.lab.builder.forge import CLIENT, WHOLE
from tests.lab.docker.rig import ENGINES, SELFTEST

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
LABS = HERE.parent
ADDRESSES = {"dock": "10.0.7.30", "pod": "10.0.7.40"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """With the package and the small images of other labs."""
    folder = tmp_path_factory.mktemp("heavy")
    shutil.copytree(HERE / "heavy", folder / "fleet", ignore=shutil.ignore_patterns(".eyas"))
    shutil.copytree(LABS / "builder/fleet/packages/hello", folder / "fleet/packages/hello")
    shutil.copy(LABS / "compose/fleet/tiny", folder / "fleet/tiny")
    with emulated(folder, folder / "fleet") as found:
        print(found.eyas("apply", "--yes", timeout=3600))
        yield found


def probed(machine: Emulated, name: str) -> list[list[str]]:
    """What the probes of the last start saw: ok or failed, which, what."""
    return [row.split("\t") for row in machine.succeed("cat", f"/run/eyas/probes/{name}").splitlines()]


def asked(machine: Emulated, name: str, text: str) -> None:
    """A published port answers, from outside of the container."""
    url = f"http://{ADDRESSES[name]}:8088/"
    retry(lambda: machine.execute("curl", "-sS", "--max-time", "20", url).text.strip() == text, f"{text} at {url}", 300)


def refused(machine: Emulated, script: str) -> str:
    """What a script says in the limited service, which must end it."""
    words = ["systemd-run", "--machine=dock", "--quiet", "--pipe", "--wait", "--collect", "--"]
    done = machine.execute(*words, "docker", "exec", "held-held-1", "/bin/busybox", "sh", "-c", script)
    assert done.code != 0, done.text
    return done.text + done.error


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_proved_before_its_container_is_ready(machine: Emulated, name: str) -> None:
    """And again by a restart: a container in it, with a published port."""
    title = f"command {SELFTEST} {ENGINES[name]}"
    said = ["ok", title, f"exit status 0: {ENGINES[name]} runs a container, and publishes its port"]
    assert said in probed(machine, name)
    machine.succeed("rm", f"/run/eyas/probes/{name}")
    machine.succeed("systemctl", "restart", f"systemd-nspawn@{name}.service", timeout=1800)
    assert said in probed(machine, name)


def test_what_engines_publish_is_reached(machine: Emulated) -> None:
    asked(machine, "dock", "of free")
    image = machine.inside("pod", "podman image ls --format '{{.Repository}}:{{.Tag}}'").strip()
    page = "echo of pod >/www/index.html; exec /bin/busybox httpd -f -p 80 -h /www"
    run = f"podman run --detach --name=page --stop-signal=KILL --publish=8088:80 {image} /bin/busybox sh -c '{page}'"
    machine.inside("pod", f"systemd-run --quiet --scope {run}")
    asked(machine, "pod", "of pod")
    machine.inside("pod", "podman rm --force page")


def test_limits_of_a_service_of_a_stack_have_effect(machine: Emulated) -> None:
    """`pids_limit`, `mem_limit` and `cpus`: seen by it, and kept to; the one beside it does as it likes."""
    files = "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max"
    assert machine.inside("dock", f"docker exec held-held-1 {files}").splitlines() == [
        "20", str(24 << 20), "50000 100000",
    ]  # fmt: skip
    crowd = "for n in $(/bin/busybox seq 40); do /bin/busybox sleep 5 & done; wait; echo all"
    assert "an't fork" in refused(machine, crowd)
    assert machine.inside("dock", f"docker exec held-free-1 /bin/busybox sh -c '{crowd}'").strip() == "all"
    refused(machine, "/bin/busybox tail /dev/zero; exit $?")
    asked(machine, "dock", "of free")
    (row,) = [row for row in status(machine) if row["name"] == "dock"]
    (stack,) = row["stacks"]
    assert {service["name"]: service["state"] for service in stack["services"]} == {
        "held": "running",
        "free": "running",
    }


def status(machine: Emulated) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(machine.eyas("status", "--json"))["containers"]
    return rows


def test_a_package_is_built_signed_published_and_installed(machine: Emulated) -> None:
    (id,) = machine.inside("forge", "package-builder queue hello").split()

    def build() -> dict[str, Any]:
        rows = json.loads(machine.inside("forge", "package-builder list --json"))["builds"]
        (row,) = [row for row in rows if row["id"] == id]
        return dict(row)

    retry(lambda: bool(build()["ended"]), "the build is over", 1800, pause=5)
    assert build()["state"] == "published", machine.inside("forge", f"package-builder logs {id}")
    machine.inside("forge", WHOLE)
    assert machine.inside("forge", CLIENT).split()[:3] == ["forge", "hello", "1-1"]
    install = "pacman -Sy --noconfirm --noprogressbar hello && hello-1 && pacman -Qkk hello"
    said = machine.inside("forge", f"package-builder root '{install}'", timeout=1200)
    assert "hello from a package" in said
    assert "0 altered files" in said


def test_nothing_is_left_to_be_done(machine: Emulated) -> None:
    assert json.loads(machine.eyas("plan", "--json"))["changes"] == []
    rows = status(machine)
    assert [text for row in rows for text in row["failing"]] == []
    assert {row["name"]: row["health"] for row in rows} == dict.fromkeys(("dock", "pod", "forge"), "healthy")
