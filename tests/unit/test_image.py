"""Recipes, sources, locks and keys: all that is known of an image before anything is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eyas.core.errors import Failed
from eyas.image import BASE_PACKAGES, Lock, Recipe, difference, key, read_lock, write_lock
from eyas.image.apt import stanzas
from eyas.image.known import View, gather, install_links, installed, parse_install
from eyas.image.layering import Cut, cut, layer_names
from eyas.image.lock import Deb, Fetched, Layer, Locked
from eyas.image.npm import locked_files, split_requirement
from eyas.image.pip import launchers
from eyas.image.sources import machine_archive, parse_deb822, parse_lines
from eyas.image.stages import stages

WEB = Recipe("web", packages=("nginx", "curl"), shared=("curl",))


def deb(name: str, version: str = "1", digest: str = "") -> Deb:
    return Deb(name, version, "amd64", digest or f"{name}{version}".encode().hex(), 10, f"pool/{name}.deb")


def lock_for(*recipes: Recipe, **versions: str) -> Lock:
    """A lock in which each request brings exactly the packages that it names."""
    layers: dict[str, Layer] = {}
    packages: dict[str, Deb] = {}
    images: dict[str, Locked] = {}
    for recipe in recipes:
        names = layer_names(recipe.suite, recipe.requests())
        for depth, (name, request) in enumerate(zip(names, recipe.requests(), strict=True)):
            debs = [deb(each, versions.get(each, "1")) for each in request]
            packages.update((each.id, each) for each in debs)
            parent = names[depth - 1] if depth else ""
            layers[name] = Layer(parent, recipe.suite, request, tuple(each.id for each in debs))
        images[recipe.name] = Locked(names, npm_request=recipe.npm, pip_request=recipe.pip)
    return Lock("amd64", images, layers, packages)


def test_a_recipe_has_a_layer_for_the_base_for_what_is_shared_and_for_its_own() -> None:
    assert WEB.requests() == (tuple(sorted(BASE_PACKAGES)), ("curl",), ("nginx",))


def test_what_the_base_has_is_not_asked_for_again() -> None:
    assert Recipe("a", packages=("apt", "dbus")).requests() == (tuple(sorted(BASE_PACKAGES)),)


def own(cuts: dict[str, Cut], name: str) -> Cut:
    """An image's layers above the base and what it was declared to share."""
    return tuple(request for request in cuts[name][1:] if request != ("curl",))


def image(name: str, *packages: str) -> Recipe:
    return Recipe(name, packages=packages, shared=("curl",))


FLEET = [
    image("web", "ssh", "sudo", "nginx"),
    image("db", "ssh", "sudo", "postgresql"),
    image("repo", "ssh", "sudo", "nginx", "rsync"),
    image("files", "ssh", "sudo", "nginx", "samba"),
    image("runner", "docker.io"),
]


def test_what_three_images_have_in_common_is_a_layer() -> None:
    cuts = cut(FLEET, Lock())
    assert own(cuts, "db") == (("ssh", "sudo"), ("postgresql",))
    assert own(cuts, "web") == (("ssh", "sudo"), ("nginx",))
    assert own(cuts, "repo") == (("ssh", "sudo"), ("nginx",), ("rsync",))
    assert own(cuts, "runner") == (("docker.io",),)


def test_what_two_images_have_in_common_is_not_worth_a_layer() -> None:
    cuts = cut([image("a", "ssh", "nginx"), image("b", "ssh", "rsync")], Lock())
    assert own(cuts, "a") == (("nginx", "ssh"),)


def test_a_later_image_joins_the_layers_that_fit_and_moves_none() -> None:
    lock = cut_lock(FLEET)
    later = image("late", "ssh", "sudo", "nginx", "cowsay")
    assert own(cut([later], lock), "late") == (("ssh", "sudo"), ("nginx",), ("cowsay",))
    assert all(lock.holds(recipe) for recipe in FLEET)
    assert not lock.holds(replace(FLEET[0], packages=("ssh", "nginx")))
    assert not lock.holds(replace(FLEET[0], suite="sid"))


def cut_lock(recipes: list[Recipe]) -> Lock:
    """A lock with the layers of these recipes and no packages in them."""
    images, layers = {}, {}
    for name, each in cut(recipes, Lock()).items():
        names = layer_names("trixie", each)
        images[name] = Locked(names)
        layers.update({n: Layer(p, "trixie", r, ()) for n, p, r in zip(names, ("", *names), each, strict=False)})
    return Lock("amd64", images, layers)


def test_a_lock_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    lock = lock_for(replace(WEB, npm=("left-pad@1",)), Recipe("base"))
    lock = replace(lock, images={**lock.images, "old": Locked(tarball="ab" * 32)})
    write_lock(tmp_path / "eyas.lock", lock)
    assert read_lock(tmp_path / "eyas.lock") == lock


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "eyas.lock") == Lock()


