"""What the parts write: pure texts, so they are compared as such."""

from __future__ import annotations

import json
import re

import pytest

from eyas.model import Backend, Bind, Container, Image, Site, System, Unit, Upstream, User, merged
from eyas.parts import (
    Database,
    docker,
    front,
    join,
    loops,
    members,
    meshcentral,
    nginx,
    nspawn_builder,
    podman,
    postgresql,
    published,
    redis,
    repository,
    source_cache,
    ssh,
    team,
)
from eyas.parts.common import address
from eyas.parts.front_sites import Front, site_conf
from eyas.parts.meshcentral import config_js
from eyas.parts.postgresql import conf_text, databases_sql, hba_text

BASE = Image.debian("trixie")
MESH = Container("mesh", "10.0.5.60", BASE)


def text(system: System, path: str) -> str:
    content = system.files[path].content  # type: ignore[union-attr]
    assert isinstance(content, str)
    return content


def every_part() -> list[System]:
    return [
        postgresql([Database("wiki", clients=["docker"])], backups="/backup"),
        front(Site("a.example.org", to=MESH.port(80))),
        nginx({"hello": "server { listen 80; }\n"}),
        docker("/data/docker"),
        published("wiki", 3001, {"index.html": "hello\n"}),
        redis(),
        meshcentral("mesh.example.org", database="postgres", front="web-front"),
        repository(modules={"repos": "/srv/http/repos"}),
        source_cache("/srv/sources"),
        nspawn_builder(),
        loops(),
        team([User("ann", 1001)]),
        ssh(),
    ]


class TestAddresses:
    def test_a_container_is_referred_to_not_copied(self) -> None:
        assert address(MESH) == address("mesh") == "@{mesh.address}"

    def test_an_address_stays(self) -> None:
        assert address("192.0.2.7") == "192.0.2.7"

    def test_no_part_writes_the_address_of_a_container(self) -> None:
        for system in every_part():
            for path, file in system.files.items():
                assert "10.0.5." not in str(getattr(file, "content", "")), path


class TestUnits:
    @pytest.mark.parametrize("system", every_part())
    def test_each_hook_and_probe_names_a_unit_with_suffix(self, system: System) -> None:
        for file in system.files.values():
            for unit in (*getattr(file, "reload", ()), *getattr(file, "restart", ())):
                assert unit.endswith(".service")

    @pytest.mark.parametrize("system", every_part())
    def test_each_script_that_a_unit_runs_is_in_the_part(self, system: System) -> None:
        texts = [unit.content for unit in system.units.values()]
        texts += [str(f.content) for p, f in system.files.items() if p.endswith(".conf") and hasattr(f, "content")]
        for path in re.findall(r"/usr/local/lib/eyas/[a-z-]+", "\n".join(texts)):
            assert system.files[path].mode == 0o755, path  # type: ignore[union-attr]

    @pytest.mark.parametrize("system", every_part())
    def test_units_have_the_sections_that_systemd_wants(self, system: System) -> None:
        for name, unit in system.units.items():
            assert unit.content.startswith("[Unit]\nDescription=")
            assert f"[{'Timer' if name.endswith('.timer') else 'Service'}]" in unit.content
            if not unit.enable:
                assert "[Install]" not in unit.content


