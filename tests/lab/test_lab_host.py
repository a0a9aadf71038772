"""A lab host is a machine: it boots, reboots, loses power, runs containers, is reached from the internet, goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eyas.core.errors import Failed, UsageError
from eyas.lab import Lab, LabHost, Place, cgroup, down, find, list_labs, up
from eyas.lab.place import HostPlace
from eyas.lab.state import read_json
from eyas.lab.sweep import traces
from eyas.lab.testing import Host, Internet, retry
from tests.lab.labs import GARUDA, LabMaker

BASE = 540147712  # where the test container's user ids start, a multiple of 65536

ROOT_UP = f"""
set -e
D=/run/test/layer R=/run/test/root
mkdir -p $D $R
mount -t tmpfs -o size=256M,mode=0755 layer $D
mkdir -p $D/lower $D/upper $D/work
mount --bind -o "ro,X-mount.idmap=b:0:{BASE}:65536" /srv/tree $D/lower
chown {BASE}:{BASE} $D/upper
mount -t overlay -o lowerdir=$D/lower,upperdir=$D/upper,workdir=$D/work layer $R
"""

UNIT = f"""
[Service]
Type=notify
NotifyAccess=all
ExecStartPre=/bin/sh /etc/root-up
ExecStart=systemd-nspawn --quiet --keep-unit --boot --notify-ready=yes --directory=/run/test/root --machine=inner \
 --settings=no --network-bridge=br0 --private-users={BASE}:65536 --private-users-ownership=off --link-journal=no \
 "--system-call-filter=add_key keyctl" --bind=/srv/data:/data:idmap
