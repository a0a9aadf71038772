"""What makes a tree one host of a lab: its name, its identity, its uplink, and the quirks of a machine in namespaces.

Written once, when the disk is new: from then on the host belongs to whoever manages it. Only the uplink, which is
the provider's, is kept up to date.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from eyas.host.disk import write_whole
from eyas.lab.spec import LabHost
from eyas.lab.tree import SUITE
from eyas.lab.wire import ARCHIVE, NAMES4

# Units that would wait for hardware, change the machine below, or only make noise.
_MASKED = (
    "apt-daily-upgrade.timer", "apt-daily.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "console-getty.service", "getty.target", "systemd-logind.service",
    "dbus-org.freedesktop.login1.service", "systemd-modules-load.service",
    "systemd-pstore.service", "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount",
    "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "systemd-random-seed.service",
    "systemd-journald-audit.socket",
)  # fmt: skip

_ENABLED = {
    "dbus-org.freedesktop.network1.service": "systemd-networkd.service",
    "multi-user.target.wants/systemd-networkd.service": "systemd-networkd.service",
    "multi-user.target.wants/machines.target": "machines.target",
    "sockets.target.wants/systemd-networkd.socket": "systemd-networkd.socket",
    "network-online.target.wants/systemd-networkd-wait-online.service": "systemd-networkd-wait-online.service",
}

# networkd waits for udev, unless /sys is read-only, as it is in containers. A lab host has no udev, but must be able
# to write to /sys, so only networkd sees it read-only. (ReadOnlyPaths= does not do: ProtectSystem=strict excepts /sys.)
_NETWORKD = "[Service]\nBindReadOnlyPaths=/sys\n"

_WAIT_ONLINE = """\
[Service]
ExecStart=
ExecStart=/usr/lib/systemd/systemd-networkd-wait-online --interface={interface} --timeout=20
"""

_SOURCES = f"""\
# made by the lab: the archive in its internet
Types: deb
URIs: http://{ARCHIVE}/debian
Suites: {SUITE} {SUITE}-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://{ARCHIVE}/debian-security
Suites: {SUITE}-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""

PROVIDER = "etc/systemd/network/05-provider.network"


def furnish(root: Path, host: LabHost, lab: str) -> None:
    """Make a fresh copy of a tree into the disk of ``host`` of the lab named ``lab``."""
    units = root / "etc/systemd/system"
    _write(root / "etc/hostname", f"{host.name}\n")
    _write(root / "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n::1 localhost\n")
    _write(root / "etc/machine-id", hashlib.sha256(f"{lab}/{host.name}".encode()).hexdigest()[:32] + "\n", 0o444)
    _write(root / "etc/resolv.conf", f"# made by the lab: the name server in its internet\nnameserver {NAMES4}\n")
    _write(units / "systemd-networkd.service.d/lab.conf", _NETWORKD)
    _write(units / "systemd-networkd-wait-online.service.d/lab.conf", _WAIT_ONLINE.format(interface=host.interface))
    for unit in _MASKED:
        _link(units / unit, "/dev/null")
    for wish, unit in _ENABLED.items():
        _link(units / wish, f"/usr/lib/systemd/system/{unit}")
    # Kernel settings are those of the machine below, where they are not of a namespace.
    for shipped in sorted((root / "usr/lib/sysctl.d").glob("*.conf")):
        _link(root / "etc/sysctl.d" / shipped.name, "/dev/null")
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)  # journald keeps what it is told across boots
    for configured in (root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")):
        configured.unlink(missing_ok=True)
    _write(root / "etc/apt/sources.list.d/lab.sources", _SOURCES)
    for path in host.data:
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    uplink(root, host)


def uplink(root: Path, host: LabHost) -> bool:
    """Write the uplink's settings, as the provider gives them; whether they changed. Format: systemd.network(5)."""
    lines = ["# made by the lab: the uplink as its provider gives it", "[Match]", f"Name={host.interface}", ""]
    lines += ["[Network]", "IPv6AcceptRA=no", "LinkLocalAddressing=ipv6"]
    for address in host.addresses:
        lines += ["", "[Address]", f"Address={address}", "DuplicateAddressDetection=none"]
    for gateway in host.gateways:
        lines += ["", "[Route]", f"Gateway={gateway}", "GatewayOnLink=yes"]
    text = "\n".join(lines) + "\n"
    path = root / PROVIDER
    if path.exists() and path.read_text() == text:
        return False
    _write(path, text)
    return True


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    write_whole(path, text, mode, sync=False)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        path.unlink()
    path.symlink_to(target)
