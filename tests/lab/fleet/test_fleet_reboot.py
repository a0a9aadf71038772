"""The host without eyas: it boots, in order, also after its power was cut. What hands change is found and mended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.fleet.garuda import NAMES, Garuda, costs

AFTER = {
    "meshcentral": ["postgres"],
    "mastodon": ["postgres"],
    "docker": ["postgres"],
    "temeraire": ["repo", "chaotic-kde"],
}
UNITS = [f"systemd-nspawn@{name}.service" for name in sorted(NAMES)]


def when(garuda: Garuda) -> dict[str, tuple[int, int]]:
    """Of each container: when its start was begun, and when it was ready (microseconds since the boot)."""
    fields = "Id,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
    found = {}
    for block in garuda.host.succeed("systemctl", "show", f"--property={fields}", *UNITS).strip().split("\n\n"):
        row = dict(line.split("=", 1) for line in block.splitlines())
        name = row["Id"].removeprefix("systemd-nspawn@").removesuffix(".service")
        found[name] = (int(row["ExecMainStartTimestampMonotonic"]), int(row["ActiveEnterTimestampMonotonic"]))
    return found


def of_eyas(garuda: Garuda) -> list[str]:
    """Programs of eyas that run on the host, or scripts of it, which are a part of a start or a stop."""
    running = garuda.host.succeed("ps", "-eo", "args", "--no-headers").splitlines()
    # Programs of containers, which ps sees from outside.
    running = [args for args in running if not any(name in args for name in ("package-builder", "eyas_compose"))]
    return [
        args
        for args in running
        if ("python" in args and "eyas" in args) or "/usr/local/lib/eyas" in args or args.startswith("eyas")
    ]


def up_by_itself(garuda: Garuda) -> None:
    """Ten containers, in order, and nothing of eyas that runs. Asked of systemd first: no eyas has looked yet."""
    host = garuda.host

    def active() -> bool:
        states = host.execute("systemctl", "is-active", *UNITS).text.split()
        assert "failed" not in states
        return states == ["active"] * len(UNITS)

    host.wait_until(active, "ten containers are up", timeout=240)
    host.wait_until(lambda: not host.execute("systemctl", "list-jobs", "--no-legend").text, "no jobs", timeout=120)
    # What a timer starts looks, and ends; whatever stays is one too many.
    host.wait_until(lambda: not of_eyas(garuda), "nothing of eyas runs")
    assert not host.execute("systemctl", "list-units", "--failed", "--no-legend").text
    times = when(garuda)
    for name, others in AFTER.items():
        for other in others:
            assert times[other][1] <= times[name][0], f"{name} was begun before {other} was ready"
    garuda.well()
    assert garuda.costs() == set()
    for site, words in (("wiki", "<title>wiki"), ("social", '"database": "mastodon"'), ("mesh", "MeshCentral")):
        assert words in garuda.internet.get(f"https://{site}.example.org/", "-6")
    first = min(begun for begun, _ in times.values())
    print(f"all ready {(max(ready for _, ready in times.values()) - first) / 1e6:.1f} s after the first was begun")


def test_a_reboot(garuda: Garuda) -> None:
    before, boot = garuda.runs(), garuda.host.boot_id()
    garuda.host.reboot()
    up_by_itself(garuda)
    after = garuda.runs()
    assert garuda.host.boot_id() != boot
    assert not {run for row in after.values() for run in row} & {run for row in before.values() for run in row}


def test_a_power_cut(garuda: Garuda) -> None:
    visits = garuda.internet.get("https://social.example.org/")
    garuda.host.cut()
    garuda.host.boot()
    up_by_itself(garuda)
    assert "mastodon" in visits


# ------------------------------------------------------------ hands on the host

Deed = Callable[[Garuda], None]


def _edit_unit(garuda: Garuda) -> None:
    garuda.host.succeed(
        "sed", "-i", "s/^TimeoutStopSec=.*/TimeoutStopSec=7/", "/etc/systemd/system/systemd-nspawn@forum.service"
    )
    garuda.host.succeed("systemctl", "daemon-reload")


def _delete_rule(garuda: Garuda) -> None:
    garuda.host.succeed("nft", "delete", "element", "inet", "eyas", "tcp4", "{ 443 }")
    garuda.internet.fail("curl", "-4", "-sS", "--max-time", "3", "https://wiki.example.org/")


def _stop(garuda: Garuda) -> None:
    garuda.host.succeed("machinectl", "poweroff", "iso-runner")
    look = ("systemctl", "is-active", "systemd-nspawn@iso-runner")
    garuda.host.wait_until(lambda: garuda.host.execute(*look).text == "inactive", "iso-runner is off")


def _edit_file(garuda: Garuda) -> None:
    garuda.host.succeed("tee", "-a", "/etc/sysctl.d/60-neighbours.conf", input="# by hand\n")


@pytest.mark.parametrize(
    ("by_hand", "owner", "impact", "starts"),
    [
        (_edit_unit, "forum", "live", set()),
        (_delete_rule, "host", "live", set()),
        (_stop, "iso-runner", "none", {"iso-runner"}),
        (_edit_file, "host", "live", set()),
    ],
)
def test_what_was_changed_by_hand_is_found_and_mended(
    garuda: Garuda, by_hand: Deed, owner: str, impact: str, starts: set[str]
) -> None:
    garuda.apply()  # one that failed is not the next one's fault
    assert garuda.drift() == {}
    by_hand(garuda)
    said = garuda.run("status", "--exit-code")
    assert said.code == 3, said.out
    assert set(garuda.drift()) == {owner}
    before = garuda.runs()
    done = garuda.applied()
    assert costs(done["plan"]) == {(owner, impact)}
    after = garuda.runs()
    assert {name for name in after if after[name] != before.get(name)} == starts
    assert garuda.drift() == {}
    assert garuda.costs() == set()
    garuda.well()
    assert "<title>wiki" in garuda.internet.get("https://wiki.example.org/", "-4")
