"""What Compose files ask of Docker works in a container: one stack, with a service for each."""

from __future__ import annotations

import pytest

from eyas.lab.testing import retry
from tests.lab.compose.rig import Stacks

pytestmark = pytest.mark.long


def inside(stacks: Stacks, service: str, *argv: str) -> str:
    """What a program in a container of the stack ``features`` says."""
    words = argv if argv[0].startswith("/") or service in ("socket", "inner") else ("/bin/busybox", *argv)
    return stacks.docker("exec", f"features-{service}-1", *words).strip()


def status(stacks: Stacks, service: str, key: str) -> str:
    lines = inside(stacks, service, "cat", "/proc/1/status").splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{key}:"))


def test_all_are_well(stacks: Stacks) -> None:
    services = stacks.state("features")["services"]
    assert len(services) == 11
    assert {name: row["state"] for name, row in services.items() if row["state"] != "running"} == {"first": "done"}


def test_ports_on_all_addresses_one_and_the_loopback(stacks: Stacks) -> None:
    outer, inner = "http://10.0.8.10", "http://127.0.0.1"
    asked = [("host", f"{outer}:{port}/") for port in (8101, 8102, 8103)]
    asked += [("stacks", f"{inner}:{port}/") for port in (8101, 8102, 8103)] + [("stacks", f"{outer}:8102/")]
    curl = ("curl", "--silent", "--fail", "--max-time", "3")
    reached = {(place, url) for place, url in asked if stacks.execute(place, *curl, url).code == 0}
    assert reached == {
        ("host", f"{outer}:8101/"), ("host", f"{outer}:8102/"),
        ("stacks", f"{inner}:8101/"), ("stacks", f"{inner}:8103/"), ("stacks", f"{outer}:8102/"),
    }  # fmt: skip


def test_binds_and_volumes(stacks: Stacks) -> None:
    assert inside(stacks, "ports", "cat", "/www/index.html") == "of features"
    with pytest.raises(AssertionError):
        inside(stacks, "ports", "touch", "/www/x")
    inside(stacks, "ports", "touch", "/kept/x")
    assert "x" in inside(stacks, "second", "ls", "/kept")


def test_tmpfs_with_size_owner_and_mode(stacks: Stacks) -> None:
    assert inside(stacks, "memory", "stat", "-c", "%u %a", "/scratch") == "1000 700"
    with pytest.raises(AssertionError, match="No space left"):
        inside(stacks, "memory", "dd", "if=/dev/zero", "of=/scratch/x", "bs=64k", "count=32")


def test_rights(stacks: Stacks) -> None:
    assert inside(stacks, "meek", "id", "-u") == "1000"
    assert int(status(stacks, "meek", "CapBnd"), 16) == 1 << 10  # CAP_NET_BIND_SERVICE
    assert status(stacks, "meek", "NoNewPrivs") == "1"
    with pytest.raises(AssertionError, match="Read-only"):
        inside(stacks, "meek", "touch", "/tmp/x")
    assert int(status(stacks, "mighty", "CapEff"), 16) >> 21 & 1  # CAP_SYS_ADMIN
    inside(stacks, "mighty", "mount", "-t", "tmpfs", "none", "/tmp")
    assert "features-meek-1" in stacks.docker("ps", "--filter", "status=running", "--format", "{{.Names}}")


def test_networks(stacks: Stacks) -> None:
    assert inside(stacks, "alone", "ls", "/sys/class/net").split() == ["lo"]
    gateway = next(
        line.split()[0] for line in inside(stacks, "caller", "cat", "/etc/hosts").splitlines() if "outside" in line
    )
    assert inside(stacks, "caller", "wget", "-q", "-O", "-", "http://outside:8101/") == "of features"
    assert gateway == "172.19.255.1"


def test_a_terminal(stacks: Stacks) -> None:
    assert inside(stacks, "terminal", "readlink", "/proc/1/fd/0").startswith("/dev/pts/")


def test_one_waits_for_another(stacks: Stacks) -> None:
    assert inside(stacks, "second", "cat", "/tmp/seen").isdigit()


def test_the_socket_in_a_container(stacks: Stacks) -> None:
    assert "features-socket-1" in inside(stacks, "socket", "docker", "ps", "--format", "{{.Names}}")


def test_docker_in_docker(stacks: Stacks) -> None:
    retry(lambda: inside(stacks, "inner", "docker", "version", "--format", "{{.Server.Version}}"), "it answers", 60)
    made = "mkdir -p /tmp/r/bin && cp /usr/bin/busybox /tmp/r/bin/ && tar -C /tmp/r -c . | docker import - t:1"
    inside(stacks, "inner", "sh", "-c", made)
    assert inside(stacks, "inner", "docker", "run", "--rm", "t:1", "/bin/busybox", "echo", "within") == "within"