@pytest.mark.parametrize("text", ["{", '{"version": 99}', '{"version": 1, "arch": "amd64"}'])
def test_a_lock_that_cannot_be_understood_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "eyas.lock").write_text(text)
    with pytest.raises(Failed, match="cannot read"):
        read_lock(tmp_path / "eyas.lock")


def test_the_file_has_each_package_once_on_a_line_of_its_own(tmp_path: Path) -> None:
    write_lock(tmp_path / "eyas.lock", lock_for(WEB, Recipe("db", packages=("curl",), shared=("curl",))))
    lines = (tmp_path / "eyas.lock").read_text().splitlines()
    assert sum("pool/curl.deb" in line for line in lines) == 1


def test_a_key_needs_a_lock() -> None:
    with pytest.raises(Failed, match=r"eyas\.lock does not have it"):
        key(WEB, Lock())


def test_a_key_says_what_is_in_an_image_and_not_what_it_is_called() -> None:
    renamed = replace(WEB, name="front", origins={"nginx": "fleet.py:3"})
    assert key(WEB, lock_for(WEB)) == key(renamed, lock_for(renamed))
    assert key(WEB, lock_for(WEB)) != key(WEB, lock_for(WEB, nginx="2"))
    assert key(WEB, lock_for(WEB)) != key(WEB, lock_for(WEB, apt="2"))


def test_another_image_in_the_lock_changes_no_key() -> None:
    other = Recipe("db", packages=("postgresql", "curl"), shared=("curl",))
    assert key(WEB, lock_for(WEB)) == key(WEB, lock_for(other, WEB))


def test_npm_and_tarballs_have_their_part_in_the_key() -> None:
    recipe = replace(WEB, npm=("pg@8",))
    lock = lock_for(recipe)
    image = lock.images["web"]
    one = replace(lock, images={"web": replace(image, npm=(Fetched("pg", "8.1", "sha512-AA==", "", "p"),))})
    two = replace(lock, images={"web": replace(image, npm=(Fetched("pg", "8.2", "sha512-AB==", "", "p"),))})
    assert key(recipe, one) != key(recipe, two)
    assert [stage.kind for stage in stages(recipe, one)] == ["base", "debs", "debs", "npm"]
    ball = Recipe("old", kind="tarball", tarball="/x.tar")
    locks = [Lock(images={"old": Locked(tarball=digest)}) for digest in ("aa", "bb")]
    assert key(ball, locks[0]) != key(ball, locks[1])


def test_the_difference_of_two_locks_names_versions_and_images() -> None:
    other = Recipe("db", packages=("curl",), shared=("curl",))
    moved = difference(lock_for(WEB, other), lock_for(WEB, other, curl="2"))
    assert [(m.name, m.old, m.new, m.images) for m in moved] == [("curl", "1", "2", ("db", "web"))]
    assert moved[0].text() == "curl 1 -> 2  (db, web)"
    added = difference(lock_for(WEB), lock_for(replace(WEB, packages=("curl", "nginx", "less"))))
    assert [(m.name, m.old, m.new) for m in added] == [("less", "", "1")]


def test_what_no_image_needs_leaves_the_lock() -> None:
    other = Recipe("db", packages=("postgresql",))
    assert lock_for(WEB, other).pruned({"web"}) == lock_for(WEB)


