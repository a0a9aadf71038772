"""The Garuda fleet: everything that a Linux distribution's team offers, in ten containers on one server."""

from garuda import builder, discourse, mastodon, syncthing

from eyas import (
    SECURE,
    Answer,
    Bind,
    Bridge,
    Container,
    Egress,
    File,
    Fleet,
    Forward,
    Host,
    Image,
    Limits,
    Location,
    Open,
    Pool,
    Proxy,
    Redirect,
    Site,
    Uplink,
)
from eyas.parts import (
    Database,
    Schedule,
    compose,
    docker,
    front,
    loops,
    members,
    meshcentral,
    postgresql,
    repository,
    source_cache,
    ssh,
    team,
)

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
people = members("keys", {"anna": 1001, "ben": 1002, "carla": 1003})


def ours(name, last, *parts, binds=(), ssh_port=None, forwards=(), **more):
    """What every container of the team gets: homes, people, SSH. (An untrusted runner is a `ci_runner`.)"""
    reach = [Forward(ssh_port, to=22)] if ssh_port else []
    return Container(
        name, f"10.0.5.{last}", base,
        parts=[ssh(), team(people), *parts],
        binds=[Bind("/home"), *binds],
        forwards=[*reach, *forwards],
        **more,
    )  # fmt: skip


def kept(source, target, **more):
    """A directory of the host that holds a container's own data."""
    return Bind(source, target, persistent=True, **more)


# --- services ------------------------------------------------------------------------------------------------------

postgres = ours(
    "postgres", 50,
    postgresql(
        [
            Database("meshcentral", clients=["meshcentral"]),
            Database("mastodon", clients=["mastodon"]),
            *(Database(name, clients=["docker"]) for name in ("wikijs", "synapse", "telegram", "discord", "irc")),
        ],
        backups="/var/garuda/backups/postgres",
    ),
    binds=[
        kept("/data_1/containers/postgres/data", "/var/lib/postgresql"),
        kept("/data_1/containers/postgres/backup", "/var/garuda/backups/postgres"),
    ],
)  # fmt: skip

mesh = ours(
    "meshcentral", 60, meshcentral("mesh.example.org", database=postgres, front="web-front"),
    binds=[kept("/data_1/containers/meshcentral", "/opt/meshcentral")],
    after=[postgres], limits=Limits(memory="2G", cpus=2),
)  # fmt: skip

forum = ours(
    "forum", 70,
    docker("/data_1/docker/forum"), discourse(),
    binds=[kept("/data_1/containers/forum", "/var/discourse")],
    hold="2m",  # its launcher takes longer than most, and visitors had rather wait than be sent away
    ssh_port=224,
)  # fmt: skip

social = ours(
    "mastodon", 80, mastodon(database=postgres, front="web-front"),
    binds=[
        kept("/data_1/containers/mastodon/mastodon", "/var/lib/mastodon"),
        kept("/data_1/containers/mastodon/redis", "/var/lib/redis-mastodon"),
    ],
    after=[postgres],
)  # fmt: skip

FRONTED = ["www.google.com", "translate.google.com", "www.youtube.com", "i.ytimg.com", "www.reddit.com"]
"""What the privacy front-ends of the stack ask in their users' stead."""

stacks = ours(
    "docker", 100,
    docker("/data_1/docker/docker"),
    compose(
        "all-in-one", directory="/var/garuda/compose/all-in-one",
        env={"DOMAIN": "example.org", "POSTGRES": postgres.name},
    ),
    binds=[kept("/data_1/containers/docker", "/var/garuda/compose/all-in-one")],
    after=[postgres], ssh_port=225, forwards=[Forward(27017)],
    egress=[Egress("front-ends", to=FRONTED, via=Pool(32, per="sticky", sticky="15m"))],
)  # fmt: skip

APPS = {
    "cloud": 8080, "paste": 8081, "start": 8082, "vault": 8083, "search": 5000, "searx": 8084,
    "tube": 3002, "piped": 8085, "reddit": 8086, "lingva": 3003, "element": 8087, "irc": 9000,
}  # fmt: skip
"""Names of the stack's applications, each with the port that it is published at."""

# --- builders ------------------------------------------------------------------------------------------------------

forges = Egress(
    "forges", to=["github.com", "codeload.github.com", "gitlab.com", "invent.kde.org", "aur.archlinux.org"],
    ports=[443], via=Pool(64), ceiling=5000,
)  # fmt: skip


