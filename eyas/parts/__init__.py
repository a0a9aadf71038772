"""The library of parts: functions that return a System, to be put together in a container.

    Container("postgres", "10.0.5.50", base, parts=[postgresql([Database("wiki", clients=["docker"])])])

A part says what belongs together: packages, files, units, binds, grants, and the probes that tell whether it works.
It knows no host. Addresses of other containers are written as references (``@{NAME.address}``), filled when the fleet
is rendered, so that a container which is renumbered takes its users along.
"""

from eyas.parts.builder import nspawn_builder
from eyas.parts.ci_runner import ci_jobs, ci_runner
from eyas.parts.common import join
from eyas.parts.compose import compose
from eyas.parts.docker import docker, published
from eyas.parts.front import front
from eyas.parts.iso import iso_images
from eyas.parts.loops import loops
from eyas.parts.meshcentral import meshcentral
from eyas.parts.nginx import nginx
from eyas.parts.packages import Schedule, package_builder
from eyas.parts.podman import podman
from eyas.parts.postgresql import Database, postgresql
from eyas.parts.ramdisk import ram_disk
from eyas.parts.redis import redis
from eyas.parts.repository import mirror, repository
from eyas.parts.sources import source_cache
from eyas.parts.team import members, ssh, team

__all__ = [
    "Database",
    "Schedule",
    "ci_jobs",
    "ci_runner",
    "compose",
    "docker",
    "front",
    "iso_images",
    "join",
    "loops",
    "members",
    "meshcentral",
    "mirror",
    "nginx",
    "nspawn_builder",
    "package_builder",
    "podman",
    "postgresql",
    "published",
    "ram_disk",
    "redis",
    "repository",
    "source_cache",
    "ssh",
    "team",
]
