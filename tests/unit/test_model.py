"""The definitions: what they take, what they remember, what they refuse."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field
from pydantic_core import PydanticUndefined

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
    Link,
    Probe,
    Root,
    Site,
    System,
    Unit,
    Uplink,
    User,
)
from eyas.core.errors import DefinitionError
from eyas.core.words import Impact
from eyas.model import MODELS, impacts, merged
from eyas.model.base import Thing
from eyas.model.schema import ordered

BASE = Image.debian(packages=["curl"])


def line() -> int:
    """The line before the one that asks."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno - 1


def place(origin: str) -> tuple[str, int]:
    file, _, number = origin.rpartition(":")
    return Path(file).name, int(number)


def container(name: str = "web", last: int = 10, **more: Any) -> Container:
    return Container(name, f"10.0.5.{last}", BASE, **more)


def host(*containers: Container, bridge: Bridge | None = None) -> Host:
    bridge = bridge or Bridge("br0", "10.0.5.1/24", "fd00:5::1/64")
    return Host("alpha", Uplink("eth0", "203.0.113.10/26"), bridge, containers)


# --- values


@pytest.mark.parametrize(
    ("given", "size"),
    [("2G", 2 << 30), ("512M", 512 << 20), ("1.5G", 3 << 29), ("64KiB", 64 << 10), ("100", 100), (4096, 4096)],
)
def test_sizes(given: str | int, size: int) -> None:
    assert Limits(memory=given).memory == size


@pytest.mark.parametrize(
    ("given", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2min", 120), (5, 5), ("7", 7)]
)
def test_durations(given: str | int, seconds: int) -> None:
    assert Probe.tcp(80, timeout=given).timeout == seconds


@pytest.mark.parametrize("given", ["", "G", "2X", "-1G", 0, -5, True, 1.5, None, "2 G B"])
def test_no_sizes(given: Any) -> None:
    with pytest.raises(DefinitionError):
        Root(size=given)


def test_processors() -> None:
    assert Limits(cpus=2).cpu_quota == 200
    assert Limits(cpus=0.5).cpu_quota == 50
    assert Limits().cpu_quota is None


def test_paths_are_normal() -> None:
    bind = Bind("/data//web/", "/srv/")
    assert (bind.source, bind.target) == ("/data/web", "/srv")
    assert Bind("/home").target == "/home"


def test_forwards_lead_to_the_same_port() -> None:
    assert Forward(80).target == 80
    assert Forward(222, to=22).target == 22
    assert Forward(443, "udp").proto == "udp"


def test_edges_take_containers_and_names() -> None:
    database = container("database", 50)
    web = container(after=[database, "cache"], needs=["cache"], restart_with=(x for x in [database]))
    assert (web.after, web.needs, web.restart_with) == (("database", "cache"), ("cache",), ("database",))
    assert web.edges == ("database", "cache")


def test_a_port_of_a_container() -> None:
    assert Site("a.example.org", to=container().port(80)).to.port == 80
    backend = container().port(8080)
    assert (backend.container, backend.port, str(backend)) == ("web", 8080, "10.0.5.10:8080")


def test_texts_become_files_and_units() -> None:
    part = System(files={"/etc/a": "x", "/etc/b": b"\0", "/etc/c": Link("a")}, units={"a.service": "[Service]\n"})
    assert part.files["/etc/a"] == File("x")
    assert part.files["/etc/c"] == Link("a")
    assert part.units["a.service"] == Unit("[Service]\n", enable=True)


def test_a_function_stands_for_its_part() -> None:
    def part() -> System:
        return System(packages=["vim"])

    assert container(parts=[part]).parts == (System(packages=["vim"]),)


# --- places


@pytest.mark.parametrize(
    ("bridge", "address", "expected", "uid"),
    [
        (Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), "10.0.5.50", ("10.0.5.50/24", "fd00:5::50/64"), 50),
        (Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), "10.0.5.100", ("10.0.5.100/24", "fd00:5::100/64"), 100),
        (Bridge("br0", "10.0.0.1/16", "fd00:5::1/64"), "10.0.5.50", ("10.0.5.50/16", "fd00:5::5:50/64"), 1330),
        (Bridge("br0", "10.0.5.1/24"), "10.0.5.50", ("10.0.5.50/24", None), 50),
    ],
)
def test_addresses(bridge: Bridge, address: str, expected: tuple[str, str | None], uid: int) -> None:
    web = Container("web", address, BASE)
    found = host(web, bridge=bridge).place(web)
    assert (found.address4, found.address6) == expected
    assert found.gateway4 == bridge.address.partition("/")[0]
    assert found.gateway6 == ("fd00:5::1" if bridge.address6 else None)
    assert found.uid_base == 65536 * (8192 + uid)