class TestPostgresql:
    def test_each_role_reaches_its_own_database_from_its_clients_only(self) -> None:
        hba = hba_text([Database("wiki", clients=["docker", MESH]), Database("chat", role="synapse")])
        assert [line for line in hba.splitlines() if line.startswith("host")] == [
            "host wiki wiki @{docker.address}/32 trust",
            "host wiki wiki @{mesh.address}/32 trust",
            "host all all all reject",
        ]

    def test_own_lines_come_before_the_rejection(self) -> None:
        lines = hba_text([], ["host all admin 192.0.2.1/32 scram-sha-256"]).splitlines()
        assert lines.index("host all admin 192.0.2.1/32 scram-sha-256") < lines.index("host all all all reject")

    def test_databases_are_made_when_missing_and_closed_to_others(self) -> None:
        sql = databases_sql([Database("wiki", role="writer")])
        assert "SELECT 'CREATE ROLE writer LOGIN' WHERE NOT EXISTS" in sql
        assert "SELECT 'CREATE DATABASE wiki OWNER writer' WHERE NOT EXISTS" in sql
        assert "REVOKE CONNECT, TEMPORARY ON DATABASE wiki FROM PUBLIC;" in sql
        assert "DROP" not in sql

    def test_settings_win_over_ours(self) -> None:
        conf = conf_text(17, {"max_connections": 10, "jit": False, "log_statement": "it's"})
        assert "max_connections = 10\n" in conf
        assert "max_connections = 200" not in conf
        assert "jit = off\n" in conf
        assert "log_statement = 'it''s'\n" in conf

    @pytest.mark.parametrize("name", ["wiki; drop", "Wiki", "", "x" * 64, "a'b"])
    def test_names_that_need_quoting_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="database or role name"):
            Database(name or "-")

    def test_one_text_where_a_list_belongs_is_refused(self) -> None:
        with pytest.raises(ValueError, match="write \\['docker'\\]"):
            Database("wiki", clients="docker")

    def test_who_may_connect_is_reloaded_not_restarted(self) -> None:
        hba = postgresql(["wiki"]).files["/etc/postgresql/17/main/pg_hba.conf"]
        assert hba.reload == ("postgresql@17-main.service",)  # type: ignore[union-attr]

    def test_dumps_only_when_asked_for(self) -> None:
        assert "eyas-postgresql-dump.timer" not in postgresql(["wiki"]).units
        part = postgresql(["wiki", "chat"], backups="/backup")
        assert "postgresql-dump /backup wiki chat" in part.units["eyas-postgresql-dump.service"].content
        assert not part.units["eyas-postgresql-dump.service"].enable


