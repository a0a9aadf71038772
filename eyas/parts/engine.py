"""What Docker and Podman have in common: a self-test that holds back readiness, and pruning by a timer."""

from __future__ import annotations

from eyas.model import Bind, Probe, System
from eyas.model.values import duration
from eyas.parts.common import LIB, proof, script
from eyas.parts.given import calendar, given

SELFTEST = f"{LIB}/container-selftest"
PRUNE = f"{LIB}/container-prune"


def selftest(engine: str) -> Probe:
    """The probe that runs a container with a published port."""
    return Probe.command([SELFTEST, engine], timeout="60s")


def engine(name: str, storage: Bind, *, prune: str | None, keep: str, unit: str = "") -> System:
    """``prune``: when (OnCalendar= of systemd.time(7)), None for never. ``keep``: how long what nothing uses stays.
    ``unit``: the daemon, where there is one."""
    units = {}
    hours = max(1, given(f"{name}.keep", keep, duration) // 3600)
    needs = f"Requisite={unit}\nAfter={unit}\n" if unit else ""
    if prune is not None:
        given(f"{name}.prune", prune, calendar)
        text = f"""\
[Unit]
Description=Remove what no container of {name} uses
{needs}
[Service]
Type=oneshot
ExecStart={PRUNE} {name} {hours}
"""
        timer = f"""\
[Unit]
Description=Remove what no container of {name} uses, {prune}

[Timer]
OnCalendar={prune}
RandomizedDelaySec=1h

[Install]
WantedBy=timers.target
"""
        units = {f"{name}-prune.service": text, f"{name}-prune.timer": timer}
    return System(
        packages=["busybox-static"],  # what the image of the self-test is made of
        files={
            SELFTEST: script("container-selftest"),
            **proof(name, *([f"systemctl start {unit}"] if unit else []), f"exec {SELFTEST} {name}"),
            **({PRUNE: script("container-prune")} if prune is not None else {}),
        },
        units=units,
        binds=[storage],
        probes=[selftest(name)],
    )
