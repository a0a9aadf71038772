"""The configuration layer of one container: everything above its packages, as entries.

Three sources, the later wins: what eyas adds to every container (identity, address, trimming), what grants need,
what the merged parts of the definition say.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from eyas.core.errors import DefinitionError
from eyas.kind.slots import hardware
from eyas.model import Link, System, User
from eyas.render.accounts import account_entries, owners
from eyas.render.entries import Entry, install_links, link, merge, text
from eyas.render.refs import Names, at

UNITS = "/etc/systemd/system"

ADDRESS_UNIT = """\
# The fixed address of this container, on the wire that systemd-nspawn made (host0).
[Unit]
Description=Address of the container
DefaultDependencies=no
After=systemd-sysctl.service local-fs.target
Before=network-pre.target network.target network-online.target shutdown.target
Wants=network-pre.target network.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip -batch /etc/eyas/address

[Install]
WantedBy=sysinit.target
"""

TMPFILES_UNIT = """\
# systemd-tmpfiles-setup.service makes these directories at the start, and refuses to be restarted for later ones.
[Unit]
Description=Directories that the definitions ask for
After=systemd-tmpfiles-setup.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=systemd-tmpfiles --create /etc/tmpfiles.d/50-eyas.conf
ExecReload=systemd-tmpfiles --create /etc/tmpfiles.d/50-eyas.conf

[Install]
WantedBy=multi-user.target
"""

NSPAWN_MOUNT = """\
# A nested systemd-nspawn cannot take over the inherited /run/systemd/nspawn inside a user namespace. And it has left
# this container's root when it mounts /proc and /sys, which the kernel allows there only to who sees whole ones: it has
# to be given /run/eyas-sysfs, and this proc, which is that of an ended process.
# A service, not a mount unit: while systemd holds back its reading of mounts (five a second), every mount job waits.
[Unit]
Description=Place for nested containers
DefaultDependencies=no
Before=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=mount --mkdir -t tmpfs -o mode=0755,nosuid,nodev nspawn /run/systemd/nspawn
ExecStart=unshare --pid --fork mount --mkdir -t proc -o nosuid,nodev,noexec proc /run/eyas-proc

[Install]
WantedBy=local-fs.target
"""

# Units that cost time or memory at each start and do nothing useful on a root that is discarded; any single mount job
# costs up to a second (see NSPAWN_MOUNT), and systemd-nspawn has mounted /tmp and /dev/mqueue already. Each can be had
# back: `enable=["systemd-logind.service"]` in a part wins over this list.
TRIMMED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "ldconfig.service",
    "man-db.timer",
    "networkd-dispatcher.service",
    "run-lock.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-logind.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
    "systemd-pcrmachine.service",
    "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-resolved.service",
    "systemd-sysusers.service",
    "systemd-timesyncd.service",
    "systemd-tpm2-setup.service",
    "systemd-tpm2-setup-early.service",
    "systemd-update-done.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-user-sessions.service",
    "tmp.mount",
    "var-lib-machines.mount",
)


PROBED = (("probe4", ""), ("probe6", " nodad preferred_lft 0"))


def base_entries(spec: Mapping[str, Any], *, untrusted: bool = False) -> list[Entry]:
    """What every container gets: who it is, where it is, whom it asks for names, and how it stops.

    An untrusted one asks the world for names, and is told of nobody.
    """
    # No network on the wire, only the host: what containers say to each other passes its packet filter as well.
    lines = [f"link set host0 address {hardware(spec['address4'])}", "link set host0 up"]
    lines.append(f"addr replace {_bare(spec['address4'])}/32 dev host0")
    if spec["address6"]:
        lines.append(f"addr replace {_bare(spec['address6'])}/128 dev host0 nodad")
    lines.append(f"route replace default via {spec['gateway4']} dev host0 onlink")
    if spec["address6"] and spec["gateway6"]:
        lines.append(f"route replace default via {spec['gateway6']} dev host0 onlink")
    # By these the host reaches this generation also while another is the current one; nothing is sent from them.
    more = spec.get("beside") or {}
    lines += [f"addr replace {more[key]} dev host0{end}" for key, end in PROBED if more.get(key)]
    stop = f"[Manager]\nDefaultTimeoutStopSec={spec['stop_timeout']}s\n"
    journal = "[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRuntimeMaxUse=16M\n"
    entries = [
        text("/etc/machine-id", f"{spec['machine_id']}\n", 0o444),
        text("/etc/hostname", f"{spec['name']}\n"),
        *(_own_names(spec) if untrusted else _names(spec)),
        link(f"{UNITS}/default.target", "/usr/lib/systemd/system/multi-user.target"),
        text("/etc/eyas/address", "\n".join(lines) + "\n", restart=["eyas-address.service"]),
        text("/etc/systemd/system.conf.d/50-eyas.conf", stop),
        text("/etc/systemd/journald.conf.d/50-eyas.conf", journal, restart=["systemd-journald.service"]),
        # /run/nologin shuts people out until systemd-user-sessions.service has run, which is one of those trimmed
        link("/etc/tmpfiles.d/systemd-nologin.conf", "/dev/null"),
        # newer than /usr, so that systemd does not rebuild caches on every start (systemd-update-done.service(8))
        text("/etc/.updated", ""),
        text("/var/.updated", ""),
        *unit_entries("eyas-address.service", ADDRESS_UNIT, enable=True),
        *(link(f"{UNITS}/{name}", "/dev/null") for name in TRIMMED),
    ]
    if "nspawn" in spec["grants"]:
        entries += unit_entries("eyas-nspawn.service", NSPAWN_MOUNT, enable=True)
    return entries


def _names(spec: Mapping[str, Any]) -> list[Entry]:
    """The names of the fleet by a file and, for those who ask by themselves, by the host's name server."""
    servers = [gateway for gateway in (spec["gateway4"], spec["gateway6"]) if gateway]
    lines = "".join(f"nameserver {server}\n" for server in servers)
    return [link("/etc/hosts", "/run/eyas-names/hosts"), text("/etc/resolv.conf", lines)]


