"""PostgreSQL: a cluster on persistent data, and databases that only their own clients reach.

Data is in /var/lib/postgresql/VERSION/main, which should be below a persistent bind; an empty one is initialised at
the first start. Settings stand where Debian's tools expect them, so ``pg_lsclusters`` and ``psql`` work as usual.

Who may connect is said by pg_hba.conf: each role reaches its own database, from the addresses of its clients, and
nothing else. There is no password: a client is known by the address that its container has. That keeps the fleet
free of secrets, at a price: root of *another* container could take a client's address while that one is down.
Give roles passwords (an own pg_hba line, see ``hba``) where that matters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eyas.model import Client, Container, File, Probe, System, Unit
from eyas.parts.common import HEADER, LIB, address, join, script
from eyas.parts.given import calendar, given

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Database:
    """A database, the role that owns it, and the containers (or IPv4 addresses) that may use it as that role."""

    name: str
    role: str = ""
    clients: Sequence[Container | str] = ()

    def __post_init__(self) -> None:
        if not self.role:
            object.__setattr__(self, "role", self.name)
        for what in (self.name, self.role):
            if not NAME.fullmatch(what):
                raise ValueError(f"a database or role name is made of a-z, 0-9 and _, not {what!r}")
        if isinstance(self.clients, str):
            raise ValueError(f"clients of database {self.name!r} is a list: write [{self.clients!r}]")


def postgresql(
    databases: Sequence[Database | str] = (),
    *,
    version: int = 17,
    settings: Mapping[str, str | int | bool] | None = None,
    hba: Sequence[str] = (),
    backups: str | None = None,
    backup_time: str = "*-*-* 03:30:00",
) -> System:
    """A PostgreSQL server.

    ``databases``: made with their roles when missing, never dropped; a plain name is a database without clients.
    ``settings``: lines of postgresql.conf on top of ours. ``hba``: lines of pg_hba.conf before ours.
    ``backups``: a directory (below a persistent bind) for compressed dumps at ``backup_time`` (systemd.time(7)).
    """
    wanted = [d if isinstance(d, Database) else Database(d) for d in databases]
    cluster = f"postgresql@{version}-main.service"
    etc = f"/etc/postgresql/{version}/main"
    conf = File(conf_text(version, settings or {}), restart=(cluster,))
    parts = System(
        packages=[f"postgresql-{version}"],
        files={
            f"{etc}/postgresql.conf": conf,
            f"{etc}/pg_hba.conf": File(hba_text(wanted, hba), reload=(cluster,)),
            f"{etc}/pg_ident.conf": File(HEADER, reload=(cluster,)),
            f"{etc}/start.conf": "auto\n",
            "/etc/eyas/postgresql/databases.sql": File(
                databases_sql(wanted), restart=("eyas-postgresql-databases.service",)
            ),
            f"{LIB}/postgresql-init": script("postgresql-init"),
            f"{LIB}/postgresql-databases": script("postgresql-databases"),
        },
        units={
            "eyas-postgresql-init.service": init_unit(version),
            "eyas-postgresql-databases.service": databases_unit(version),
        },
        probes=[Probe.tcp(5432), Probe.unit("eyas-postgresql-databases.service")],
        clients=[Client(name, 5432) for name in clients(wanted)],
    )
    return join(parts, dumps(wanted, backups, backup_time, cluster)) if backups else parts


def clients(databases: Sequence[Database]) -> list[str]:
    """The containers that use some database; an address is nobody's name."""
    names = {c if isinstance(c, str) else c.name for database in databases for c in database.clients}
    return sorted(name for name in names if address(name) != name)


