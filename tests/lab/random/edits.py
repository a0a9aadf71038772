"""A small fleet as a value, the edits that people make to it, drawn by a generator with a seed, and its definitions.

An edit is a person's: it changes a few values, says in words what it did, and how much it may cost whom at most.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from eyas.core.words import Impact

NAMES = ("ada", "ben", "cyd", "dan")
PORTS = (8101, 8102, 8103, 8104, 8105)
TARGETS = ("/shown/one", "/shown/two")
FILES = ("/etc/note.conf", "/srv/deep/er/note.conf")
IMAGES = ("lean", "fat")

HEAD = """\
from eyas import Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Limits, Open, Probe, Root, Unit
from eyas import Uplink, User

images = {
    "lean": Image.debian("trixie", packages=[], name="tiny"),
    "fat": Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda"),
}
ANSWER = '''\\
#!/usr/bin/perl
# answers every connection with its name and the first lines of its settings; more.conf is read again by SIGHUP
use strict; use warnings; use IO::Socket::INET;
sub first { open my $file, '<', $_[0] or die; chomp(my $line = <$file>); $line }
my ($word, $more) = (first('/etc/answer.conf'), first('/etc/more.conf'));
$SIG{HUP} = sub { $more = first('/etc/more.conf') };
my $socket = IO::Socket::INET->new(LocalPort => 8000, Listen => 128, ReuseAddr => 1) or die;
while (1) { my $client = $socket->accept or next; print $client "$ENV{NAME} $word $ENV{WORD} $more\\n"; close $client }
'''
SERVICE = '''\\
[Service]
Type=exec
Environment=NAME={name} WORD={word}
ExecStart=/usr/bin/perl /usr/local/bin/answer
ExecReload=/bin/sh -c 'echo >>/run/reloads; kill -HUP $MAINPID'
Restart=always
[Install]
WantedBy=multi-user.target
'''
STILL = '''\\
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
'''


def container(name, last, image, *, word, unit, more, files, **rest):
    return Container(
        name, f"10.0.9.{last}", images[image],
        files={
            "/usr/local/bin/answer": File(ANSWER, mode=0o755),
            "/etc/answer.conf": File(word, restart=["answer.service"]),
            "/etc/more.conf": File(more, reload=["answer.service"]),
            **files,
        },
        units={"answer.service": Unit(SERVICE.format(name=name, word=unit)), "still.service": Unit(STILL)},
        probes=[Probe.tcp(8000)], stop_timeout=5, settle=0, drain=2, **rest,
    )


