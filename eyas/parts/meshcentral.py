"""MeshCentral: remote management of computers, a Node.js program from npm.

Its state is in ``directory`` (data, files, recordings, backups, agents it has signed), its records in PostgreSQL when a
database is given, else in files beside. It listens without TLS: the front does that. MeshCentral would fetch missing
modules with npm when it starts; the image holds them all, with the versions that this release insists on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyas.model import Backend, Check, Container, File, Probe, System
from eyas.parts.common import LIB, script

RELEASE = "1.1.55"
MODULES = {"1.1.55": ("pg@8.16.3",)}
"""What each release asks for by exact version, beyond its own dependencies (InstallModules in meshcentral.js)."""
HOME = "/usr/local/lib/node_modules/meshcentral"


def meshcentral(
    name: str = "localhost",
    *,
    database: Container | str | None = None,
    front: Container | str | None = None,
    directory: str = "/opt/meshcentral",
    port: int = 22260,
    redirect: int = 22261,
    settings: Mapping[str, object] | None = None,
) -> System:
    """MeshCentral as the site ``name`` behind ``front``, whose word on the client's address it then takes.

    ``database``: the container with PostgreSQL, where role and database are called ``meshcentral``.
    ``settings``: more of the ``settings`` of config.json, keys in lower case.
    """
    unit = "meshcentral.service"
    values: dict[str, object] = {
        "cert": name,
        "port": port,
        "aliasport": 443,
        "redirport": redirect,
        "redirections": True,
        "tlsoffload": f"@{{{_name(front)}.address}}" if front else True,
        "datapath": f"{directory}/meshcentral-data",
        "filespath": f"{directory}/meshcentral-files",
        "recordpath": f"{directory}/meshcentral-recordings",
        "autobackup": False,
        "selfupdate": False,
        "mpsport": 0,
        "exactports": True,
        "wanonly": True,
        "agenttimestampserver": False,
        **(settings or {}),
    }
    return System(
        packages=["nodejs"],
        npm=[f"meshcentral@{RELEASE}", *MODULES[RELEASE]],
        files={
            "/etc/meshcentral/config.js": File(config_js(values, _name(database)), restart=(unit,)),
            f"{LIB}/meshcentral-prepare": script("meshcentral-prepare"),
        },
        units={unit: unit_text(directory)},
        probes=[Probe.http(port, "/", status=200, timeout="120s")],
        checks=[Check.postgres(f"postgresql://meshcentral@{_name(database)}/meshcentral")] if database else [],
        uses=[Backend(_name(database), 5432)] if database else [],
    )


def _name(container: Container | str | None) -> str:
    return container if isinstance(container, str) else container.name if container else ""


def config_js(settings: Mapping[str, object], database: str) -> str:
    """The configuration as a module: MeshCentral reads it with require()."""
    text = json.dumps({"settings": settings, "domains": {"": {"title": "MeshCentral"}}}, indent=2)
    lines = [f"const config = {text};"]
    if database:
        lines.append(
            f"""\
// MeshCentral first looks into the database "postgres" whether its own one exists. Its role reaches its own database
// only, where the same question can be asked: so the name stays what it is.
config.settings.postgres = Object.defineProperty(
  {{ host: "@{{{database}.address}}", port: 5432, user: "meshcentral", password: "" }},
  "database", {{ enumerable: true, get: () => "meshcentral", set: () => {{}} }});"""
        )
    lines.append("module.exports = config;")
    return "\n".join(lines) + "\n"


def unit_text(directory: str) -> str:
    return f"""\
[Unit]
Description=MeshCentral
After=network.target
StartLimitIntervalSec=0

[Service]
Environment=NODE_ENV=production
ExecStartPre={LIB}/meshcentral-prepare {directory}
ExecStart=/usr/bin/node {HOME}/meshcentral.js --datapath {directory}/meshcentral-data
WorkingDirectory={directory}
Restart=always
RestartSec=2
TimeoutStopSec=8

[Install]
WantedBy=multi-user.target
"""