def _own_names(spec: Mapping[str, Any]) -> list[Entry]:
    own = [f"{_bare(spec[key])}\t{spec['name']}\n" for key in ("address4", "address6") if spec[key]]
    localhost = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    return [text("/etc/hosts", localhost + "".join(own)), link("/etc/resolv.conf", "/run/eyas-names/outside.conf")]


def _bare(address: str) -> str:
    return address.split("/", 1)[0]


def unit_entries(name: str, content: str, *, enable: bool) -> list[Entry]:
    """A unit file and, when it is to be enabled, the links that its [Install] section asks for."""
    path = f"{UNITS}/{name}"
    entries = [text(path, content)]
    if enable:
        entries += [link(where, target) for where, target in install_links(name, content)]
    return entries


def part_entries(system: System, facts: Mapping[str, Any], users: Sequence[User], names: Names) -> list[Entry]:
    """What the merged parts of a definition ask for."""
    entries: list[Entry] = []
    for path, file in system.files.items():
        if isinstance(file, Link):
            entries.append(link(path, file.target))
            continue
        uid, gid = owners(facts, users, file)
        entries.append(
            text(
                path,
                names.fill(file.content, file.origin),
                file.mode,
                uid,
                gid,
                file.reload,
                file.restart,
            )
        )
    for name, unit in system.units.items():
        entries += unit_entries(name, str(names.fill(unit.content, unit.origin)), enable=unit.enable)
    for name, variables in system.environment.items():
        origin = system.origins.get(f"environment:{name}:{next(iter(variables), '')}", "")
        known_unit(name, system, facts, origin, "System.environment", f"set the environment of {name}")
        filled = {key: str(names.fill(value, origin)) for key, value in variables.items()}
        if filled:
            entries.append(text(f"{UNITS}/{name}.d/50-eyas-environment.conf", environment(filled)))
    own = {name: unit.content for name, unit in system.units.items()}
    known = facts.get("units", {})
    for name in system.enable:
        if name in own:
            links = install_links(name, own[name])
        else:
            links = [(f"/{where}", f"/usr/lib/systemd/system/{name}") for where in known.get(name, ())]
        # a link to itself takes back the trimming of a unit that somebody asks for by name
        if name in TRIMMED:
            entries.append(link(f"{UNITS}/{name}", f"/usr/lib/systemd/system/{name}"))
        entries += [link(where, target) for where, target in links]
    entries += [link(f"{UNITS}/{name}", "/dev/null") for name in system.mask]
    lines = [*system.tmpfiles, *(f"d {u.directory} 0700 {u.name} {u.name} -" for u in users)]
    if lines:
        entries.append(
            text(
                "/etc/tmpfiles.d/50-eyas.conf",
                "\n".join(lines) + "\n",
                reload=["eyas-tmpfiles.service"],
            )
        )
        entries += unit_entries("eyas-tmpfiles.service", TMPFILES_UNIT, enable=True)
    return entries


def known_unit(name: str, system: System, facts: Mapping[str, Any], origin: str, field: str, what: str) -> None:
    """What is said of a service that nobody brings would go unnoticed; DefinitionError."""
    units = {path.rsplit("/", 1)[-1] for path in system.files} | {*system.units, *facts.get("units", {})}
    template = re.sub(r"@.*\.", "@.", name)
    if not facts.get("units") or name in units or template in units:
        return
    near = difflib.get_close_matches(name, units, 1)
    hint = f"did you mean {near[0]!r}?" if near else "a unit of a package, a part or the container"
    raise DefinitionError([at(origin, field, f"cannot {what}: no such unit", hint)])


def environment(variables: Mapping[str, str]) -> str:
    """A drop-in with variables of a service (systemd.exec(5) "Environment=", systemd.syntax(7) "Quoting")."""
    lines = [f'Environment="{key}={_quoted(value)}"' for key, value in sorted(variables.items())]
    return "\n".join(["# Variables that the definitions give to this service.", "[Service]", *lines]) + "\n"


def _quoted(value: str) -> str:
    """A value between double quotes; ``%`` would begin a specifier (systemd.unit(5))."""
    escaped = (
        value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n").replace("\t", "\\t")
    )
    return "".join(c if c.isprintable() or ord(c) > 127 else f"\\x{ord(c):02x}" for c in escaped)


def layer_entries(
    spec: Mapping[str, Any],
    system: System,
    facts: Mapping[str, Any],
    users: Sequence[User],
    names: Names,
    *,
    untrusted: bool = False,
    more: Sequence[Entry] = (),
) -> list[Entry]:
    """All entries of a container's configuration layer, ordered by path; ``more`` is what eyas adds to this one."""
    ours = [*base_entries(spec, untrusted=untrusted), *account_entries(facts, users), *more]
    return merge(ours, part_entries(system, facts, users, names))