def test_ipv6_can_be_chosen_and_refused() -> None:
    chosen, without = container(ipv6="fd00:5::abc"), container(ipv6=False)
    assert host().place(chosen).address6 == "fd00:5::abc/64"
    assert (host().place(without).address6, host().place(without).gateway6) == (None, None)


# --- origins


def test_objects_know_their_line() -> None:
    web = container(binds=[Bind("/home")])
    here = line()
    assert place(web.binds[0].origin) == (Path(__file__).name, here)
    assert place(web.origin)[1] < here, "made in the function above"


def test_statement_tells_things_of_one_function_apart(tmp_path: Path) -> None:
    from eyas.model import load

    (tmp_path / "fleet.py").write_text(
        "from eyas import *\n"
        "def ours(name, last):\n"
        "    return Container(name, f'10.0.5.{last}', Image.debian())\n"
        "web = ours('web', 10)\n"
        "wiki = ours('wiki', 11)\n"
        "fleet = Fleet(Host('alpha', Uplink('eth0', '203.0.113.10/26'), Bridge('br0', '10.0.5.1/24'), [web, wiki]))\n"
    )
    web, wiki = load(tmp_path).fleet.hosts[0].containers
    assert (web.origin, web.statement) == ("fleet.py:3", "fleet.py:4")
    assert (wiki.origin, wiki.statement) == ("fleet.py:3", "fleet.py:5")


def test_packages_know_their_line() -> None:
    first = Image.debian(packages=["curl"])
    one = line()
    second = first.add(packages=["vim", "curl"])
    two = line()
    part = System(packages=["git"], files={"/etc/x": "x"})
    three = line()
    origins = merged(Container("web", "10.0.5.10", second, parts=[part])).origins
    lines = {key: place(origin)[1] for key, origin in origins.items()}
    assert lines == {"package:curl": one, "package:vim": two, "package:git": three, "file:/etc/x": three}
    assert second.packages == ("curl", "vim")


def test_origins_do_not_count_when_comparing() -> None:
    one = System(packages=["vim"])
    other = System(packages=["vim"])
    assert one.origin != other.origin
    assert one == other
    assert hash(one) == hash(other)


# --- freezing and changing


def test_things_are_frozen() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        container().address = "10.0.5.11"  # type: ignore[misc]


def test_with_changes_a_copy() -> None:
    web = container(limits=Limits(memory="1G"), after=["database"])
    more = web.with_(limits=Limits(memory="2G"))
    assert (more.limits.memory, more.after, web.limits.memory) == (2 << 30, ("database",), 1 << 30)
    both = Fleet(host(web, container("wiki", 11)))
    assert [c.name for c in both.hosts[0].without("web").containers] == ["wiki"]
    assert both.with_(hosts=()).hosts == ()
    with pytest.raises(DefinitionError):
        web.with_(colour="red")


# --- merging


def test_parts_merge() -> None:
    base = Image.debian(packages=["curl"], npm=["left"])
    one = System(packages=["vim", "curl"], enable=["a.service"], users=[User("ann", 2001)], grants=["tun"])
    two = System(packages=["git"], binds=[Bind("/home")], probes=[Probe.tcp(80)], tmpfiles=["d /run/x"])
    web = Container("web", "10.0.5.10", base, parts=[one, two], packages=["less"], grants=["tun", "loop"])
    total = merged(web)
    assert total.packages == ("curl", "vim", "git", "less")
    assert total.npm == ("left",)
    assert total.grants == ("tun", "loop")
    assert (total.enable, total.tmpfiles) == (("a.service",), ("d /run/x",))
    assert total.binds == (Bind("/home"),)
    assert total.probes == (Probe.tcp(80),)
    assert [user.name for user in total.users] == ["ann"]
    assert total.origin == web.origin


def test_one_file_said_twice_alike_is_fine() -> None:
    part = System(files={"/etc/x": "x"}, users=[User("ann", 2001)])
    again = System(files={"/etc/x": "x"}, users=[User("ann", 2001)])
    assert len(merged(container(parts=[part, again], files={"/etc/x": "x"})).files) == 1


