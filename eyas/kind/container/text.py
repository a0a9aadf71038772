"""The texts that a container is for systemd and for our scripts; pure, so that a file can be compared with
what it should be.

Fields of a container's spec: see `eyas.kind.container`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from eyas.core import paths
from eyas.core.words import Fields, Json, digest
from eyas.kind.slots import beside, hardware, own, plain, probed, slot_of, split, unit_names

HEADER = "# eyas container "
DIGEST = "# made by eyas; digest of what follows: "
LOOPS = tuple(f"/dev/loop{n}" for n in range(8))
INODES = (65536, 1048576)  # least and most of a root in RAM; between them one for each page of its size
PACKAGES = "/run/eyas-packages"  # where the grant nspawn shows a container its own packages
SYSFS = "/run/eyas-sysfs"  # where those who make containers have a whole sysfs
TASKS = 16384  # where no limit is declared
PROBE_GRACE = 10  # seconds beyond the probes' own time limits


def words(value: Json) -> list[str]:
    """A JSON list of strings; [] for None."""
    return [str(item) for item in value] if isinstance(value, list) else []


def tables(value: Json) -> list[dict[str, Json]]:
    """A JSON list of objects; [] for None."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number(value: Json, default: int = 0) -> int:
    return int(value) if isinstance(value, int | float | str) and value != "" else default


def privileged(spec: Fields) -> bool:
    """Whether the container runs without a user namespace.

    Only for the grant ``loop``: the kernel mounts file systems with a disk format for the initial user
    namespace alone (mount_namespaces(7); FS_USERNS_MOUNT), so nothing narrower can mount an image file.
    """
    return "loop" in words(spec.get("grants"))


def id_base(spec: Fields) -> int:
    """Host id of the container's root; 0 when it has no user namespace."""
    return 0 if privileged(spec) else number(spec.get("uid_base"))


def render_unit(name: str, spec: Fields) -> str:
    """The unit file (systemd.unit(5), systemd-nspawn(1)).

    It names its own digest, so that a unit that was edited by hand can be told from one that another
    version of eyas wrote.
    """
    body = (
        "\n".join(
            [*_unit_section(name, spec), "", *_service_section(name, spec), "", "[Install]", "WantedBy=machines.target"]
        )
        + "\n"
    )
    return f"{HEADER}{name}\n{DIGEST}{digest(body.encode())}\n{body}"


def authentic(text: str) -> bool:
    """Whether a unit file is as some version of eyas wrote it."""
    lines = text.split("\n", 2)
    return len(lines) == 3 and lines[1] == DIGEST + digest(lines[2].encode())


def _unit_section(name: str, spec: Fields) -> list[str]:
    after = words(spec.get("after"))
    needs, with_ = words(spec.get("needs")), words(spec.get("restart_with"))
    mounts = sorted({str(bind["source"]) for bind in tables(spec.get("binds"))} | {paths.STATE, paths.JOURNAL})
    text = str(spec.get("description") or "") or f"container {name}"
    lines = [
        "[Unit]",
        f"Description={_plain(text)}",
        "Documentation=man:systemd-nspawn(1)",
        "PartOf=machines.target",
        "Before=machines.target",
        "After=network.target systemd-networkd.service eyas-firewall.service eyas-recover.service",
        # A container that is restarted often by its administrator has done nothing wrong.
        "StartLimitIntervalSec=0",
        f"RequiresMountsFor={' '.join(_word(path) for path in mounts)}",
    ]
    grants = words(spec.get("grants"))
    modules = [module for grant, module in (("tun", "tun"), ("loop", "loop")) if grant in grants]
    if spec.get("root_backing") == "disk" and "loop" not in modules:
        modules.append("loop")
    for module in modules:
        lines += [f"Wants=modprobe@{module}.service", f"After=modprobe@{module}.service"]
    ordered = sorted({*after, *needs, *with_})
    if ordered:
        lines.append(f"After={' '.join(unit_names(ordered, words(spec.get('twice'))))}")
    if needs:
        # Not StopPropagatedFrom= as well: it stops this container at a restart of the other one, and leaves it stopped.
        lines.append(f"Wants={_units(sorted(needs))}")
    if with_:
        lines.append(f"PartOf={_units(sorted(with_))}")
    return lines