def builds(name, last, *parts, **more):
    """A package builder: its builds give way to everybody else, and ask forges from many addresses, each its own."""
    return ours(name, last, *parts, limits=Limits(cpu_weight=50, memory="8G"), egress=[forges], **more)


repo = builds(
    "repo", 30, builder("garuda", hourly="hourly"), repository(),
    binds=[kept("/data_2/chaotic-aur/garuda", "/srv/http/repos/garuda", shared=True)], ssh_port=223,
)  # fmt: skip

kde = builds(
    "chaotic-kde", 90,
    builder(
        "chaotic-aur-kde",
        hourly=Schedule("hourly", ["*-git"]), afternoon="*-*-* 15:00:00",
        nightly=Schedule("*-*-* 01:00:00", priority="idle"),
    ),
    repository(),
    binds=[kept("/data_2/chaotic-aur/chaotic-aur-kde", "/srv/http/repos/chaotic-aur-kde", shared=True)], ssh_port=226,
)  # fmt: skip

temeraire = builds(
    "temeraire", 20,
    builder(
        "chaotic-aur",
        hourly=Schedule("hourly", ["*-git"]), morning="*-*-* 07:00:00",
        nightly=Schedule("*-*-* 02:00:00", priority="idle"),
    ),
    repository(modules={"chaotic-aur": "/srv/http/repos", "iso": "/srv/http/iso"}, connections=80),
    source_cache("/data_2/cache/sources", space="100G", ceiling=2000),
    syncthing("/var/lib/syncthing"),
    binds=[
        kept("/data_2/chaotic-aur", "/srv/http/repos", shared=True),
        kept("/data_2/iso/iso", "/srv/http/iso", shared=True),
        kept("/data_2/containers/temeraire/syncthing", "/var/lib/syncthing"),
    ],
    ssh_port=22, forwards=[Forward(873), Forward(21027, "udp"), Forward(22000), Forward(22000, "udp")],
    drain="1m",  # downloads of packages, and mirrors by rsync, may come to their end before it stops
    after=[repo, kde],  # the manager of the builders stops before them
)  # fmt: skip

isos = ours(
    "iso-runner", 40, docker("/data_1/docker/iso-runner"), loops(),
    binds=[kept("/data_2/iso", "/var/garuda/buildiso", shared=True)], ssh_port=227,
)  # fmt: skip

# --- what the world sees -------------------------------------------------------------------------------------------

matrix = Answer(200, '{"m.server": "example.org:8448"}', type="application/json")
safe = {"headers": SECURE, "hsts": "365d"}

web = ours(
    "web-front", 10,
    front(
        Site(
            "example.org",
            Location.exact("/.well-known/matrix/server", matrix),
            Location("/_matrix", Proxy(stacks.port(8008))),
            Location("/", Redirect("https://wiki.example.org", status=302)),
            tls_ports=[8448], **safe,
        ),
        Site("www.example.org", Redirect("https://example.org", keep_path=True, expires="1d")),
        Site("mesh.example.org", to=mesh.port(22260), timeout="1h"),
        Site("wiki.example.org", to=stacks.port(3001), upload="50M", **safe),
        *(Site(f"{name}.example.org", to=stacks.port(port), upload="10G", **safe) for name, port in APPS.items()),
        Site("forum.example.org", to=forum.port(80), aliases=["discourse.example.org"], **safe),
        Site("social.example.org", to=social.port(80), upload="100M"),
        Site("repo.example.org", to=temeraire.port(80), access_log=False, plain=True),
        Site("garuda.example.org", to=repo.port(80)),
        Site("kde.example.org", to=kde.port(80)),
    ),
    binds=[
        kept("/data_1/containers/web-front/acme", "/var/lib/acme"),
        kept("/data_1/containers/web-front/nginx", "/var/log/nginx"),
    ],
    ssh_port=222, forwards=[Forward(80), Forward(443), Forward(443, "udp"), Forward(8448)],
)  # fmt: skip

fleet = Fleet(
    Host(
        "immortalis",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        containers=[web, temeraire, repo, isos, postgres, mesh, forum, social, kde, stacks],
        open=[Open(666)],  # the host's own SSH
        packages=["conntrack", "curl"],
        users=people,
        sysctls={"vm.overcommit_memory": 1},  # Redis in mastodon asks for it, and only the host can set it
        files={"/etc/sysctl.d/60-neighbours.conf": File.read("programs/neighbours.conf")},
    )
)
