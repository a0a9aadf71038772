"""Loop devices: image files as block devices, for building disk and ISO images."""

from __future__ import annotations

from eyas.model import Probe, System
from eyas.parts.common import LIB, script


def loops(*, directory: str = "/var/tmp") -> System:  # noqa: S108
    """The tools for images of disks, and ``loop-check.service``, which proves at every start that an image file can be
    attached and mounted. ``directory``: where its image is made. Needs the grant ``loop``, which this part asks for.
    """
    unit = "loop-check.service"
    text = f"""\
[Unit]
Description=Loop devices can be used
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=60
ExecStart={LIB}/loop-check {directory}

[Install]
WantedBy=multi-user.target
"""
    return System(
        packages=["e2fsprogs", "squashfs-tools", "mount"],
        files={f"{LIB}/loop-check": script("loop-check")},
        units={unit: text},
        grants=["loop"],
        probes=[Probe.unit(unit)],
    )