def _service_section(name: str, spec: Fields) -> list[str]:
    start = number(spec.get("start_timeout"), 120)
    probes = tables(spec.get("probes"))
    if probes:
        # The time limit holds for each command of the start by itself; the probes have their own within it.
        start = max(start, sum(number(probe.get("timeout"), 60) for probe in probes) + PROBE_GRACE)
    lines = [
        "[Service]",
        "Type=notify",
        # /tmp is of the root, and so within its cap; a tmpfs of its own would let each container have a tenth of the
        # host's memory more.
        "Environment=SYSTEMD_NSPAWN_TMPFS_TMP=0",
        f"ExecStartPre={paths.PROGRAMS}/root-up {name}",
        nspawn_line(arguments(name, spec)),
        # A frame may leave by the port it came from. Where br_netfilter is loaded, the bridge itself redirects what a
        # container sends to itself by the public address, and would drop it.
        f"ExecStartPost=-bridge link set dev {_word(f'vb-{name}')} hairpin on",
        *([f"ExecStartPost=-{paths.PROGRAMS}/probe {name}"] if probes else []),
        f"ExecStopPost={paths.PROGRAMS}/root-down {name}",
        "KillMode=mixed",
        f"TimeoutStartSec={start}",
        f"TimeoutStopSec={number(spec.get('stop_timeout'), 10) + 5}",
        # 133 is how systemd-nspawn says that the container wants to reboot.
        "RestartForceExitStatus=133",
        "SuccessExitStatus=133",
        # Powered off while it still booted: no failure to make good by another start.
        "RestartPreventExitStatus=0",
        # One that dies comes back, ever more slowly; one that was stopped or has powered itself off stays so.
        "Restart=on-failure",
        "RestartSec=1",
        "RestartSteps=6",
        "RestartMaxDelaySec=60",
        "Slice=machine.slice",
        "Delegate=yes",
        "DelegateSubgroup=supervisor",
        "CoredumpReceive=yes",
        f"TasksMax={TASKS}",
    ]
    return lines + device_lines(spec)


def nspawn_line(args: Sequence[str]) -> str:
    return "ExecStart=systemd-nspawn \\\n    " + " \\\n    ".join(_word(arg) for arg in args)


def device_lines(spec: Fields) -> list[str]:
    """Which devices there are for it, in a unit's words."""
    grants = words(spec.get("grants"))
    # systemd-nspawn makes the node of tunnels for every container and fails when it cannot; to open it is a grant.
    rules = ["char-pts rw", "/dev/net/tun m"]
    if "tun" in grants:
        rules.append("/dev/net/tun rwm")
    if "loop" in grants:
        rules += ["/dev/loop-control rw", "block-loop rwm"]
    elif spec.get("root_backing") == "disk":
        # For root-up, which mounts the writable layer; inside there is no node to reach a loop device by.
        rules += ["/dev/loop-control rw", "block-loop rw"]
    return ["DevicePolicy=closed", *(f"DeviceAllow={rule}" for rule in rules)]


def arguments(name: str, spec: Fields) -> list[str]:
    """What systemd-nspawn is told (systemd-nspawn(1))."""
    machine_id, mapped = str(own(spec, "machine_id") or spec["machine_id"]), id_mapped(spec)
    journal = paths.journal(machine_id)
    args = [
        "--quiet",
        "--keep-unit",
        "--boot",
        "--notify-ready=yes",
        # Nothing but this unit decides: no .nspawn file, no settings of the tree.
        "--settings=no",
        f"--directory={paths.root(name)}",
        f"--machine={name}",
        *([f"--hostname={split(name)[0]}"] if slot_of(spec) == "b" else []),
        f"--uuid={machine_id}",
        *user_options(spec),
        f"--network-bridge={spec['bridge']}",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        f"--bind={journal}:{journal}{mapped}",
        f"--bind-ro={paths.NAMES_DIR}:/run/eyas-names",
        f"--bind-ro={paths.identity(split(name)[0])}/ssh:/etc/ssh/eyas{mapped}",
    ]
    for bind in tables(spec.get("binds")):
        option = "--bind-ro" if bind.get("readonly") else "--bind"
        source, target = colon(str(bind["source"])), colon(str(bind.get("target") or bind["source"]))
        args.append(f"{option}={source}:{target}{mapped}")
    return args + granted_options(name, spec)


