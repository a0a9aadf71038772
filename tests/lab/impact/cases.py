"""The rules of docs/impact.md: for each an edit of the definitions, what it costs, and what is seen then.

Cases of one batch are applied together, so that a run costs its second once; they are in the order in which they
happen. What the plan says, who restarts and who does not is compared for all of a batch (`test_impact`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tests.lab.impact.rig import Impact

Edit: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """One edit under one rule."""

    rule: str  # a heading of docs/impact.md
    who: str  # a container; "" for the host
    impact: str
    fields: Sequence[str]  # that the plan names: of a container's spec, or kinds of things of the host
    edits: Sequence[Edit] = ()
    units: frozenset[str] = frozenset()  # that begin anew; nothing else does
    before: Callable[[Impact], None] = lambda rig: None
    look: Callable[[Impact], None] = lambda rig: None


@dataclass(frozen=True)
class Batch:
    """Cases that are applied in one run."""

    name: str
    cases: Sequence[Case]
    gone: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()


def _units(*names: str) -> frozenset[str]:
    return frozenset(f"{name}.service" for name in names)


# ---- while they run


def _limits(rig: Impact) -> None:
    seen = rig.unit("alpha", "MemoryMax", "CPUQuotaPerSecUSec", "TasksMax")
    assert seen == {"MemoryMax": str(640 << 20), "CPUQuotaPerSecUSec": "1.500000s", "TasksMax": "300"}


def _next_time(rig: Impact) -> None:
    seen = rig.unit("beta", "Description", "TimeoutStopUSec", "TimeoutStartUSec", "UnitFileState")
    assert seen == {
        "Description": "second",
        "TimeoutStopUSec": "11s",
        "TimeoutStartUSec": "1min 40s",
        "UnitFileState": "disabled",
    }
    assert "unit other.service" in rig.host.succeed("cat", "/run/eyas/probes/beta")


def _order(rig: Impact) -> None:
    seen = {key: value.split() for key, value in rig.unit("gamma", "After", "Wants", "PartOf").items()}
    alpha, beta = "systemd-nspawn@alpha.service", "systemd-nspawn@beta.service"
    assert {alpha, beta} <= set(seen["After"])
    assert beta in seen["Wants"]
    assert alpha in seen["PartOf"]


def _own_things(rig: Impact) -> None:
    assert rig.host.succeed("sysctl", "-n", "net.ipv4.tcp_fin_timeout") == "40"
    assert rig.host.succeed("cat", "/etc/impact.conf") == "two"
    assert ":1002:" in rig.host.succeed("getent", "passwd", "bob")
    assert "blue" in rig.host.succeed("systemctl", "show", "--property=Environment", "host-idle.service")


def _forward(rig: Impact) -> None:
    assert "8030" in rig.host.succeed("nft", "list", "table", "inet", "eyas")


RUNNING = Batch(
    "while they run",
    [
        Case(
            "Live: limits",
            "alpha",
            "live",
            ["limits"],
            [('Limits(memory="512M")', 'Limits(memory="640M", cpus=1.5, tasks=300)')],
            look=_limits,
        ),
        Case(
            "Live: what only the next stop or start uses",
            "beta",
            "live",
            ["autostart", "description", "drain", "files", "hold", "probes", "settle", "start_timeout", "stop_timeout"],
            [
                (
                    "**few,  # beta",
                    '**{**few, "stop_timeout": 6, "drain": 1, "settle": 1}, start_timeout=100, hold=20, '
                    'autostart=False, description="second",  # beta',
                ),
                ('Probe.unit("idle.service")', 'Probe.unit("other.service")'),
            ],
            look=_next_time,
        ),
        Case(
            "Live: order",
            "gamma",
            "live",
            ["after", "needs", "restart_with"],
            [("**few,  # gamma", "**few, after=[alpha], needs=[beta], restart_with=[alpha],  # gamma")],
            look=_order,
        ),
        Case(
            "Live or restart unit: the host's own things",
            "",
            "restart_unit",
            ["file", "sysctl", "unit", "user"],
            [
                ('"net.ipv4.tcp_fin_timeout": 50', '"net.ipv4.tcp_fin_timeout": 40'),
                ('"/etc/impact.conf": "one"', '"/etc/impact.conf": "two"'),
                ('User("ann", 1001)]', 'User("ann", 1001), User("bob", 1002)]'),
                (
                    '"host-idle.service": service("sleep infinity")',
                    '"host-idle.service": service("sleep infinity", "Environment=COLOUR=blue")',
                ),
            ],
            units=_units("host-idle"),
            look=_own_things,
        ),
        Case(
            "Live: forwards, names, bridge addresses of the host",
            "",
            "live",
            ["firewall"],
            [('grants=["loop"],', 'grants=["loop"], forwards=[Forward(8030, to=80)],')],
            look=_forward,
        ),
    ],
)

# ---- files, units, environment inside


def _plain(rig: Impact) -> None:
    assert rig.read("alpha", "/etc/plain") == ["two"]


def _reloaded(rig: Impact) -> None:
    assert rig.read("beta", "/etc/other.conf", "/run/reloaded") == ["two", ""]


def _restarted(rig: Impact) -> None:
    assert rig.read("gamma", "/etc/idle.conf") == ["two"]


def _environment(rig: Impact) -> None:
    shown = "tr '\\0' '\\n' </proc/$(systemctl show --property=MainPID --value spare.service)/environ"
    lines = rig.inside("gamma", "bash", "-c", shown).splitlines()
    assert {"COLOUR=red", 'WORDS=a "b" %c \\ $d', "SIZE=3"} <= set(lines)


INSIDE = Batch(
    "inside",
    [
        Case(
            "Live: a file inside that nobody has to notice",
            "alpha",
            "live",
            ["files"],
            [('"/etc/plain": "one"', '"/etc/plain": "two"')],
            look=_plain,
        ),
        Case(
            "Reload: a file with `reload=`",
            "beta",
            "reload",
            ["files"],
            [('File("one", reload=["other.service"])', 'File("two", reload=["other.service"])')],
            look=_reloaded,
        ),
        Case(
            "Restart unit: a file with `restart=`, a unit file or a drop-in of it",
            "gamma",
            "restart_unit",
            ["files"],
            [
                ('File("one", restart=["idle.service"])', 'File("two", restart=["idle.service"])'),
                ("environment={", 'units={"fresh.service": service("sleep infinity")}, environment={'),
            ],
            units=_units("idle", "fresh"),
            look=_restarted,
        ),
        Case(
            "Restart unit: the environment of a service",
            "gamma",
            "restart_unit",
            ["files"],
            [('"COLOUR": "blue"', '"COLOUR": "red", "SIZE": 3')],
            units=_units("spare"),
            look=_environment,
        ),
    ],
)

NOTHING = Batch(
    "nothing",
    [
        Case(
            "None: the name of the image, versions that are only shown",
            name,
            "none",
            ["image"],
            [('name="tiny"', 'name="small"')] if name == "alpha" else [],
        )
        for name in ("alpha", "beta", "gamma")
    ],
)

# ---- binds


def _added(rig: Impact) -> None:
    assert rig.bound("alpha", "/new/deep") == ["/srv/new", "rw"]
    assert rig.bound("alpha", "/elsewhere/here") == ["/srv/linked", "rw"]
    assert rig.bound("alpha", "/usr/share/doc") == ["/srv/doc", "rw"]
    assert rig.bound("alpha", "/etc/named") == ["/etc/hostname", "ro"]
    rig.inside(
        "alpha", "bash", "-c", "echo words >/new/deep/note; stat --format=%u:%g:%a /new /new/deep >/new/deep/ids"
    )
    assert rig.host.succeed("stat", "--format=%u:%g", "/srv/new/note") == "0:0"
    assert rig.host.succeed("cat", "/srv/new/ids").split() == ["0:0:755", "0:0:755"]
    rig.fail("alpha", "mount", "-o", "remount,bind,rw", "/etc/named")
    rig.fail("alpha", "bash", "-c", "echo other >/etc/named")
    # Somebody keeps a file open through all that comes.
    started = ("systemd-run", "--machine=alpha", "-q", "--unit=reader", "-p", "StandardInput=file:/new/deep/note")
    rig.host.succeed(*started, "sleep", "infinity")
    # What the container mounts in a bind stays in the container.
    rig.inside("alpha", "bash", "-c", "mkdir -p /new/deep/own && mount -t tmpfs own /new/deep/own")
    assert "/srv/new/own" not in rig.host.succeed("cat", "/proc/self/mountinfo")


def _added_privileged(rig: Impact) -> None:
    assert rig.bound("gamma", "/new") == ["/srv/new2", "ro"]
    rig.fail("gamma", "touch", "/new/x")


BIND = 'Bind("/srv/data", "/data", persistent=True)'
ADDED = (
    BIND
    + ', Bind("/srv/new", "/new/deep", persistent=True), Bind("/srv/linked", "/etc/shown/here"), '
    + 'Bind("/srv/doc", "/usr/share/doc"), Bind("/etc/hostname", "/etc/named", readonly=True)'
)
BINDS = Batch(
    "binds come",
    [
        Case("Live: binds", "alpha", "live", ["binds"], [(BIND, ADDED)], look=_added),
        Case(
            "Live: binds",
            "gamma",
            "live",
            ["binds"],
            [('Bind("/srv/gone", "/gone")', 'Bind("/srv/gone", "/gone"), Bind("/srv/new2", "/new", readonly=True)')],
            look=_added_privileged,
        ),
    ],
)


def _changed(rig: Impact) -> None:
    assert rig.bound("alpha", "/new/deep") is None
    assert "/new/deep/own" not in rig.seen["alpha"]["mounts"]
    rig.fail("alpha", "test", "-e", "/new")
    assert rig.bound("alpha", "/elsewhere/here") == ["/srv/other", "rw"]
    assert rig.bound("alpha", "/etc/named") == ["/etc/hostname", "rw"]
    assert rig.inside("alpha", "systemctl", "is-active", "reader.service").strip() == "active"


def _changed_privileged(rig: Impact) -> None:
    assert rig.bound("gamma", "/gone") is None
    assert rig.bound("gamma", "/new") == ["/srv/new2", "rw"]


CHANGED = (
    ADDED.replace('"/srv/linked"', '"/srv/other"')
    .replace(", readonly=True", "")
    .replace(', Bind("/srv/new", "/new/deep", persistent=True)', "")
)
BINDS_CHANGE = Batch(
    "binds change and go",
    [
        Case("Live: binds", "alpha", "live", ["binds"], [(ADDED, CHANGED)], look=_changed),
        Case(
            "Live: binds",
            "gamma",
            "live",
            ["binds"],
            [('Bind("/srv/gone", "/gone"), Bind("/srv/new2", "/new", readonly=True)', 'Bind("/srv/new2", "/new")')],
            look=_changed_privileged,
        ),
    ],
)

# ---- what restarts


def _root(rig: Impact) -> None:
    assert rig.bound("alpha", "/elsewhere/here") == ["/srv/other", "rw"], "as before the restart"
    assert "/var/lib/eyas/scratch/alpha.img" in rig.host.succeed("losetup", "--list", "--noheadings")


def _address(rig: Impact) -> None:
    assert (
        "10.0.9.21/32" in (told := rig.inside("beta", "ip", "-brief", "address", "show", "host0"))
        or "10.0.9.21/" in told
    )
    assert "10.0.9.21" in rig.host.succeed("cat", "/var/lib/eyas/names/hosts")


def _plain_user(rig: Impact) -> None:
    assert rig.inside("gamma", "cat", "/proc/self/uid_map").split()[1] != "0", "a user namespace now"
    assert rig.bound("gamma", "/new/below") == ["/srv/below", "rw"]


RESTARTS = Batch(
    "restarts",
    [
        Case(
            "Restart: what the root is made of",
            "alpha",
            "restart",
            ["root_backing", "root_size"],
            [
                (
                    'parts=[idle],\n    root=Root(size="32M"),\n    limits',
                    'parts=[idle],\n    root=Root(size="48M", backing="disk"),\n    limits',
                )
            ],
            look=_root,
        ),
        Case(
            "Restart: what systemd-nspawn is told at the start",
            "beta",
            "restart",
            ["address4", "address6", "autostart", "files", "uid_base"],
            [('"10.0.9.20"', '"10.0.9.21"'), ("autostart=False, ", "")],
            look=_address,
        ),
        Case(
            "Restart: what systemd-nspawn is told at the start",
            "gamma",
            "restart",
            ["binds", "grants"],
            [
                ('grants=["loop"],', ""),
                ('Bind("/srv/new2", "/new")', 'Bind("/srv/new2", "/new"), Bind("/srv/below", "/new/below")'),
            ],
            look=_plain_user,
        ),
        Case("Live: forwards, names, bridge addresses of the host", "", "live", ["firewall", "names"]),
    ],
)


def _locked(rig: Impact) -> None:
    assert rig.bound("alpha", "/elsewhere/here") is None
    assert rig.bound("alpha", "/etc/named") is None
    assert rig.bound("alpha", "/data") == ["/srv/data", "ro"]
    rig.fail("alpha", "touch", "/data/x")
    rig.fail("alpha", "bash", "-c", "umount /data; touch /srv/x /data/x && test -e /proc/1/root/data/kept")
    assert "changelog" in rig.inside("alpha", "bash", "-c", "ls /usr/share/doc/*")


BINDS_LOCKED = Batch(
    "binds of the start",
    [
        Case(
            "Live: binds",
            "alpha",
            "live",
            ["binds"],
            [(CHANGED, 'Bind("/srv/data", "/data", persistent=True, readonly=True)')],
            before=lambda rig: (rig.host.succeed("touch", "/srv/data/kept"), None)[1],
            look=_locked,
        ),
    ],
)

# ---- containers come and go; what was done by hand


def _replaced(rig: Impact) -> None:
    assert rig.traces("gamma") == []
    rig.host.succeed("test", "-d", "/srv/new2", "-a", "-d", "/var/lib/eyas/state/gamma/ssh")
    layers = set(rig.host.succeed("ls", "/var/lib/eyas/layers").split())
    assert len(layers) >= 2


def _by_hand(rig: Impact) -> None:
    unit = "/etc/systemd/system/systemd-nspawn@alpha.service"
    rig.host.succeed("bash", "-c", f"echo '# a remark' >>{unit}")
    rig.host.succeed("systemctl", "set-property", "systemd-nspawn@alpha.service", "TasksMax=200")
    edited = "/etc/systemd/system/systemd-nspawn@gamma.service"
    rig.host.succeed("sed", "-i", "s/^Description=.*/Description=by hand/", edited)
    rig.host.succeed("systemctl", "daemon-reload")
    rig.host.succeed("systemctl", "restart", "systemd-nspawn@gamma.service")
    rig.host.succeed("systemctl", "stop", "systemd-nspawn@beta.service")


def _mended(rig: Impact) -> None:
    assert rig.unit("alpha", "TasksMax") == {"TasksMax": "300"}
    assert rig.unit("gamma", "Description") == {"Description": "container gamma of impact"}


BY_HAND = Batch(
    "by hand",
    [
        Case("Drift: something was changed by hand", "alpha", "live", ["disk_drift"], before=_by_hand, look=_mended),
        Case("Drift: something was changed by hand", "beta", "none", []),
        Case("Drift: something was changed by hand", "gamma", "restart", ["disk_drift", "print_drift"]),
    ],
    new=frozenset({"beta"}),
)
REPLACED = Batch(
    "replaced",
    [
        Case(
            "Replace: the name of a container",
            "gamma",
            "replace",
            [""],
            [('"gamma", "10.0.9.30"', '"delta", "10.0.9.30"')],
            look=_replaced,
        ),
        Case("Replace: the name of a container", "delta", "live", [""]),
        Case("Trees, layers, identities, data", "", "live", ["firewall", "names"]),
    ],
    gone=frozenset({"gamma"}),
    new=frozenset({"delta"}),
)


def _renumbered(rig: Impact) -> None:
    told = rig.host.succeed("ip", "-brief", "address")
    assert "10.0.9.2/24" in told
    assert "br7" in told
    assert "br0" not in told
    assert "via 10.0.9.2 " in rig.inside("delta", "ip", "route") + " "


BRIDGE = Batch(
    "bridge",
    [
        *(
            Case(
                "Restart: what systemd-nspawn is told at the start",
                name,
                "restart",
                ["bridge", "files", "gateway4", "gateway6"],
                [('"br0", "10.0.9.1/24", "fd00:9::1/64"', '"br7", "10.0.9.2/24", "fd00:9::2/64"')]
                if name == "alpha"
                else [],
            )
            for name in ("alpha", "beta", "delta")
        ),
        Case(
            "Live: forwards, names, bridge addresses of the host",
            "",
            "live",
            ["firewall", "names", "network"],
            look=_renumbered,
        ),
        Case(
            "Live or restart unit: the host's own things", "", "restart_unit", ["unit"]
        ),  # the name server listens there
    ],
)

BATCHES = (RUNNING, INSIDE, NOTHING, BINDS, BINDS_CHANGE, RESTARTS, BINDS_LOCKED, BY_HAND, REPLACED, BRIDGE)
CASES = tuple(case for batch in BATCHES for case in batch.cases)
FIELDS = {name for case in CASES for name in case.fields if case.who}
"""Fields of a spec that a case here changes."""