def test_a_disagreement_is_refused_with_both_origins() -> None:
    one, two = System(files={"/etc/x": "one"}), System(files={"/etc/x": Link("two")})
    with pytest.raises(DefinitionError) as caught:
        merged(container(parts=[one, two]))
    (finding,) = caught.value.diagnostics
    assert one.files["/etc/x"].origin in finding.message
    assert two.files["/etc/x"].origin in finding.message


@pytest.mark.parametrize("order", [1, -1])
def test_the_one_that_says_so_wins(order: int) -> None:
    parts = [System(files={"/etc/x": "one"}), System(files={"/etc/x": File("two", override=True)})][::order]
    file = merged(container(parts=parts)).files["/etc/x"]
    assert isinstance(file, File)
    assert file.content == "two"


# --- refusing


def test_all_errors_of_one_call_come_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        Container("Web", "10.0.5.999", "debian", memroy=1)  # type: ignore[arg-type, call-arg]
    assert {finding.field for finding in caught.value.diagnostics} == {
        "Container.name", "Container.address", "Container.image", "Container.memroy",
    }  # fmt: skip
    assert all(finding.file.endswith("test_model.py") for finding in caught.value.diagnostics)
    assert "Container.name" in str(caught.value.__notes__)


def test_a_mapping_is_no_object() -> None:
    with pytest.raises(DefinitionError):
        container(limits={"memory": "2G"})
    with pytest.raises(DefinitionError):
        container(binds=[{"source": "/home"}])


# --- the classes themselves


def test_a_field_without_a_cost_does_not_load() -> None:
    with pytest.raises(TypeError, match=r"Broken\.colour does not say what its change costs"):

        class Broken(Thing):
            name: Annotated[str, Impact.live] = Field(description="x")
            colour: str = Field(description="x")


def test_every_field_is_described_and_costed() -> None:
    for cls in MODELS:
        assert cls.__doc__
        for name, field in cls.model_fields.items():
            assert field.description, f"{cls.__name__}.{name}"
    assert impacts()["Limits"]["memory"] is Impact.live
    assert impacts()["Container"]["grants"] is Impact.restart


@pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.__name__)
def test_what_editors_are_told_is_true(cls: type[Thing]) -> None:
    """The signature for type checkers says the same as the fields: names, order, what is required, defaults."""
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    init = next(n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    rest = [init.args.vararg.arg] if init.args.vararg else []
    assert rest == ([cls.variadic] if cls.variadic else [])
    given = [a.arg for a in init.args.args[1:]]
    assert tuple(given) == cls.positional
    assert given + rest + [a.arg for a in init.args.kwonlyargs] == ordered(cls)
    defaults: list[ast.expr | None] = [*init.args.defaults]
    defaults = [None] * (len(given) - len(defaults)) + defaults + list(init.args.kw_defaults)
    for name, default in zip((name for name in ordered(cls) if name not in rest), defaults, strict=True):
        field = cls.model_fields[name]
        assert field.is_required() == (default is None), name
        if default is not None and field.default is not PydanticUndefined:
            said = eval(ast.unparse(default))
            assert said in (field.default, None) or (name, said) == ("size", "2G"), name


def test_eyas_alone_loads_no_pydantic() -> None:
    program = "import sys, eyas; print('pydantic' in sys.modules); eyas.Container; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_type_checkers_help(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(
        "from eyas import Bind, Container, Image, Limits\n"
        "base = Image.debian()\n"
        "a = Container('a', '10.0.5.2', base, limits=Limits(memory='2G', cpus=2), binds=[Bind('/home')])\n"
        "b = Container('b', '10.0.5.3', base, after=[a, 'c'], stop_timeout='5s')\n"
    )
    bad.write_text(
        "from eyas import Container, Image, Limits\n"
        "a = Container('a', '10.0.5.2', Image.debian(), limit=Limits())\n"
        "b = Container('b', 10, Image.debian())\n"
        "c = Limits(memory=[1])\n"
        "b.name = 'd'\n"
    )
    run = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*run, str(good), str(bad)], capture_output=True, text=True, check=False)
    lines = {text.split(":")[1] for text in done.stdout.splitlines() if "bad.py" in text and "error" in text}
    assert lines == {"2", "3", "4", "5"}, done.stdout + done.stderr
    assert "good.py" not in done.stdout