def id_mapped(spec: Fields) -> str:
    """How a bind is told to show the ids that the container knows."""
    return "" if id_base(spec) == 0 else ":idmap"


def user_options(spec: Fields) -> list[str]:
    base = id_base(spec)
    return ["--private-users=no"] if base == 0 else [f"--private-users={base}:65536", "--private-users-ownership=off"]


def nests(spec: Fields) -> bool:
    """Whether it makes containers of its own.

    In a user namespace the kernel mounts sysfs only for who sees a whole one already (mount_too_revealing in
    fs/namespace.c), and systemd-nspawn shows no more than parts of it.
    """
    return not {"nspawn", "docker"}.isdisjoint(words(spec.get("grants")))


def granted_options(name: str, spec: Fields) -> list[str]:
    """What each grant adds to the command line (devices: see `device_lines`)."""
    grants, args = words(spec.get("grants")), []
    if "nspawn" in grants:
        # Its own packages, clean: what roots of nested machines are made of. In a user namespace root-up has them
        # mounted with the right ids already.
        lower = f"{paths.RUNTIME}/layer/{name}/1" if id_base(spec) else paths.tree(str(spec["tree"]))
        args.append(f"--bind-ro={colon(lower)}:{PACKAGES}")
    if nests(spec):
        # Where containers in it may write to theirs, this one must not be read-only; its files are the host's root's.
        option = "--bind" if id_base(spec) else "--bind-ro"
        args.append(f"{option}={paths.RUNTIME}/layer/{name}/sys:{SYSFS}:norbind")
    if "docker" in grants:
        # runc makes a session keyring for each of its containers; without a user namespace it also guards devices
        # with a BPF program, which it leaves out inside of one.
        calls = "add_key keyctl bpf" if "loop" in grants else "add_key keyctl"
        args.append(f"--system-call-filter={calls}")
    if "loop" in grants:
        args += ["--bind=/dev/loop-control", *(f"--bind={node}" for node in LOOPS)]
    return args


def render_limits(spec: Fields) -> str:
    """The drop-in with the limits (systemd.resource-control(5)); a daemon-reload puts it into effect."""
    return "\n".join(["# made by eyas", "[Service]", *limit_lines(spec)]) + "\n"


def limit_lines(spec: Fields) -> list[str]:
    limits = spec.get("limits")
    table: Mapping[str, Json] = limits if isinstance(limits, dict) else {}
    rows = (
        ("MemoryMax", "memory_max", ""),
        ("MemoryHigh", "memory_high", ""),
        ("CPUQuota", "cpu_quota", "%"),
        ("CPUWeight", "cpu_weight", ""),
        ("IOWeight", "io_weight", ""),
        ("TasksMax", "tasks_max", ""),
    )
    return [f"{key}={table[field]}{unit}" for key, field, unit in rows if table.get(field) is not None]