KillMode=mixed
Slice=machine.slice
Delegate=yes
"""


def test_the_host_is_a_healthy_machine(host: Host) -> None:
    assert host.succeed("systemctl", "is-system-running") == "running"
    assert host.succeed("hostname") == "immortalis"
    assert host.succeed("cat", "/proc/1/comm") == "systemd"
    assert host.succeed("cat", "/proc/self/cgroup").splitlines()[-1] == "0::/wire"


def test_its_commands_get_what_they_are_sent_and_tell_how_they_ended(host: Host) -> None:
    assert host.succeed("cat", input="wörds\n") == "wörds"
    assert host.execute("sh", "-c", "exit 7").code == 7
    assert "no-such-program" in host.fail("no-such-program")


def test_the_internet_reaches_it_on_both_families_and_keeps_its_own_address(host: Host, internet: Internet) -> None:
    host.succeed("systemd-run", "--unit=web", "python3", "-m", "http.server", "--bind", "::", "8080")
    host.wait_for_unit("web.service")
    host.wait_for_port(8080)
    for place in ("203.0.113.112", "[2001:db8:5:1::2]", "immortalis"):
        assert "Directory listing" in internet.get(f"http://{place}:8080/")
    seen = host.succeed("journalctl", "--unit=web", "--output=cat")
    assert "::ffff:198.51.100.10 " in seen
    assert "2001:db8:ffff::10 " in seen
    host.succeed("systemctl", "stop", "web")


def test_a_blocked_wire_loses_everything_without_being_noticed(host: Host, internet: Internet) -> None:
    host.succeed("systemd-run", "--unit=web2", "python3", "-m", "http.server", "--bind", "::", "8081")
    host.wait_for_port(8081)
    internet.get("http://203.0.113.112:8081/")
    host.block()
    try:
        internet.fail("curl", "--max-time", "1", "--silent", "http://203.0.113.112:8081/")
        assert "LOWER_UP" in host.succeed("ip", "link", "show", "eth0")
    finally:
        host.unblock()
    internet.get("http://203.0.113.112:8081/")
    host.succeed("systemctl", "stop", "web2")


def test_names_and_certificates_of_the_lab_are_trusted_in_its_internet(
    lab: Lab, host: Host, internet: Internet
) -> None:
    chain, key = lab.issue(["mesh.example.org", "www.example.org"])
    host.succeed("sh", "-c", "cat > /run/site.pem", input=chain + key)
    lab.set_names({"mesh.example.org": ["203.0.113.112", "2001:db8:5:1::2"]})
    server = (
        "import http.server, ssl; s = http.server.HTTPServer(('', 8443), http.server.SimpleHTTPRequestHandler);"
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('/run/site.pem');"
        "s.socket = c.wrap_socket(s.socket, server_side=True); s.serve_forever()"
    )
    host.succeed("systemd-run", "--unit=tls", "--working-directory=/srv", "python3", "-c", server)
    host.wait_for_port(8443)
    assert "Directory listing" in internet.get("https://mesh.example.org:8443/")
    assert "certificate" in internet.fail("curl", "--silent", "--show-error", "https://immortalis:8443/")
    assert "resolve" in internet.fail("curl", "--silent", "--show-error", "https://other.example.org/")
    host.succeed("systemctl", "stop", "tls")


def test_networkd_makes_a_bridge(host: Host) -> None:
    host.succeed("sh", "-c", "cat > /etc/systemd/network/20-br0.netdev", input="[NetDev]\nName=br0\nKind=bridge\n")
    network = "[Match]\nName=br0\n[Network]\nAddress=10.0.5.1/24\nAddress=fd00:5::1/64\nConfigureWithoutCarrier=yes\n"
    host.succeed("sh", "-c", "cat > /etc/systemd/network/20-br0.network", input=network)
    host.succeed("networkctl", "reload")
    retry(lambda: "10.0.5.1/24" in host.succeed("ip", "-4", "address", "show", "br0"), "br0 has its address", 10)
    retry(lambda: "fd00:5::1/64" in host.succeed("ip", "-6", "address", "show", "br0"), "br0 has its address", 10)


def test_a_container_with_its_own_users_boots_inside(host: Host) -> None:
    """An id-mapped lower layer, an overlay, an id-mapped bind, machined, a bridge: all that eyas builds on."""
    test_networkd_makes_a_bridge(host)
    host.succeed("mkdir", "-p", "/srv/tree", "/srv/data")
    host.succeed("sh", "-c", "cp -a --one-file-system /usr /etc /bin /sbin /lib /lib64 /var /srv/tree/", timeout=300)
    host.succeed("mkdir", *(f"/srv/tree/{name}" for name in ("proc", "sys", "dev", "run", "tmp", "root", "data")))
    host.succeed("rm", "-f", "/srv/tree/etc/systemd/network/05-provider.network", "/srv/tree/etc/hostname")
    host.succeed("sh", "-c", "cat > /etc/root-up", input=ROOT_UP)
    host.succeed("sh", "-c", "cat > /etc/systemd/system/inner.service", input=UNIT)
    host.succeed("systemctl", "daemon-reload")
    host.succeed("systemctl", "start", "inner.service", timeout=120)
    try:
        assert "inner" in host.succeed("machinectl", "list", "--no-legend")
        host.wait_until_succeeds("systemctl", "--machine=inner", "is-system-running")
        host.wait_for_unit("dbus.service", machine="inner")
        host.succeed("systemd-run", "--machine=inner", "--wait", "--quiet", "touch", "/data/written", "/usr/bin/new")
        assert host.succeed("stat", "--format=%u", "/srv/data/written") == "0"
        assert host.succeed("stat", "--format=%u", "/run/test/root/usr/bin/new") == str(BASE)
    finally:
        host.succeed("systemctl", "stop", "inner.service", timeout=120)
        host.succeed("umount", "--recursive", "/run/test/root", "/run/test/layer")
        host.succeed("rm", "-r", "/srv/tree", "/srv/data", timeout=120)


def test_its_own_firewall_forwards_and_tracks(host: Host) -> None:
    host.succeed("sysctl", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    rules = "table inet t { chain c { type nat hook postrouting priority srcnat; oifname eth0 masquerade; }; }"
    host.succeed("nft", "-f", "-", input=rules)
    host.succeed("conntrack", "-L")
    host.succeed("nft", "delete", "table", "inet", "t")


def test_loop_devices_are_given_back_when_the_power_goes(host: Host) -> None:
    host.succeed("sh", "-c", "truncate -s 8M /srv/disk && mkfs.ext4 -q /srv/disk && mount -o loop /srv/disk /mnt")
    device = host.succeed("findmnt", "--noheadings", "--output=SOURCE", "/mnt")
    assert device in _loops()
    host.cut()
    assert device not in _loops()
    host.boot()


def _loops() -> str:
    return subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True).stdout


def test_a_power_cut_spares_the_disk_and_nothing_else(host: Host) -> None:
    before = host.boot_id()
    host.succeed("sh", "-c", "echo kept > /srv/kept; sync; echo lost > /run/lost; ip link add stray type bridge")
    agent = subprocess.Popen(host.lab.command(host.name, ["sleep", "1000"]))
    host.cut()
    assert agent.wait(5) != 0, "a command in the host outlived its power"
    with pytest.raises(Failed, match="not running"):
        host.succeed("true")
    assert host.boot() < 30
    assert host.succeed("cat", "/srv/kept") == "kept"
    host.fail("cat", "/run/lost")
    host.fail("ip", "link", "show", "stray")
    assert host.boot_id() != before
    assert before.replace("-", "") in host.succeed("journalctl", "--list-boots")


def test_it_reboots_by_our_wish_and_by_its_own(host: Host, internet: Internet) -> None:
    first = host.boot_id()
    host.reboot()
    second = host.boot_id()
    assert second != first
    host.execute("systemctl", "reboot")
    retry(lambda: host.boot_id() != second, "another boot", 60)
    host.wait_until(lambda: host.lab.host(host.name).is_up(), "up")
    assert host.succeed("systemctl", "is-system-running", "--wait") == "running"


def test_up_again_changes_nothing_hosts_come_and_go_and_disks_stay_when_asked(make_lab: LabMaker) -> None:
    second = LabHost("second", addresses=("192.0.2.10/24",), gateways=("192.0.2.1",))
    lab = make_lab(GARUDA)
    first = Host(lab, GARUDA.name)
    boot = first.boot_id()
    lab = up(lab.directory, [GARUDA, second], outer=False)
    assert first.boot_id() == boot
    assert lab.summary().hosts == {"immortalis": "up", "second": "up"}
    assert find(lab.directory).hosts.keys() == lab.hosts.keys()
    Host(lab, "second").wait_until_succeeds("ping", "-c1", "-W1", "203.0.113.112")
    lab = up(lab.directory, [GARUDA], outer=False)
    assert not (lab.place.path / "second").exists()
    assert first.boot_id() == boot
    with pytest.raises(UsageError, match="second"):
        lab.exec("second", ["true"])

    first.succeed("sh", "-c", "echo kept > /srv/kept; sync")
    down(lab.directory, keep_data=True)
    assert [each.hosts for each in list_labs() if each.id == lab.id] == [{"immortalis": "off"}]
    up(lab.directory, [GARUDA], outer=False)
    assert first.succeed("cat", "/srv/kept") == "kept"
    assert down(lab.directory)
    assert not down(lab.directory)


@pytest.fixture
def group() -> Iterator[str]:
    name = f"eyas-test-{os.getpid()}"
    cgroup.make(name)
    yield name
    cgroup.kill(name)
    cgroup.remove(name)


def test_who_joins_a_group_after_it_was_told_to_end_ends_too(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service does that a killed `up` had just started."""
    late = subprocess.Popen(["sleep", "60"])
    look, named = cgroup.populated, list[str]()

    def join_at_first_look(name: str) -> bool:
        if not named:
            cgroup.move(name, late.pid)
            named.extend(cgroup.processes(name))
        return look(name)

    monkeypatch.setattr(cgroup, "populated", join_at_first_look)
    cgroup.kill(group, timeout=10)
    assert late.wait() == -signal.SIGKILL
    assert [each.partition(",")[0] for each in named] == [f"{late.pid} (sleep"]