SOURCES = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example.org/debian/
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example.org/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example.org/debian
Suites: trixie
Components: main
"""


def test_the_machines_own_mirror_is_used(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text(SOURCES)
    (parts / "a.list").write_text("deb [signed-by=/k.gpg] http://other.example.org/debian bookworm main\n")
    archive = machine_archive(tmp_path)
    assert archive.main == "http://mirror.example.org/debian"
    assert archive.security == "http://mirror.example.org/debian-security"
    assert [line.split(" ", 2)[2] for line in archive.lines("trixie")] == [
        "http://mirror.example.org/debian trixie main",
        "http://mirror.example.org/debian trixie-updates main",
        "http://mirror.example.org/debian-security trixie-security main",
    ]


def test_one_line_sources_are_understood(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb http://m.example.org/debian trixie main # x\n"
        "#deb http://no.example.org/ trixie main\n"
        "deb [arch=amd64] http://s.example.org/debian-security trixie-security main\n"
    )
    archive = machine_archive(tmp_path)
    assert (archive.main, archive.security) == ("http://m.example.org/debian", "http://s.example.org/debian-security")


def test_a_machine_without_debian_sources_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://example.org/tool stable main-tool\n")
    with pytest.raises(Failed, match="cannot find a Debian archive"):
        machine_archive(tmp_path)


def test_sources_keep_their_fields() -> None:
    first = next(iter(parse_deb822(SOURCES)))
    assert (first.suite, first.components) == ("bookworm", ("main", "contrib"))
    assert not list(parse_lines("deb-src http://a/ b c"))


def test_control_stanzas_are_read_with_their_continuation_lines() -> None:
    text = "Package: a\nVersion: 1\nDepends: b,\n c\nDescription: x\n long\n\nPackage: b\nVersion: 2\n"
    assert list(stanzas(text)) == [
        {"Package": "a", "Version": "1", "Depends": "b, c", "Description": "x"},
        {"Package": "b", "Version": "2"},
    ]


@pytest.mark.parametrize(
    ("unit", "section", "links"),
    [
        ("nginx.service", "WantedBy=multi-user.target", ["multi-user.target.wants/nginx.service"]),
        ("a.service", "WantedBy=x.target\nWantedBy=\nWantedBy=y.target", ["y.target.wants/a.service"]),
        ("ssh.service", "WantedBy=m.target\nAlias=sshd.service", ["m.target.wants/ssh.service", "sshd.service"]),
        ("getty@.service", "WantedBy=g.target\nDefaultInstance=tty1", ["g.target.wants/getty@tty1.service"]),
        ("veth@.service", "WantedBy=g.target", []),
        ("r.service", "RequiredBy=a.target b.target", ["a.target.requires/r.service", "b.target.requires/r.service"]),
        ("s.service", "", []),
    ],
)
def test_what_enabling_a_unit_links(unit: str, section: str, links: list[str]) -> None:
    text = f"[Unit]\nWantedBy=no\n[Install]\n{section}\n"
    assert install_links(unit, parse_install(text)) == [f"etc/systemd/system/{link}" for link in links]


def test_facts_of_a_tree_in_two_parts(tmp_path: Path) -> None:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    units, wants = "usr/lib/systemd/system", "etc/systemd/system/multi-user.target.wants"
    for root, folders in ((lower, (units, "etc", "var/lib/dpkg")), (upper, (units, wants, "etc"))):
        for folder in folders:
            (root / folder).mkdir(parents=True, exist_ok=True)
    (lower / "etc/passwd").write_text("root:x:0:0\n")
    (upper / "etc/passwd").write_text("root:x:0:0\nwww:x:33:33\n")
    (lower / units / "old.service").write_text("[Install]\nWantedBy=multi-user.target\n")
    (upper / units / "web.service").write_text("[Install]\nWantedBy=multi-user.target\n")
    (upper / wants / "web.service").symlink_to("/usr/lib/systemd/system/web.service")
    (upper / "etc/systemd/system/old.service").symlink_to("/dev/null")
    (lower / "var/lib/dpkg/status").write_text(
        "Package: a\nStatus: install ok installed\nVersion: 1\n\n"
        "Package: b\nStatus: deinstall ok config-files\nVersion: 2\n"
    )
    view = View(upper, lower)
    facts = gather(view)
    assert facts["passwd"].count("\n") == 2
    assert sorted(facts["units"]) == ["old.service", "web.service"]
    assert (facts["enabled"], facts["masked"]) == (["web.service"], ["old.service"])
    assert installed(view) == {"a": "1"}


def test_npm_requirements_may_have_a_scope() -> None:
    assert split_requirement("pg@8.x") == ("pg", "8.x")
    assert split_requirement("@isaacs/cliui@^8") == ("@isaacs/cliui", "^8")
    assert split_requirement("left-pad") == ("left-pad", "*")


def test_of_a_package_lock_only_what_is_for_this_system_is_taken() -> None:
    packages = {
        "": {"name": "eyas"},
        "node_modules/a": {"version": "1.0.0", "integrity": "sha512-AA=="},
        "node_modules/cjs": {"version": "2.0.0", "integrity": "sha512-AA==", "name": "@s/real"},
        "node_modules/mac": {"version": "1.0.0", "integrity": "sha512-AA==", "os": ["darwin"]},
        "node_modules/notwin": {"version": "1.0.0", "integrity": "sha512-AA==", "os": ["!win32"]},
        "node_modules/musl": {"version": "1.0.0", "integrity": "sha512-AA==", "libc": ["musl"]},
        "node_modules/dev": {"version": "1.0.0", "integrity": "sha512-AA==", "dev": True},
    }
    found = {file.path: file.url for file in locked_files({"packages": packages})}
    assert found == {
        "node_modules/a": "a/-/a-1.0.0.tgz",
        "node_modules/cjs": "@s/real/-/real-2.0.0.tgz",
        "node_modules/notwin": "notwin/-/notwin-1.0.0.tgz",
    }


def test_a_package_from_no_registry_is_refused() -> None:
    with pytest.raises(Failed, match="does not come from a registry"):
        locked_files({"packages": {"node_modules/a": {"version": "1", "resolved": "git+ssh://x"}}})


def test_programs_of_a_wheel() -> None:
    text = launchers("[console_scripts]\nflask = flask.cli:main\nx=a.b:c.d [extra]\n[gui]\ny=z:w\n")
    assert sorted(text) == ["flask", "x"]
    assert "from a.b import c" in text["x"]
    assert "sys.exit(c.d())" in text["x"]
