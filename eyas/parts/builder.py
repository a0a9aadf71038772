"""Containers inside a container: clean roots in RAM for building packages."""

from __future__ import annotations

from collections.abc import Sequence

from eyas.model import File, Probe, System
from eyas.parts.common import LIB, proof, script


def nested_proof() -> dict[str, File]:
    """What shows that nested containers work: by hand, and before a container gets a new root."""
    scripts = {f"{LIB}/{name}": script(name) for name in ("nested-root", "nested-selftest")}
    return {**scripts, **proof("nspawn", f"exec {LIB}/nested-selftest")}


def nspawn_builder(name: str = "chroot", *, binds: Sequence[str] = ()) -> System:
    """A nested system container ``name``, booted from a clean root in RAM that has the tools of this container.

    The root is made anew at every start of ``nested-NAME.service``; ``machinectl shell NAME`` or ``systemd-run
    --machine=NAME`` work in it. ``binds``: ``SOURCE:TARGET`` directories that it shares (results of builds).
    The source must be below a mount point of this container, not one itself.
    Needs the grant ``nspawn``, which this part asks for.
    """
    root = f"/var/lib/eyas-nested/{name}"
    unit = f"nested-{name}.service"
    more = "".join(f" --bind={bind}" for bind in binds)
    text = f"""\
[Unit]
Description=Nested container {name}
After=network.target dbus.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
Delegate=yes
DelegateSubgroup=supervisor
KillMode=mixed
Restart=on-failure
RestartSec=1
SuccessExitStatus=133
RestartForceExitStatus=133
TimeoutStartSec=90
TimeoutStopSec=8
ExecStartPre={LIB}/nested-root {root} {name}
ExecStart=/usr/bin/systemd-nspawn --quiet --keep-unit --boot --notify-ready=yes --link-journal=no \\
    --settings=no --directory={root} --machine={name} --bind-ro=/usr --bind-ro=/run/eyas-proc \\
    --bind-ro=/run/eyas-sysfs{more}

[Install]
WantedBy=multi-user.target
"""
    return System(
        packages=["systemd-container"],
        files=nested_proof(),
        units={unit: text},
        grants=["nspawn"],
        probes=[Probe.unit(unit)],
    )
