"""A new root, proved in a scratch container before a container that runs is given it.

Programs in ``/usr/local/lib/eyas/proofs`` of a container say whether its root can do what it is for: those of Docker
and Podman run a container with a published port, that of the grant nspawn boots a nested machine. Before a run touches
anything that is there, the new root is assembled a second time, as another machine: with the grants and limits of its
container, user ids of its own, empty directories instead of its data, and a network that leads nowhere. Nothing is
started in there but these programs, one after the other, and what they start. When one says no, the run ends undone,
with its words.

Every file of it is under /run, or below its own directory in the scratch folder; whatever happens, its unit ends it and
takes its root apart, and the way back of the step removes what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

from eyas.core import paths
from eyas.core.errors import Failed, Unhealthy
from eyas.core.system import System
from eyas.core.words import Fields, Impact, Json, Phase, Step, digest
from eyas.kind.common import Deed, integer, table
from eyas.kind.container.disk import settle_folders, spec_text
from eyas.kind.container.text import (
    TASKS,
    colon,
    device_lines,
    granted_options,
    id_mapped,
    limit_lines,
    nspawn_line,
    render_env,
    tables,
    user_options,
    words,
)
from eyas.kind.slots import split

PREFIX = "eyas.canary-"  # no name of a container has a dot
LONGEST = 64  # characters of a machine's name
UIDS = 65536 * 8191
"""Its user ids: the range below those of all containers."""
ADDRESS = "100.127.255.254"
"""Its address (RFC 6598), on a wire whose both ends are in it."""
TIME = 120
"""Seconds that each program may take; the unit has as many again to boot and to end."""
MARK = "eyas-canary.service"
INNER = f"""\
[Unit]
Description=Proofs of a new root
AllowIsolate=yes
Wants=basic.target
After=basic.target
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
StandardOutput=append:/run/eyas-canary/said
StandardError=append:/run/eyas-canary/said
TimeoutStartSec={TIME}
"""
LINES, LONG = 10, 65536


def proofs(spec: Fields) -> list[str]:
    """Names of what a container brings to prove its root with."""
    files = table(spec.get("files"))
    return sorted(path.rpartition("/")[2] for path in files if path.rpartition("/")[0] == paths.PROOFS)


def needed(want: Fields, have: Fields, impact: Impact) -> list[str]:
    """What is to be proved before a container that runs gets what is wanted. One that is replaced side by side is its
    own proof: the old one goes on until the new one is well."""
    changed = want.get("tree") != have.get("tree") and impact in (Impact.restart, Impact.reboot)
    return proofs(want) if changed else []


def step(id_: str, spec: dict[str, Json], found: Sequence[str]) -> Step:
    return Step("container", "prove", id_, Phase.prepare, {"spec": spec, "proofs": [*found]})


def machine(name: str) -> str:
    """The name of the scratch container."""
    whole = PREFIX + name
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 9]}-{digest(name.encode())[:8]}"


def scratch_spec(spec: Fields) -> dict[str, Json]:
    """The spec of the scratch container: what it shares with the container whose root it proves, and nothing of its
    place, its data and its identity."""
    name = str(spec["name"])
    return {
        **spec,
        "name": machine(name),
        "description": f"proves the new root of {name}",
        "uid_base": UIDS,
        "machine_id": digest(f"canary of {spec['machine_id']}".encode())[:32],
        "stateless": None,
        "beside": None,
        "slot": "a",
        "binds": [],
        "probes": [],
    }


def unit_text(spec: Fields, proved: Fields) -> str:
    """The unit file: it succeeds when all programs do. ``spec`` is that of the scratch container."""
    name, mapped = str(spec["name"]), id_mapped(spec)
    inside = folder(name)
    args = [
        "--quiet",
        "--keep-unit",
        "--boot",
        "--settings=no",
        f"--directory={paths.root(name)}",
        f"--machine={name}",
        f"--uuid={spec['machine_id']}",
        *user_options(spec),
        "--private-network",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        f"--bind-ro={paths.NAMES_DIR}:/run/eyas-names",
        f"--bind-ro={inside}/unit:/run/systemd/system/{MARK}",
        f"--bind={inside}/out:/run/eyas-canary{mapped}",
        *(f"--bind={source}:{target}{mapped}" for source, target, _ in empty(name, proved)),
        *granted_options(name, spec),
        "--",
        f"--unit={MARK}",
    ]
    lines = [
        "[Unit]",
        f"Description=Scratch container that {spec['description']}",
        "",
        "[Service]",
        "Type=oneshot",
        "Environment=SYSTEMD_NSPAWN_TMPFS_TMP=0",
        f"ExecStartPre={paths.PROGRAMS}/root-up {name}",
        nspawn_line(args),
        f"ExecStopPost={paths.PROGRAMS}/root-down {name}",
        f"ExecStopPost=-rmdir {paths.journal(str(spec['machine_id']))}",
        f"ExecStopPost=-rm -rf --one-file-system {scratch(name)}",
        "KillMode=mixed",
        f"TimeoutStartSec={limit(len(proofs(proved)))}",
        "TimeoutStopSec=15",
        "Slice=machine.slice",
        "Delegate=yes",
        "DelegateSubgroup=supervisor",
        f"TasksMax={TASKS}",
        *device_lines(spec),
        *limit_lines(spec),
    ]
    return "\n".join(lines) + "\n"


def limit(count: int) -> int:
    return TIME * (count + 1)


def folder(name: str) -> str:
    return f"{paths.CANARIES}/{name}"


def scratch(name: str) -> str:
    return f"{paths.SCRATCH}/{name}"


def empty(name: str, proved: Fields) -> list[tuple[str, str, dict[str, Json]]]:
    """Directories that stand for a container's data: where they are, where they are shown, what they stand for."""
    data = [bind for bind in tables(proved.get("binds")) if bind.get("persistent") and not bind.get("readonly")]
    shown = [colon(str(bind.get("target") or bind["source"])) for bind in data]
    return [(f"{scratch(name)}/{n}", target, bind) for n, (target, bind) in enumerate(zip(shown, data, strict=True))]