"""
HOST = """
fleet = Fleet(
    Host(
        "crash",
        Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway="203.0.113.65", gateway6="fe80::1"),
        Bridge("br0", "10.0.9.1/24", "fd00:9::1/64"),
        [{names}],
        open=[Open(22)],
        sysctls={sysctls!r},
        files={files!r},
        users=[{users}],
    )
)
"""


@dataclass
class Cell:
    """A container; numbers behind words make each version another one."""

    last: int
    image: str = "lean"
    stateless: bool = False
    size: int = 48
    memory: int = 0
    tasks: int = 0
    word: int = 0
    unit: int = 0
    more: int = 0
    note: int = 0
    after: str = ""
    forwards: list[int] = field(default_factory=list)
    binds: dict[str, bool] = field(default_factory=dict)  # target: read-only
    files: dict[str, int] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        binds = [f"Bind({source(name, target)!r}, {target!r}, readonly={ro})" for target, ro in self.binds.items()]
        if not self.stateless:
            binds.append(f'Bind("/srv/{name}", "/data", persistent=True)')
        limits = [f'memory="{self.memory}M"'] * bool(self.memory) + [f"tasks={self.tasks}"] * bool(self.tasks)
        rows = {
            "word": repr(f"{self.word}\n"),
            "unit": str(self.unit),
            "more": repr(f"{self.more}\n"),
            "files": repr({path: f"{version}\n" for path, version in self.files.items()}),
            "root": f'Root(size="{self.size}M")',
            "limits": f"Limits({', '.join(limits)})",
            "stateless": str(self.stateless),
            "after": repr([self.after] if self.after else []),
            "description": repr(f"note {self.note}"),
            "forwards": f"[{', '.join(f'Forward({port}, to=8000)' for port in self.forwards)}]",
            "binds": f"[{', '.join(binds)}]",
            "users": f"[{', '.join(f'User({user!r}, {1001 + ord(user[0])})' for user in self.users)}]",
        }
        more = "".join(f"    {key}={value},\n" for key, value in rows.items())
        return f"{name} = container(\n    {name!r}, {self.last}, {self.image!r},\n{more})\n"


@dataclass
class World:
    """The fleet of one host."""

    cells: dict[str, Cell]
    sysctls: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    count: int = 0  # of versions that were given

    def text(self) -> str:
        """The definitions."""
        cells = "".join(f"{cell.text(name)}\n" for name, cell in self.cells.items())
        return HEAD + cells + HOST.format(
            names=", ".join(self.cells),
            sysctls=self.sysctls,
            files={path: f"{version}\n" for path, version in self.files.items()},
            users=", ".join(f"User({user!r}, {1101 + ord(user[0])})" for user in self.users),
        )  # fmt: skip

    def version(self) -> int:
        self.count += 1
        return self.count


@dataclass(frozen=True)
class Edit:
    """What was done: words for a person, and the highest impact that it may have on each container."""

    words: str
    costs: dict[str, Impact]


def source(name: str, target: str) -> str:
    """The path of the host that is shown at a target."""
    return f"/srv/shown/{name}{target.replace('/', '-')}"


def first() -> World:
    """What every sequence begins with."""
    return World(
        {
            "ada": Cell(11, forwards=[PORTS[0]], files={FILES[0]: 0}),
            "ben": Cell(12, stateless=True, forwards=[PORTS[1]]),
            "cyd": Cell(13, image="fat", memory=512, binds={TARGETS[0]: True}),
        },
        sysctls={"net.ipv4.tcp_fin_timeout": 50},
    )


class Author:
    """Draws edits. The same seed gives the same sequence."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def edit(self, world: World) -> tuple[World, Edit]:
        """A copy of a fleet with one to three things changed."""
        new = deepcopy(world)
        words: list[str] = []
        costs: dict[str, Impact] = {}
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            what = self.random.choice(EDITS)
            if said := what(self, new):
                words.append(said[0])
                for name, impact in said[1].items():
                    costs[name] = max(impact, costs.get(name, Impact.none))
        return (new, Edit("; ".join(words), costs)) if words else self.edit(world)

    def some(self, world: World) -> tuple[str, Cell]:
        name = self.random.choice(sorted(world.cells))
        return name, world.cells[name]

    def toggle(self, values: list[str] | list[int], value: object) -> str:
        """Put it into a list, or take it out."""
        if value in values:
            values.remove(value)  # type: ignore[arg-type]
            return "removed"
        values.append(value)  # type: ignore[arg-type]
        return "added"


Said = tuple[str, dict[str, Impact]]