def render_env(spec: Fields) -> str:
    """What root-up and probe read: shell variables."""
    size = number(spec.get("root_size"))
    lowers = [f"{paths.layer(str(spec['layer']))}/root", paths.tree(str(spec["tree"]))]
    values = {
        "BASE": str(id_base(spec)),
        "LOWERS": " ".join(lowers),
        "SIZE": str(size),
        "INODES": str(min(INODES[1], max(INODES[0], size // 4096))),
        "BACKING": str(spec.get("root_backing") or "ram"),
        "MACHINE_ID": str(own(spec, "machine_id") or spec["machine_id"]),
        "ADDRESS": probed(spec),
        "ADDRESSES": " ".join(_on_the_wire(spec)),
        "LOOPS": " ".join(LOOPS) if "loop" in words(spec.get("grants")) else "",
        "NESTS": "1" if nests(spec) else "",
        "BINDS": "\n".join(_bind_line(bind) for bind in tables(spec.get("binds"))),
    }
    if slot_of(spec) == "b":
        values |= {"IDENTITY": str(spec["name"]), "READDRESS": _readdress(spec)}
    lines = ["# made by eyas", *(f"{key}={_quote(value)}" for key, value in values.items())]
    probes = tables(spec.get("probes"))
    lines.append(f"PROBE_COUNT={len(probes)}")
    for index, probe in enumerate(probes, 1):
        lines += [f"PROBE_{index}_{key}={_quote(value)}" for key, value in _probe_values(probe).items()]
    return "\n".join(lines) + "\n"


def _on_the_wire(spec: Fields) -> list[str]:
    """Every address that the machine answers for."""
    found = [plain(own(spec, "address4")), plain(own(spec, "address6")), probed(spec)]
    return list(dict.fromkeys(address for address in found if address))


def _readdress(spec: Fields) -> str:
    """What sed(1) does to the addresses of the first slot, which the layer has, for the second one."""
    found = []
    for family, length in ((4, 32), (6, 128)):
        stable, mine = plain(spec.get(f"address{family}")), plain(own(spec, f"address{family}"))
        probes = plain(beside(spec).get(f"probe{family}"))
        if stable and mine:
            found += [f"s# {_literal(stable)}/[0-9]*# {mine}/{length}#", f"\\# {_literal(probes)}/#d"]
    if mine4 := plain(own(spec, "address4")):
        found.append(f"s#^link set host0 address .*#link set host0 address {hardware(mine4)}#")
    # Its address alone is a network of its own, and the gateway is in another.
    return "; ".join([*found, "s# dev host0$# dev host0 onlink#; s#^\\(addr .*\\) onlink$#\\1#"])


def _literal(address: str) -> str:
    return address.replace(".", "[.]")


def _bind_line(bind: Mapping[str, Json]) -> str:
    """One line for root-up: data|made, mode, uid, gid, source (which may hold blanks)."""
    mode = bind.get("mode")
    return " ".join(
        (
            "data" if bind.get("persistent") else "made",
            f"{number(mode, 0o755):04o}",
            str(number(bind.get("owner"))),
            str(number(bind.get("group"))),
            str(bind["source"]),
        )
    )


def _probe_values(probe: Mapping[str, Json]) -> dict[str, str]:
    kind = str(probe["type"])
    values = {"TYPE": kind, "TIMEOUT": str(number(probe.get("timeout"), 60))}
    if kind in ("tcp", "http"):
        values["PORT"] = str(number(probe.get("port")))
    if kind == "http":
        values["PATH"] = str(probe.get("path") or "/")
        values["STATUS"] = str(number(probe.get("status"), 200))
        values["CONTAINS"] = str(probe.get("contains") or "")
    if kind == "command":
        values["ARGV"] = " ".join(_quote(word) for word in words(probe.get("argv")))
    if kind == "unit":
        values["UNIT"] = str(probe.get("unit") or "")
    return values


def _quote(value: str) -> str:
    return shlex.quote(value)


def _units(names: Sequence[str]) -> str:
    return " ".join(paths.unit_name(name) for name in names)


def colon(path: str) -> str:
    """A path within an option of systemd-nspawn, where a colon separates."""
    return path.replace("\\", "\\\\").replace(":", "\\:")


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("%", "%%").strip()


def _word(text: str) -> str:
    """One word of a unit file's line (systemd.service(5), "COMMAND LINES")."""
    escaped = text.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    if not any(c in text for c in " \t\"'"):
        return escaped
    return '"' + escaped.replace('"', '\\"') + '"'
