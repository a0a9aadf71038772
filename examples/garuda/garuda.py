"""Parts of this fleet's own: a builder of packages, the forum by its launcher, and Mastodon's web side."""

from eyas import Check, File, Probe, System, User
from eyas.parts import join, nginx, package_builder, redis


def builder(repository, **schedules):
    """Builds the packages in packages/REPOSITORY into /srv/http/repos/REPOSITORY, at the times of ``schedules``.
    All builders share the key and the sources, and ask others by way of the cache in temeraire."""
    # temeraire keeps its own repository at the top of the tree that the others have parts of
    place = "/srv/http/repos" if repository == "chaotic-aur" else f"/srv/http/repos/{repository}"
    return package_builder(
        repository, place, f"packages/{repository}", schedules=schedules,
        data=f"/data_2/builders/{repository}", cache="/data_2/cache/packages", signing="/data_2/signing",
        sources="http://127.0.0.1:3128" if repository == "chaotic-aur" else "temeraire",
        ram="4G", root="1G", packager="Garuda Builder <builder@example.org>",
    )  # fmt: skip


def discourse():
    """The forum, by its own launcher: that drives Docker itself, and insists on /var/discourse."""
    return System(
        files={
            "/etc/forum/app.yml": File.read("forum/app.yml", mode=0o600, reload=["forum.service"]),
            "/usr/local/lib/forum/launcher": File.read("forum/launcher", mode=0o755, reload=["forum.service"]),
        },
        units={"forum.service": FORUM},
        probes=[Probe.http(80, contains="<title>", timeout="10m")],
    )


def mastodon(*, database, front):
    """Mastodon's web side: nginx, Redis, and a program that uses the database."""
    return join(
        redis("/var/lib/redis-mastodon"),
        nginx({"mastodon": web(front)}),
        System(
            packages=["python3", "python3-psycopg2"],
            users=[User("mastodon", 991, home="/var/lib/mastodon", shell="/usr/sbin/nologin")],
            files={
                "/usr/local/bin/mastodon-web": File.read(
                    "programs/mastodon-web", mode=0o755, restart=["mastodon-web.service"]
                )
            },
            units={"mastodon-web.service": PROGRAM},
            environment={
                "mastodon-web.service": {"DATABASE": f"postgresql://mastodon@{database.name}/mastodon"},
            },
            probes=[Probe.http(80, contains="database")],
            checks=[
                Check.postgres(unit="mastodon-web.service", variable="DATABASE"),
                Check.client_address("social.example.org"),
            ],
        ),
    )


def web(front):
    """nginx of Mastodon: believes web-front, and nobody else, about the visitor's address."""
    return f"""\
server {{
    listen 80 default_server;
    listen [::]:80 default_server;
    set_real_ip_from @{{{front}.address}};
    set_real_ip_from @{{{front}.address6}};
    real_ip_header X-Forwarded-For;

    location / {{
        proxy_pass http://127.0.0.1:3000;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
    }}
}}
"""


def syncthing(home):
    """Syncthing, which hands the repository on to mirrors. Its own page is for those who come by SSH."""
    unit = f"""\
[Unit]
Description=Syncthing
After=network.target

[Service]
User=syncthing
ExecStart=/usr/bin/syncthing serve --home={home} --no-browser --no-restart --gui-address=127.0.0.1:8384
Environment=STNOUPGRADE=1 STNODEFAULTFOLDER=1
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
"""
    return System(
        packages=["syncthing"],
        users=[User("syncthing", 992, home=home, shell="/usr/sbin/nologin")],
        units={"syncthing.service": unit},
        probes=[Probe.tcp(22000)],
    )


FORUM = """\
[Unit]
Description=The forum, by its own launcher
Requires=docker.service
After=docker.service
RequiresMountsFor=/var/discourse

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=30min
# Its place is a bind, which would cover files of the definitions: it gets them here. (On a server the launcher is there
# already, a git checkout that it updates by itself.)
ExecStartPre=install -D -m 0755 /usr/local/lib/forum/launcher /var/discourse/launcher
ExecStartPre=install -d /var/discourse/containers
ExecStartPre=ln -sfn /etc/forum/app.yml /var/discourse/containers/app.yml
ExecStart=/var/discourse/launcher start app
ExecReload=install -m 0755 /usr/local/lib/forum/launcher /var/discourse/launcher
ExecReload=/var/discourse/launcher rebuild app
ExecStop=/var/discourse/launcher stop app

[Install]
WantedBy=multi-user.target
"""

PROGRAM = """\
[Unit]
Description=Mastodon's web side
After=network.target redis-server.service
Wants=redis-server.service
StartLimitIntervalSec=0

[Service]
User=mastodon
ExecStart=/usr/local/bin/mastodon-web
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