class TestFront:
    SITE = Site("wiki.example.org", to=Backend("docker", 3001), aliases=["w.example.org"], upload="50M")

    def test_a_site_is_one_file_that_reloads_nginx(self) -> None:
        one, two = front(self.SITE), front(self.SITE, Site("b.example.org", to=MESH.port(80)))
        differing = {p for p in two.files if two.files[p] != one.files.get(p)}
        assert differing == {"/etc/nginx/conf.d/site-b.example.org.conf", "/etc/eyas/front/names"}
        for path in differing:
            assert two.files[path].reload == ("nginx.service",)  # type: ignore[union-attr]

    def test_a_site_says_all_that_was_asked_for(self) -> None:
        site = self.SITE.with_(timeout="1h", buffering=False, https=True, access_log=False, extra="add_header X y;")
        conf = site_conf(site, Front())
        for line in (
            "server_name wiki.example.org w.example.org;",
            "client_max_body_size 50m;",
            "proxy_pass https://@{docker.address}:3001;",
            "proxy_read_timeout 1h;",
            "proxy_buffering off;",
            "access_log off;",
            "add_header X y;",
            "include listen/https;",
            "Alt-Svc",
        ):
            assert line in conf, line
        assert "Alt-Svc" not in site_conf(site, Front(http3=False))

    def test_it_waits_for_as_long_as_what_is_behind_it_is_held(self) -> None:
        def waits(*holds: int) -> list[str]:
            behind = [MESH.with_(name=f"m{number}", hold=hold).port(80) for number, hold in enumerate(holds)]
            conf = site_conf(Site("b.example.org", to=Upstream(behind) if len(behind) > 1 else behind[0]), Front())
            return [line.split()[1] for line in conf.splitlines() if "proxy_connect_timeout" in line]

        assert "proxy_connect_timeout 75s;" in text(front(self.SITE), "/etc/nginx/conf.d/00-front.conf")
        assert [waits(0), waits(30), waits(60)] == [[], [], []], "all wait for so long"
        assert [waits(61), waits(120), waits(30, 90)] == [["76s;"], ["135s;"], ["105s;"]]

    def test_what_servers_listen_on_stands_in_files_of_its_own(self) -> None:
        part = front(self.SITE, ports=[8448])
        confs = "".join(text(part, p) for p in part.files if p.startswith("/etc/nginx/conf.d"))
        assert "listen " not in confs, "an address here would be the same in all generations"
        https = text(part, "/etc/nginx/listen/https")
        for line in ("listen [::]:8448 ssl;", "listen 8448 ssl;", "listen 443 quic;", "listen [::]:443 quic;"):
            assert line in https, line
        assert "quic" not in text(front(self.SITE, http3=False), "/etc/nginx/listen/https")

    def test_one_socket_is_set_up_by_the_default_server(self) -> None:
        part = front(self.SITE)
        total = "".join(text(part, p) for p in part.files if p.startswith("/etc/nginx/listen/"))
        assert total.count("reuseport") == 2  # one for each family
        assert total.count(" 443 ssl default_server") + total.count("]:443 ssl default_server") == 2

    def test_how_long_connections_may_stay_is_said_once(self) -> None:
        part = front(self.SITE, linger="10m")
        assert "worker_shutdown_timeout 600s;" in text(part, "/etc/nginx/nginx.conf")
        assert "GRACE=600\n" in part.units["nginx-retire.service"].content

    def test_the_certificate_covers_names_and_aliases_once(self) -> None:
        part = front(self.SITE, Site("b.example.org", to=MESH.port(80), aliases=["w.example.org"]))
        assert text(part, "/etc/eyas/front/names") == "b.example.org\nw.example.org\nwiki.example.org\n"

    def test_a_wildcard_has_a_file_name(self) -> None:
        part = front(Site("*.example.org", to=MESH.port(80)))
        assert "server_name *.example.org;" in text(part, "/etc/nginx/conf.d/site-any.example.org.conf")

    def test_the_sites_are_known_to_check(self) -> None:
        assert front(self.SITE).sites == (self.SITE,)

    def test_the_visitor_cannot_forge_the_address(self) -> None:
        sent = text(front(), "/etc/nginx/eyas/proxy-headers")
        assert "X-Forwarded-For $remote_addr;" in sent
        assert 'Forwarded "";' in sent
        assert "include eyas/proxy-headers;" in text(front(), "/etc/nginx/conf.d/00-front.conf")