UP = """
import sys
from pathlib import Path
from eyas.lab import LabHost, up
up(Path(sys.argv[1]), [LabHost("immortalis", addresses=("203.0.113.112/26",), gateways=("203.0.113.65",))])
"""


MOMENTS: dict[str, Callable[[HostPlace], bool]] = {
    "noted": lambda host: host.lab.state.exists(),
    "internet": lambda host: Path("/run/netns", host.lab.internet).exists(),
    "disk": lambda host: any(host.path.glob(".root*")),
    "keeper": lambda host: host.console.exists(),
    "wire": lambda host: Path("/run/netns", host.namespace).exists(),
    "booting": lambda host: (read_json(host.state) or {}).get("leader") is not None,
    "up": lambda host: (read_json(host.state) or {}).get("phase") == "up",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_leaves_nothing_when_up_was_killed(tmp_path: Path, moment: str) -> None:
    place = Place.of(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", UP, str(tmp_path)], start_new_session=True)
    while not MOMENTS[moment](place.host("immortalis")):
        assert process.poll() is None
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert _remains(place), "killed too early to show anything"
    down(tmp_path)
    assert traces(place) == []
    time.sleep(0.2)  # for a straggler to show itself
    assert _remains(place) == []


def test_a_lab_is_known_until_the_last_of_it_is_gone(make_lab: LabMaker) -> None:
    lab = make_lab(GARUDA)
    place = lab.place
    root = place.host(GARUDA.name).root
    whole = set(root.iterdir())
    code = f"from pathlib import Path; from eyas.lab import down; down(Path({str(lab.directory)!r}))"
    process = subprocess.Popen([sys.executable, "-c", code])
    while set(root.iterdir()) == whole:
        assert process.poll() is None
    process.kill()
    process.wait()
    assert [each.hosts for each in list_labs() if each.id == place.id] == [{GARUDA.name: "off"}]
    assert down(lab.directory)
    assert _remains(place) == []


def _remains(place: Place) -> list[str]:
    """What is left of a lab on this machine, found by other means than the lab's own."""

    def lines(*argv: str) -> list[str]:
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return [line for line in out.splitlines() if place.id in line or place.outer_link in line]

    return [
        *lines("ip", "netns", "list"),
        *lines("ip", "-o", "link", "show"),
        *lines("ip", "route", "show", "table", "all"),
        *lines("cat", "/proc/self/mountinfo"),
        *lines("find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", "eyas-lab-*"),
        *lines("find", "/run/systemd/nspawn", "/etc", "/var/lib/eyas-lab", "-maxdepth", "2"),
        *_processes_of(place),
    ]


def _processes_of(place: Place) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if place.id in command:
            found.append(command)
    return found
