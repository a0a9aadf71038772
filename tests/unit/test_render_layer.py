"""Accounts, hooks and references of a configuration layer."""

import pytest

from eyas import User
from eyas.core.errors import DefinitionError
from eyas.render.accounts import account_entries, user_id
from eyas.render.entries import Entry, install_links, layer_digest, link, manifest, merge, text
from eyas.render.refs import Names

FACTS = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:103::/var/lib/postgresql:/bin/bash\n",
    "group": "root:x:0:\nsudo:x:27:\nshadow:x:42:\npostgres:x:103:\n",
    "shadow": "root:*:1:0:99999:7:::\npostgres:!:1::::::\n",
    "gshadow": "root:*::\nsudo:*::\nshadow:*::\npostgres:!::\n",
}


def somebody(name: str, uid: int, groups: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> User:
    return User(name, uid, groups=groups, keys=keys)


def content(entries: list[Entry], path: str) -> str:
    return str(next(e["content"] for e in entries if e["path"] == path))


def test_user_is_added_to_the_accounts_of_the_packages() -> None:
    entries = account_entries(FACTS, [somebody("ann", 1001, ("sudo",), keys=("ssh-ed25519 AAAA ann",))])
    assert "ann:x:1001:1001::/home/ann:/bin/bash\n" in content(entries, "/etc/passwd")
    assert "postgres:x:101:103" in content(entries, "/etc/passwd")
    assert "sudo:x:27:ann\n" in content(entries, "/etc/group")
    assert "ann:*:" in content(entries, "/etc/shadow")
    assert content(entries, "/etc/ssh/authorized_keys.d/ann") == "ssh-ed25519 AAAA ann\n"
    shadow = next(e for e in entries if e["path"] == "/etc/shadow")
    assert (shadow["mode"], shadow["gid"]) == (0o640, 42)


def test_without_users_the_accounts_of_the_packages_stay_as_they_are() -> None:
    assert account_entries(FACTS, []) == []


def test_ids_of_groups_that_nobody_has_do_not_depend_on_order() -> None:
    ann, bob = somebody("ann", 1001, ("dev",)), somebody("bob", 1002, ("ops",))
    first = content(account_entries(FACTS, [ann, bob]), "/etc/group")
    second = content(account_entries(FACTS, [bob, ann]), "/etc/group")
    assert "dev:x:60000:ann" in first
    assert "dev:x:60000:ann" in second
    assert "ops:x:60001:bob" in first
    assert "ops:x:60001:bob" in second


def test_user_id_by_package_by_definition_by_number() -> None:
    assert user_id(FACTS, [], "postgres") == 101
    assert user_id(FACTS, [somebody("ann", 1001)], "ann") == 1001
    assert user_id(FACTS, [], 7) == 7
    assert user_id(FACTS, [], "nobody-here") is None


def test_install_section_gives_links() -> None:
    unit = "[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=multi-user.target\nAlias=other.service\n"
    base = "/etc/systemd/system"
    assert install_links("x.service", unit) == [
        (f"{base}/multi-user.target.wants/x.service", f"{base}/x.service"),
        (f"{base}/other.service", f"{base}/x.service"),
    ]


def test_what_a_user_declares_wins_over_what_eyas_adds() -> None:
    merged = merge([text("/a", "ours"), text("/b", "ours")], [link("/a", "/theirs")])
    assert [e["path"] for e in merged] == ["/a", "/b"]
    assert merged[0]["type"] == "link"


def test_hooks_change_the_manifest_and_not_the_layer() -> None:
    plain, hooked = [text("/a", "x")], [text("/a", "x", reload=["nginx.service"])]
    assert layer_digest(plain) == layer_digest(hooked)
    assert manifest(plain) != manifest(hooked)
    assert layer_digest(plain) != layer_digest([text("/a", "x", mode=0o600)])


def test_reference_is_filled() -> None:
    names = Names({"postgres": {"address": "10.0.5.50"}})
    assert names.fill("host=@{postgres.address};", "fleet.py:3") == "host=10.0.5.50;"
    assert names.fill(b"\x00@{postgres.address}", "fleet.py:3") == b"\x00@{postgres.address}"


def test_a_line_goes_with_an_address_that_may_be_missing() -> None:
    names = Names({"old": {"address": "10.0.5.50"}, "new": {"address": "10.0.5.51", "address6": "fd00:5::51"}})
    assert names.fill("allow @{old.address6?};\nallow @{new.address6?};\ndeny all;\n", "fleet.py:3") == (
        "allow fd00:5::51;\ndeny all;\n"
    )
    for line in ("allow @{old.address6};", "allow @{nobody.address6?};", "allow @{old.adress?};"):
        with pytest.raises(DefinitionError):
            names.fill(line, "fleet.py:3")


def test_reference_to_nothing_names_the_line_and_the_nearest_name() -> None:
    names = Names({"postgres": {"address": "10.0.5.50"}})
    with pytest.raises(DefinitionError) as caught:
        names.fill("@{postgre.address}", "fleet.py:3")
    (finding,) = caught.value.diagnostics
    assert (finding.file, finding.line) == ("fleet.py", 3)
    assert "'postgres'" in finding.hint
