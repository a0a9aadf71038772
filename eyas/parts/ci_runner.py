"""A runner for jobs that nobody trusts: of continuous integration, of strangers.

The container reaches the world and nothing else (``untrusted=True``), has no homes, no people, no keys, no grants,
and a root that is discarded. Each job gets a root of its own besides, made in milliseconds and gone with the job: a
file system in RAM with an end, in which /usr is shown read-only. It runs in namespaces of its own, as a user without
any capability, and cannot gain one.

Jobs are executable files. Who puts one into ``SPOOL/incoming`` on the host (written elsewhere on that disk, then
renamed into it), finds in ``SPOOL/done/NAME`` its ``log`` and its ``status``: a number, or words.
"""

from __future__ import annotations

from collections.abc import Sequence

from eyas.model import Bind, Container, Image, Limits, Probe, Root, System, Unit, User
from eyas.model.values import duration as checked_duration
from eyas.model.values import size as checked_size
from eyas.parts.common import LIB, script
from eyas.parts.given import count, given

SPOOL = "/var/spool/ci"
USER = User("ci-job", 990, shell="/usr/sbin/nologin", home="/nonexistent")  # noqa: S604

JOB_HEAD = """\
[Unit]
Description=Job %i
StartLimitIntervalSec=0

[Service]
Type=exec
Slice=ci.slice
RootDirectory=/run/ci/%i/root
BindReadOnlyPaths=/usr /var/lib/dpkg
ExecStart=/build/.job
StandardInput=null
StandardOutput=file:/run/ci/%i/log
StandardError=inherit
"""
JOB = (
    "User=ci-job",
    "Group=ci-job",
    "SupplementaryGroups=",
    "WorkingDirectory=/build",
    "MountAPIVFS=yes",
    # What it could gain, see or change.
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "RestrictSUIDSGID=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "SystemCallArchitectures=native",
    "SystemCallFilter=~@keyring @mount @module @raw-io @reboot @swap @clock @cpu-emulation @obsolete",
    "SystemCallFilter=~bpf perf_event_open userfaultfd io_uring_setup",
    "SystemCallErrorNumber=EPERM",
    "LockPersonality=yes",
    "PrivateDevices=yes",
    "PrivateIPC=yes",
    "PrivatePIDs=yes",
    "PrivateTmp=yes",
    "TemporaryFileSystem=/dev/shm:size=16M,mode=1777",
    "ProtectClock=yes",
    "ProtectControlGroups=strict",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "KeyringMode=private",
    "UMask=0022",
    # Its end is the end of all that it has started.
    "KillMode=control-group",
    "SendSIGKILL=yes",
    "TimeoutStopSec=5",
    "OOMPolicy=kill",
    "OOMScoreAdjust=500",
    "LimitCORE=0",
)


def ci_jobs(
    spool: str,
    *,
    size: str | int = "2G",
    memory: str | int | None = None,
    tasks: int = 4096,
    timeout: str | int = "1h",
    log: str | int = "16M",
    at_once: int = 1,
    packages: Sequence[str] = (),
) -> System:
    """The part of `ci_runner` that takes jobs and runs them; all limits are of one job."""
    most, longest = given("ci_runner.tasks", tasks, count), given("ci_runner.timeout", timeout, checked_duration)
    limits = [f"TasksMax={most}", f"RuntimeMaxSec={longest}"]
    limits += [f"MemoryMax={given('ci_runner.memory', memory, checked_size)}"] if memory is not None else []
    settings = [
        f"SIZE={given('ci_runner.size', size, checked_size)}",
        f"LOG={given('ci_runner.log', log, checked_size)}",
        f"AT_ONCE={given('ci_runner.at_once', at_once, count)}",
    ]
    job = "\n".join((*JOB, *limits))
    queue = f"""\
[Unit]
Description=Jobs that nobody trusts
RequiresMountsFor={SPOOL}
StartLimitIntervalSec=0

[Service]
Type=exec
Environment={" ".join(settings)}
ExecStart={LIB}/ci-queue {SPOOL}
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
    return System(
        packages=packages,
        users=[USER],
        files={
            f"{LIB}/ci-queue": script("ci-queue").with_(restart=("ci-queue.service",)),
        },
        units={"ci-queue.service": queue, "ci-job@.service": Unit(f"{JOB_HEAD}{job}\n", enable=False)},
        binds=[Bind(spool, SPOOL, persistent=True, mode=0o700)],
        probes=[Probe.unit("ci-queue.service")],
    )


def ci_runner(
    name: str,
    address: str,
    image: Image,
    *,
    spool: str,
    size: str | int = "2G",
    memory: str | int | None = "2G",
    cpus: float | None = None,
    tasks: int = 4096,
    timeout: str | int = "1h",
    log: str | int = "16M",
    at_once: int = 1,
    packages: Sequence[str] = (),
) -> Container:
    """A container for jobs that nobody trusts.

    ``spool``: directory of the host with incoming jobs and what became of them. ``size``, ``memory``, ``tasks``,
    ``timeout`` and ``log`` are what one job may write, hold, start, last and say; ``at_once`` jobs run side by side.
    ``packages`` are what jobs find there beyond the image.
    """
    jobs = ci_jobs(
        spool, size=size, memory=memory, tasks=tasks, timeout=timeout, log=log, at_once=at_once, packages=packages
    )
    held = None if memory is None else _bytes(memory) * at_once + (256 << 20)
    return Container(
        name,
        address,
        image,
        parts=[jobs],
        untrusted=True,
        root=Root(size="128M"),
        limits=Limits(memory=held, cpus=cpus, cpu_weight=20, io_weight=20, tasks=tasks * at_once + 200),
        description="jobs that nobody trusts",
    )


def _bytes(value: str | int) -> int:
    found = checked_size(value)
    assert isinstance(found, int)
    return found