def env_text(spec: Fields, proved: Fields) -> str:
    """What root-up reads: whose host keys are not made anew, and who it is and where instead of what the layer says."""
    address = "\\n".join(
        (
            "link add host0 type veth peer name host1",
            "link set host1 up",
            "link set host0 up",
            f"addr add {ADDRESS}/32 dev host0",
        )
    )
    more = f"IDENTITY='{split(str(proved['name']))[0]}'\nREADDRESS='1s#.*#{address}#;1!d'\n"
    return render_env(spec) + more


def _prove(system: System, step: Step, _saved: Json) -> None:
    proved, found = table(step.args["spec"]), words(step.args["proofs"])
    spec = scratch_spec(proved)
    name = str(spec["name"])
    _clear(system, spec)
    settle_folders(system, proved)
    _lay_out(system, spec, proved, found)
    system.units.daemon_reload()
    try:
        system.units.start([paths.unit_name(name)], timeout=limit(len(found)) + 60)
    except Failed as error:
        raise _refused(system, proved, name, found, error) from None
    finally:
        _clear(system, spec)


def _lay_out(system: System, spec: Fields, proved: Fields, found: Sequence[str]) -> None:
    """What the scratch container is made from: root-up finds it where it looks for what counts until the next boot."""
    name = str(spec["name"])
    system.files.mkdir(f"{folder(name)}/out", 0o700)
    programs = "".join(f"ExecStart={paths.PROOFS}/{proof}\n" for proof in found)
    system.files.write(f"{folder(name)}/unit", (INNER + programs).encode())
    system.files.mkdir(paths.SCRATCH, 0o700)
    for source, _, bind in empty(name, proved):
        ids = integer(bind.get("owner")), integer(bind.get("group"))
        system.files.mkdir(source, integer(bind.get("mode"), 0o755), *ids)
    system.files.write(paths.now_env(name), env_text(spec, proved).encode(), 0o600)
    system.files.write(paths.now_unit(name), unit_text(spec, proved).encode())
    system.files.write(paths.now_spec(name), spec_text(spec).encode(), 0o600)


def _refused(system: System, proved: Fields, name: str, found: Sequence[str], error: Failed) -> Unhealthy:
    """What a program said against the root; what the unit said, where none came to speak."""
    said = f"{folder(name)}/out/said"
    stat = system.files.stat(said)
    text = system.files.read(said) if stat is not None and stat.type == "file" and stat.size <= LONG else b""
    lines = [line for line in (text or b"").decode(errors="replace").splitlines() if line.strip()]
    why = lines[-1] if lines else f"its scratch container did not come to prove {', '.join(found)}"
    whose = str(proved["name"])
    return Unhealthy(
        f"cannot give {whose} its new root: {why}",
        "it was tried in a scratch container only; what runs was not touched",
        log=lines[-LINES:] or system.units.log([paths.unit_name(name)], lines=LINES) or [error.message],
        whose=f"the scratch container of {whose}",
    )


def _clear(system: System, spec: Fields) -> None:
    """Nothing of it is left: also not of one that a killed run left in the middle of its work."""
    name = str(spec["name"])
    unit = paths.unit_name(name)
    files = (paths.now_unit(name), paths.now_spec(name), paths.now_env(name))
    there = [path for path in files if system.files.stat(path) is not None]
    if there:
        system.units.stop([unit], timeout=60)
        system.units.reset_failed([unit])
    system.containers.clear(name)
    for path in there:
        system.files.remove(path)
    for place in (folder(name), scratch(name)):
        if system.files.stat(place) is not None:
            system.files.remove_tree(place)
    for place in (paths.CANARIES, paths.NOW, paths.journal(str(spec["machine_id"]))):
        if system.files.stat(place) is not None and not system.files.list(place):
            system.files.remove(place)
    if there:
        system.units.daemon_reload()


def _unprove(system: System, step: Step, _saved: Json, _boot: bool) -> None:
    _clear(system, scratch_spec(table(step.args["spec"])))


prove = Deed(_prove, back=_unprove)
