"""Storage with an end: who fills it has no room, and nobody else; it grows while it is used."""

from __future__ import annotations

import pytest

from tests.lab.docker.rig import Docks
from tests.lab.rig import step_numbers

pytestmark = pytest.mark.long

FILL = "dd if=/dev/zero of={} bs=1M count={} status=none"


def megabytes(docks: Docks, name: str, path: str) -> int:
    """How much a file system holds."""
    return int(docks.succeed(name, "df", "--output=size", "--block-size=1M", path).split()[-1])


def test_full_storage_hurts_its_container_alone(docks: Docks) -> None:
    """Not the host, whose disk it is in, and not the others; what was there before is whole."""
    assert 200 < megabytes(docks, "dock", "/var/lib/docker") <= 256
    assert 200 < megabytes(docks, "pod", "/var/lib/containers") <= 256
    assert docks.host.succeed("stat", "--format=%a %u", "/srv/near") == "770 0"
    before = docks.invocations()
    docks.succeed("near", "sh", "-c", "echo kept >/data/note")
    try:
        said = docks.fail("near", "sh", "-c", FILL.format("/data/full", 100))
        assert "No space left on device" in said
        assert "No space left" in docks.fail("dock", "sh", "-c", FILL.format("/var/lib/docker/full", 300))
        docks.host.succeed("sh", "-c", FILL.format("/srv/room", 100) + " && rm /srv/room")
        docks.selftest("pod")
        assert docks.succeed("near", "cat", "/data/note") == "kept"
        assert "no space left on device" in docks.fail("dock", "sh", "-c", "docker pull --quiet nobody/nothing 2>&1; "
            "tar -cC /bin busybox | docker import - more:1").lower()  # fmt: skip
    finally:
        docks.succeed("dock", "rm", "-f", "/var/lib/docker/full")
        docks.succeed("near", "rm", "-f", "/data/full")
    docks.selftest("dock")
    assert docks.invocations() == before


def test_storage_grows_and_never_shrinks(docks: Docks) -> None:
    """While it is used, where the kernel lets this machine do that (CAP_SYS_RESOURCE); where not, it says so and is as
    before, and grows at rest."""
    online = int(docks.host.succeed("sh", "-c", "grep CapEff /proc/self/status").split()[1], 16) & 1 << 24
    more = ', Bind("/srv/more", "/more", persistent=True, size="64M")],'
    docks.edit('size="64M")],', 'size="64M")' + more)
    docks.apply()
    before = docks.invocations()
    docks.succeed("near", "sh", "-c", "echo kept >/more/note")
    docks.edit(more, more.replace("64M", "96M"))
    (change,) = [change for change in docks.plan()["changes"] if change["kind"] == "disk"]
    assert (change["impact"], change["fields"][0]["note"]) == ("live", "disk of /srv/more 64M -> 96M")
    if online:
        docks.apply()
    else:
        said = docks.run("apply", "--yes")
        assert "cannot make /srv/more.disk bigger while it is mounted" in said.err
        assert docks.invocations() == before
        docks.switch("stop", "near")
        docks.host.succeed("systemctl", "stop", "srv-more.mount")
        docks.apply()
        before = {**before, "near": docks.invocation("near")}
    assert megabytes(docks, "near", "/more") > 80
    assert docks.succeed("near", "cat", "/more/note") == "kept"
    assert docks.plan()["changes"] == []
    docks.edit('persistent=True, size="96M"', 'persistent=True, size="80M"')
    said = docks.run("apply", "--yes")
    assert said.code != 0
    assert "cannot make the disk of /srv/more smaller: it has 96M" in said.err
    docks.edit('persistent=True, size="80M"', 'persistent=True, size="96M"')
    assert docks.plan()["changes"] == []
    assert docks.invocations() == before


def test_what_has_data_gets_no_disk_over_it(docks: Docks) -> None:
    """And what was begun for nothing is taken back."""
    before = docks.invocations()
    docks.host.succeed("sh", "-c", "mkdir -p /srv/old && echo data >/srv/old/file")
    docks.edit("    binds=[", '    binds=[Bind("/srv/old", "/old", persistent=True, size="32M"),')
    said = docks.run("apply", "--yes")
    assert said.code != 0
    assert "cannot give /srv/old a size: it has data" in said.err
    assert docks.host.succeed("cat", "/srv/old/file") == "data"
    assert docks.host.execute("ls", "/srv/old.disk").code != 0
    assert docks.invocations() == before


def test_an_unused_disk_goes_with_the_run_that_made_it(docks: Docks) -> None:
    docks.edit("    binds=[", '    binds=[Bind("/srv/new", "/new", persistent=True, size="32M"),')
    (number,) = step_numbers(docks.plan(), "container.live")
    said = docks.run("apply", "--yes", fault=f"fail:{number}")
    assert said.code != 0, said
    assert docks.host.execute("ls", "/srv/new.disk").code != 0, said
    assert "srv-new.mount" not in docks.host.succeed("systemctl", "list-units", "--all", "srv-*")