class TestOthers:
    def test_docker_has_a_directory_and_the_grant(self) -> None:
        part = docker("/data/docker", settings={"live-restore": False})
        assert part.grants == ("docker",)
        assert part.binds == (Bind("/data/docker", "/var/lib/docker", persistent=True, mode=0o711),)
        config = json.loads(text(part, "/etc/docker/daemon.json"))
        assert config["storage-driver"] == "overlay2"
        assert config["live-restore"] is False

    def test_podman_needs_no_grant(self) -> None:
        part = podman("/data/podman", settings={"engine": {"runtime": "runc"}, "network": {"dns_bind_port": 54}})
        assert part.grants == ()
        config = text(part, "/etc/containers/containers.conf.d/50-eyas.conf")
        assert "keyring = false\n" in config
        assert 'runtime = "runc"\n' in config
        assert 'default_subnet = "10.88.0.0/16"\ndns_bind_port = 54\n' in config

    def test_a_selftest_holds_back_readiness(self) -> None:
        for name, part in (("docker", docker("/data")), ("podman", podman("/data"))):
            (probe,) = part.probes
            assert probe.argv == ("/usr/local/lib/eyas/container-selftest", name)
            assert probe.argv[0] in part.files

    def test_pruning_keeps_its_time(self) -> None:
        part = docker("/data", prune="Mon 04:00", keep="36h")
        assert "OnCalendar=Mon 04:00\n" in part.units["docker-prune.timer"].content
        assert "container-prune docker 36\n" in part.units["docker-prune.service"].content
        assert not [unit for unit in docker("/data", prune=None).units if "prune" in unit]

    def test_a_published_page_restarts_its_own_unit_only(self) -> None:
        part = published("wiki", 3001, {"index.html": "hello\n"}, volumes={"/srv": "/www"}, options=["--read-only"])
        assert part.files["/etc/eyas/docker/wiki/index.html"].restart == ("docker-wiki.service",)  # type: ignore[union-attr]
        command = part.units["docker-wiki.service"].content
        assert "--publish=3001:80 --volume=/srv:/www --read-only" in command

    def test_meshcentral_needs_no_network_to_start(self) -> None:
        part = meshcentral("mesh.example.org", database="postgres")
        assert part.npm[0].startswith("meshcentral@")
        assert all("@" in module[1:] for module in part.npm)  # exact versions: it compares them when it starts

    def test_meshcentral_keeps_to_its_database(self) -> None:
        config = config_js({"port": 1}, "postgres")
        assert 'get: () => "meshcentral"' in config
        assert "@{postgres.address}" in config
        assert "postgres" not in config_js({"port": 1}, "")

    def test_redis_writes_below_its_directory(self) -> None:
        part = redis("/var/lib/redis-mastodon", settings={"maxmemory": "1gb"})
        drop = text(part, "/etc/systemd/system/redis-server.service.d/50-eyas.conf")
        assert "ReadWritePaths=-/var/lib/redis-mastodon" in drop
        assert "dir /var/lib/redis-mastodon\n" in text(part, "/etc/redis/redis.conf")
        assert "maxmemory 1gb\n" in text(part, "/etc/redis/redis.conf")

    def test_rsync_is_read_only_and_limited(self) -> None:
        conf = text(repository(modules={"repos": "/srv/http/repos"}, connections=80), "/etc/rsyncd.conf")
        assert "read only = yes" in conf
        assert "max connections = 80" in conf
        assert "[repos]\n    path = /srv/http/repos" in conf
        assert "/etc/rsyncd.conf" not in repository().files

    def test_members_come_from_their_files(self) -> None:
        with pytest.raises(OSError, match=r"nobody\.pub"):
            members("keys", {"nobody": 1001})

    def test_sudo_is_for_members_only(self) -> None:
        part = team([User("ann", 1001), User("bob", 1002)])
        assert text(part, "/etc/sudoers.d/eyas-team").count("NOPASSWD") == 2
        assert part.files["/etc/sudoers.d/eyas-team"].mode == 0o440  # type: ignore[union-attr]
        assert not team([User("ann", 1001)], sudo=False).packages

    def test_ssh_has_no_passwords_and_a_stable_key(self) -> None:
        conf = text(ssh(settings="AllowUsers ann\n"), "/etc/ssh/sshd_config.d/10-eyas.conf")
        assert "PasswordAuthentication no" in conf
        assert "HostKey /etc/ssh/eyas/ssh_host_ed25519_key" in conf
        assert conf.endswith("AllowUsers ann\n")

    def test_joined_parts_keep_everything_once(self) -> None:
        one = System(packages=["curl", "less"], files={"/a": "1"}, units={"a.service": Unit("[Unit]\n")})
        two = System(packages=["less"], files={"/b": "2"}, tmpfiles=["d /c"])
        total = join(one, two)
        assert total.packages == ("curl", "less")
        assert set(total.files) == {"/a", "/b"}
        assert set(total.units) == {"a.service"}
        assert total.tmpfiles == ("d /c",)

    def test_two_services_of_docker_go_together(self) -> None:
        parts = [docker("/data"), published("a", 3001, {"x": "1"}), published("b", 3002, {"x": "2"})]
        total = merged(Container("stacks", "10.0.5.100", BASE, parts=parts))
        assert {"docker-a.service", "docker-b.service"} <= set(total.units)