def conf_text(version: int, settings: Mapping[str, str | int | bool]) -> str:
    """postgresql.conf: what Debian's cluster needs to be found, and what the user says."""
    values: dict[str, str | int | bool] = {
        "data_directory": f"/var/lib/postgresql/{version}/main",
        "hba_file": f"/etc/postgresql/{version}/main/pg_hba.conf",
        "ident_file": f"/etc/postgresql/{version}/main/pg_ident.conf",
        "external_pid_file": f"/run/postgresql/{version}-main.pid",
        "cluster_name": f"{version}/main",
        # IPv4 only: clients are known by that address; over IPv6 a client would meet a rejection, not a fallback
        "listen_addresses": "0.0.0.0",  # noqa: S104
        "port": 5432,
        "unix_socket_directories": "/run/postgresql",
        "max_connections": 200,
        "shared_buffers": "128MB",
        "dynamic_shared_memory_type": "posix",
        "password_encryption": "scram-sha-256",
        "log_line_prefix": "%q%u@%d ",
        "log_timezone": "Etc/UTC",
        "timezone": "Etc/UTC",
        **settings,
    }
    return HEADER + "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def hba_text(databases: Sequence[Database], extra: Sequence[str] = ()) -> str:
    """pg_hba.conf: the first line that matches decides, so the last one refuses the rest."""
    lines = ["local all postgres peer", "local all all peer", *extra]
    for database in databases:
        for client in database.clients:
            lines.append(f"host {database.name} {database.role} {address(client)}/32 trust")
    lines.append("host all all all reject")
    return HEADER + "\n".join(lines) + "\n"


def databases_sql(databases: Sequence[Database]) -> str:
    """What makes missing roles and databases; running it again changes nothing. No name needs quoting."""
    lines = [_unless("pg_roles", "rolname", role, f"CREATE ROLE {role} LOGIN") for role in roles(databases)]
    for database in databases:
        name = database.name
        lines.append(_unless("pg_database", "datname", name, f"CREATE DATABASE {name} OWNER {database.role}"))
        lines.append(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;")
    return "".join(f"{line}\n" for line in lines)


def roles(databases: Sequence[Database]) -> list[str]:
    return sorted({database.role for database in databases})


def _unless(table: str, column: str, name: str, make: str) -> str:
    """A line of psql that runs ``make`` unless the table has the name."""
    found = f"(SELECT FROM {table} WHERE {column} = '{name}')"
    return f"SELECT '{make}' WHERE NOT EXISTS {found} \\gexec"


def init_unit(version: int) -> str:
    return f"""\
[Unit]
Description=PostgreSQL cluster in an empty data directory
Before=postgresql@{version}-main.service
RequiresMountsFor=/var/lib/postgresql

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=120
ExecStart={LIB}/postgresql-init {version}

[Install]
RequiredBy=postgresql@{version}-main.service
"""


def databases_unit(version: int) -> str:
    return f"""\
[Unit]
Description=Declared roles and databases of PostgreSQL
Requires=postgresql@{version}-main.service
After=postgresql@{version}-main.service

[Service]
Type=oneshot
RemainAfterExit=yes
User=postgres
TimeoutStartSec=120
ExecStart={LIB}/postgresql-databases

[Install]
WantedBy=multi-user.target
"""


def dumps(databases: Sequence[Database], directory: str, when: str, cluster: str) -> System:
    """A timer for compressed dumps; seven days are kept, by weekday."""
    names = " ".join(d.name for d in databases)
    service = f"""\
[Unit]
Description=Compressed dumps of the databases
Requires={cluster}
After={cluster} eyas-postgresql-databases.service

[Service]
Type=oneshot
User=postgres
ExecStartPre=+/usr/bin/install -d -o postgres -g postgres -m 0700 {directory}
ExecStart={LIB}/postgresql-dump {directory} {names}
"""
    timer = f"""\
[Unit]
Description=Compressed dumps of the databases

[Timer]
OnCalendar={given("postgresql.backup_time", when, calendar)}
RandomizedDelaySec=10m

[Install]
WantedBy=timers.target
"""
    return System(
        files={f"{LIB}/postgresql-dump": script("postgresql-dump")},
        units={"eyas-postgresql-dump.service": Unit(service, enable=False), "eyas-postgresql-dump.timer": timer},
    )