def limit(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    cell.memory = author.random.choice([v for v in (0, 512, 640) if v != cell.memory])
    if author.random.random() < 0.5:
        cell.tasks = author.random.choice([v for v in (0, 300, 400) if v != cell.tasks])
    return f"{name}: limits {cell.memory} MB, {cell.tasks} tasks", {name: Impact.live}


def forward(author: Author, world: World) -> Said | None:
    name, cell = author.some(world)
    port = author.random.choice(PORTS)
    if any(port in other.forwards for key, other in world.cells.items() if key != name):
        return None
    return f"{name}: forward {port} {author.toggle(cell.forwards, port)}", {}


def bind(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    target = author.random.choice(TARGETS)
    if target not in cell.binds:
        cell.binds[target] = author.random.random() < 0.5
        return f"{name}: bind {target} added", {name: Impact.live}
    if author.random.random() < 0.5:
        del cell.binds[target]
        return f"{name}: bind {target} removed", {name: Impact.live}
    cell.binds[target] = not cell.binds[target]
    return f"{name}: bind {target} read-only is {cell.binds[target]}", {name: Impact.live}


def plain_file(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    path = author.random.choice(FILES)
    if path in cell.files and author.random.random() < 0.4:
        del cell.files[path]
        return f"{name}: {path} removed", {name: Impact.live}
    cell.files[path] = world.version()
    return f"{name}: {path} is {cell.files[path]}", {name: Impact.live}


def settings(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    cell.word = world.version()
    return f"{name}: settings of a unit, {cell.word}", {name: Impact.restart_unit}


def read_again(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    cell.more = world.version()
    return f"{name}: settings that a unit reads again, {cell.more}", {name: Impact.reload}


def unit(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    cell.unit = world.version()
    return f"{name}: the unit itself, {cell.unit}", {name: Impact.restart_unit}


def user(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    who = author.random.choice(("eve", "fay"))
    return f"{name}: user {who} {author.toggle(cell.users, who)}", {name: Impact.restart_unit}  # that makes homes


def image(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    cell.image = IMAGES[1 - IMAGES.index(cell.image)]
    return f"{name}: image {cell.image}", {name: anew(cell)}


def root(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    cell.size = author.random.choice([v for v in (48, 56, 64) if v != cell.size])
    return f"{name}: root of {cell.size} MB", {name: anew(cell)}


def anew(cell: Cell) -> Impact:
    return Impact.beside if cell.stateless else Impact.restart


def number(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    taken = {other.last for other in world.cells.values()}
    cell.last = author.random.choice([v for v in range(11, 19) if v not in taken])
    return f"{name}: address 10.0.9.{cell.last}", {name: Impact.restart}


def come_or_go(author: Author, world: World) -> Said | None:
    name = author.random.choice(NAMES)
    if name in world.cells:
        if len(world.cells) < 3:
            return None
        del world.cells[name]
        behind = [other for other, cell in world.cells.items() if cell.after == name]
        for other in behind:
            world.cells[other].after = ""
        return f"{name} removed", dict.fromkeys(behind, Impact.live)
    taken = {cell.last for cell in world.cells.values()}
    last = author.random.choice([v for v in range(11, 19) if v not in taken])
    world.cells[name] = Cell(last, stateless=name == "ben", word=world.version())
    return f"{name} added", {}


def order(author: Author, world: World) -> Said | None:
    names = list(world.cells)
    place = author.random.randrange(1, len(names))
    cell = world.cells[names[place]]
    cell.after = "" if cell.after else author.random.choice(names[:place])
    return f"{names[place]}: after {cell.after or 'nobody'}", {names[place]: Impact.live}


def described(author: Author, world: World) -> Said:
    name, cell = author.some(world)
    cell.note = world.version()
    return f"{name}: description {cell.note}", {name: Impact.live}


def of_the_host(author: Author, world: World) -> Said:
    what = author.random.choice(("sysctl", "file", "user"))
    if what == "user":
        return f"user gil of the host {author.toggle(world.users, 'gil')}", {}
    key, values = ("net.ipv4.tcp_fin_timeout", world.sysctls) if what == "sysctl" else ("/etc/crash.conf", world.files)
    if key in values and author.random.random() < 0.3:
        del values[key]
        return f"{key} of the host removed", {}
    values[key] = world.version() if what == "file" else author.random.choice([v for v in (40, 45, 55) if v])
    return f"{key} of the host is {values[key]}", {}


EDITS: tuple[Callable[[Author, World], Said | None], ...] = (
    limit, forward, bind, plain_file, settings, read_again, unit, user, image, root, number, come_or_go, order,
    described, of_the_host,
)  # fmt: skip
