"""A quick service beside heavy tenants, and what tests do to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyas.lab.testing import retry
from tests.lab.rig import FULL, Rig

HERE = Path(__file__).parent
URL = "http://203.0.113.112/"
ATTEMPTS = "#!/usr/bin/python3\n" + (HERE / "attempts.py").read_text()


@dataclass
class Tenants(Rig):
    declared = HERE / "fleet"

    def limits(self, container: str) -> dict[str, dict[str, Any]]:
        """What `eyas status` tells of a container's limits, by name."""
        return {row["limit"]: row for row in self.status()[container]["limits"]}

    def hits(self) -> dict[str, set[str]]:
        """Containers that are held back right now, and by which limits."""
        rows = self.status().values()
        found = {row["name"]: {limit["limit"] for limit in row["limits"] if limit["state"] == "hit"} for row in rows}
        return {name: limits for name, limits in found.items() if limits}

    def stalled(self, container: str) -> float:
        """Seconds in which somebody in a container waited for a disk, since it started (cgroups(7), io.pressure)."""
        group = f"/sys/fs/cgroup/machine.slice/systemd-nspawn@{container}.service"
        first = self.succeed("host", "cat", f"{group}/io.pressure").splitlines()[0]
        return int(first.rpartition("total=")[2]) / 1e6

    def latency(self) -> float:
        """Seconds within which 99 of 100 requests to the quick service are answered; none fails."""
        with self.load(URL, rate=150, seconds=2) as load:
            load.end()
        assert load.failed == 0, load.seen
        return float(load.seen["p99"])

    def stays_quick(self, pressed: Callable[[], AbstractContextManager[object]]) -> None:
        """The quick service is as quick beside a tenant under ``pressed`` as without.

        Measured in turn, the least of four each: what else this machine does disturbs some of them, and what the
        tenant does would be seen in each. On a quiet machine (EYAS_FULL) half as much again is the bound; beside other
        work, the bound only tells a neighbour that is hurt from one that is not.
        """
        calm, busy = [], []
        for _ in range(4):
            calm.append(self.latency())
            with pressed():
                busy.append(self.latency())
        print(f"99th percentile, seconds: calm {calm}, beside the tenant {busy}")
        assert min(busy) <= (1.5 if FULL else 3) * min(calm), (calm, busy)

    def job(self, name: str, text: str, timeout: float = 60) -> tuple[str, str]:
        """Give a job to the runner; how it ended, and its log."""
        self.put_job(name, text)
        done = f"/srv/ci/done/{name}"
        self.host.wait_until(lambda: self.exists(f"{done}/status"), f"job {name} is done", timeout)
        return self.succeed("host", "cat", f"{done}/status").strip(), self.succeed("host", "cat", f"{done}/log")

    def put_job(self, name: str, text: str) -> None:
        put = (
            'rm -rf "/srv/ci/done/$1"; cat >"/srv/ci/$1"; chmod 755 "/srv/ci/$1"; mv "/srv/ci/$1" "/srv/ci/incoming/$1"'
        )
        self.succeed("host", "sh", "-ec", put, "sh", name, input=text)

    def exists(self, path: str) -> bool:
        return self.execute("host", "test", "-e", path).code == 0

    def inside(self, container: str, script: str, timeout: float = 60) -> str:
        """A shell script in a container."""
        return self.succeed(container, "sh", "-ec", script, timeout=timeout)

    def wait_unit(self, container: str, unit: str) -> None:
        def active() -> bool:
            return (
                self.execute("host", "systemctl", f"--machine={container}", "is-active", unit).text.strip() == "active"
            )

        retry(active, f"{unit} in {container} is active", 60)
