from team import team

from eyas import (
    Bind,
    Bridge,
    Container,
    File,
    Fleet,
    Forward,
    Host,
    Image,
    Limits,
    Open,
    Probe,
    Root,
    Site,
    System,
    Unit,
    Uplink,
)

base = Image.debian("trixie", packages=["curl", "less", "rsync"])


def ours(name, last, *parts, binds=(), **more):
    """What every container of the team gets."""
    return Container(
        name,
        address=f"10.0.5.{last}",
        image=base,
        parts=[team, *parts],
        binds=[Bind("/home"), *binds],
        **more,
    )


def data(path, target, **more):
    return Bind(f"/data_1/containers/{path}", target, persistent=True, **more)


def postgresql():
    return System(
        packages=["postgresql"],
        files={"/etc/postgresql/conf.d/net.conf": File("listen_addresses = '*'\n", restart=["postgresql.service"])},
        probes=[Probe.command(["pg_isready"], timeout="2m")],
    )


def builder(repository):
    return System(
        packages=["systemd-container"],
        units={
            "build.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
            "build.timer": Unit("[Timer]\nOnCalendar=hourly\n\n[Install]\nWantedBy=timers.target\n"),
        },
        binds=[Bind(repository, f"/srv/http/repos/{repository.rpartition('/')[2]}", persistent=True, shared=True)],
        grants=["nspawn"],
    )


docker = System(packages=["docker.io"], grants=["docker"], probes=[Probe.unit("docker.service")])

postgres = ours("postgres", 50, postgresql, binds=[data("postgres/data", "/var/lib/postgresql")])
mesh = ours(
    "meshcentral",
    60,
    System(npm=["meshcentral"], probes=[Probe.http(22260, contains="MeshCentral")]),
    binds=[data("meshcentral", "/opt/meshcentral")],
    after=[postgres],
    limits=Limits(memory="4G", cpus=2),
)
temeraire = ours("temeraire", 20, builder("/data_2/chaotic-aur"), forwards=[Forward(22), Forward(873)])
repo = ours("repo", 30, builder("/data_2/chaotic-aur/garuda"), forwards=[Forward(223, to=22)], after=[temeraire])
kde = ours("chaotic-kde", 90, builder("/data_2/chaotic-aur/chaotic-aur-kde"), forwards=[Forward(226, to=22)])
forum = ours("forum", 70, docker, binds=[data("forum", "/var/discourse")], forwards=[Forward(224, to=22)])
stacks = ours(
    "docker",
    100,
    docker,
    binds=[data("docker", "/var/garuda/compose")],
    forwards=[Forward(225, to=22), Forward(27017)],
    needs=["postgres"],
    root=Root(size="20G", backing="disk"),
)
mastodon = ours("mastodon", 80, binds=[data("mastodon/redis", "/var/lib/redis", owner="redis")], after=[postgres])
runner = Container(
    "iso-runner", "10.0.5.40", base, parts=[docker], grants=["loop"], limits=Limits(memory="8G", tasks=4096)
)
web = ours(
    "web-front",
    10,
    System(
        packages=["nginx"],
        sites=[
            Site("mesh.example.org", to=mesh.port(22260)),
            Site("wiki.example.org", to=stacks.port(3001), upload="50M", aliases=["docs.example.org"]),
            Site("forum.example.org", to=forum.port(80), buffering=False, timeout="1h"),
        ],
    ),
    binds=[data("web-front/acme", "/var/lib/acme"), data("web-front/nginx", "/var/log/nginx")],
    forwards=[Forward(80), Forward(443), Forward(443, "udp"), Forward(8448), Forward(222, to=22)],
)

fleet = Fleet(
    Host(
        "immortalis",
        uplink=Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        containers=[web, temeraire, repo, runner, postgres, mesh, forum, mastodon, kde, stacks],
        sysctls={"vm.overcommit_memory": 1, "kernel.pid_max": 4194304, "fs.inotify.max_user_watches": "1048576"},
        open=[Open(666)],
        packages=["htop"],
    )
)
