"""Certificates: what definitions may say, what a run does, what is told of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from eyas.apply.journal import Runs
from eyas.apply.run import apply
from eyas.core import paths
from eyas.core.errors import DefinitionError, Failed
from eyas.core.words import Json, Resource
from eyas.kind import observe
from eyas.kind.certificate import place
from eyas.kind.certificate.renew import listing, renew, renew_due, revoke
from eyas.model import (
    Acme,
    Bridge,
    Certificate,
    Container,
    Dns,
    Fleet,
    Forward,
    Host,
    Image,
    Site,
    System,
    Uplink,
    Zone,
)
from eyas.model.rules import check
from eyas.parts import front
from eyas.parts.front_tls import own_names, tls_lines, uses_of
from eyas.plan import plan
from eyas.status.certificates import DAY, rows
from tests.world import Killed, World, differences

ZONE = Zone("example.org", server="203.0.113.53", key="/etc/keys/example.org")
BY_DNS = Acme("https://ca.example/dir", challenge=Dns(ZONE))
BASE = Image.debian("trixie")


def fields(*names: str, reload: tuple[str, ...] = ("app.service",), **more: Json) -> dict[str, Json]:
    users: list[Json] = [{"container": "app", "reload": [*reload]}]
    found: dict[str, Json] = {
        "names": [*names], "directory": "https://ca.example/dir", "email": None, "ca": None,
        "challenge": {"zones": [{"name": "example.org", "program": "/plug"}], "wait": 1}, "users": users, "fronts": [],
    }  # fmt: skip
    return found | more


def wanted(**certificates: dict[str, Json]) -> dict[str, Resource]:
    return {f"certificate:{n}": Resource(f"certificate:{n}", "certificate", "app", f) for n, f in certificates.items()}


class Ground:
    """A host in memory, and runs towards what is wanted."""

    def __init__(self, folder: Any) -> None:
        self.world = World()
        self.runs = Runs(str(folder / "runs"))

    def apply(self, desired: dict[str, Resource]) -> str:
        made = plan(desired, observe(self.world), "h")
        return str(apply(made, desired, self.world, self.runs, threads=False).result)

    def settled(self, desired: dict[str, Resource]) -> bool:
        return not plan(desired, observe(self.world), "h")

    def pairs(self, name: str) -> list[str]:
        return [e for e in self.world.files.list(paths.certificate(name)) if e.startswith((place.MADE, place.SELF))]


@pytest.fixture
def ground(tmp_path: Any) -> Iterator[Ground]:
    return Ground(tmp_path)


def test_a_run_gets_one_and_shows_it(ground: Ground) -> None:
    desired = wanted(web=fields("a.example.org"))
    assert ground.apply(desired) == "kept"
    assert ground.world.certificates.issued == [("a.example.org",)]
    pair = place.current(ground.world, "web")
    assert ground.world.files.readlink(f"{paths.shown('app')}/web/current") == pair
    assert ground.world.files.read(f"{paths.shown('app')}/web/{pair}/key.pem") == b"key"
    assert ground.settled(desired)


def test_another_name_is_another_order_and_fewer_are_none(ground: Ground) -> None:
    ground.apply(wanted(web=fields("a.example.org", "b.example.org")))
    ground.apply(wanted(web=fields("a.example.org")))
    assert len(ground.world.certificates.issued) == 1
    ground.apply(wanted(web=fields("a.example.org", "c.example.org")))
    assert len(ground.world.certificates.issued) == 2
    assert len(ground.pairs("web")) == 1


def test_a_refusal_leaves_everything_as_it_was(ground: Ground) -> None:
    ground.apply(wanted(web=fields("a.example.org")))
    before = ground.world.photograph()
    worse = wanted(web=fields("a.example.org", "refused.example.org"), mail=fields("m.example.org"))
    assert ground.apply(worse) == "undone"
    assert list(differences(before, ground.world.photograph())) == []
    issued = len(ground.world.certificates.issued)
    assert ground.apply(wanted(web=fields("a.example.org"), mail=fields("m.example.org"))) == "kept"
    assert len(ground.world.certificates.issued) == issued, "what was issued in vain is used now"


def test_what_is_declared_no_more_goes_and_comes_back_without_an_order(ground: Ground) -> None:
    both = wanted(web=fields("a.example.org"), mail=fields("m.example.org"))
    ground.apply(both)
    ground.apply(wanted(web=fields("a.example.org")))
    assert place.names(ground.world) == ["web"]
    assert ground.world.files.list(paths.shown("app")) == ["challenges", "web"]
    ground.apply(both)
    assert len(ground.world.certificates.issued) == 2


def test_nobody_up_is_a_placeholder_and_a_refusal_at_the_end(ground: Ground) -> None:
    """A front that does not come up, or does not answer: the run ends, and takes the placeholder along."""
    desired = wanted(web=fields("a.example.org", challenge="http", fronts=["app"]))
    assert ground.apply(desired) == "undone"
    assert place.names(ground.world) == []
    assert ground.world.files.list(paths.shown("app")) == ["challenges"]


@pytest.mark.parametrize("act", range(1, 60, 3))
def test_a_death_at_any_moment_is_put_back_or_carried_on(ground: Ground, act: int) -> None:
    from eyas.apply.recover import recover

    ground.apply(wanted(web=fields("a.example.org")))
    before = ground.world.photograph()
    ground.world.fuse.left = act
    desired = wanted(web=fields("a.example.org", "b.example.org"), mail=fields("m.example.org"))
    try:
        ground.apply(desired)
    except Killed:
        ground.world.survive()
        recover(ground.world, ground.runs)
        assert ground.settled(desired) or list(differences(before, ground.world.photograph())) == []
    ground.world.survive()
    assert ground.apply(desired) in ("kept", "")
    assert ground.settled(desired)


def test_renewal_takes_the_place_of_what_is_due_and_keeps_it_on_failure(ground: Ground) -> None:
    ground.apply(wanted(web=fields("a.example.org"), mail=fields("m.example.org")))
    assert renew_due(ground.world) == {}
    assert len(ground.world.certificates.issued) == 2
    later = time.time() + 80 * DAY
    old = place.current(ground.world, "web")
    path = f"{paths.certificate('web')}/certificate.json"
    kept = ground.world.files.read(path)
    place.write_settings(ground.world, "web", fields("a.example.org", "refused.example.org"))
    errors = renew_due(ground.world, later)
    assert set(errors) == {"web"}
    assert place.current(ground.world, "web") == old
    assert listing(ground.world)[1]["error"]  # type: ignore[index,call-overload]
    place.write_settings(ground.world, "web", fields("a.example.org"))
    assert ground.world.files.read(path) == kept
    assert renew_due(ground.world, time.time()) == {}, "not at once again"
    assert renew(ground.world, ["web"]) == {}
    assert place.current(ground.world, "web") != old
    with pytest.raises(Exception, match="cannot find certificate nobody"):
        renew(ground.world, ["nobody"])


def test_revocation_comes_after_a_new_one(ground: Ground) -> None:
    ground.apply(wanted(web=fields("a.example.org")))
    old = place.current(ground.world, "web")
    revoke(ground.world, "web")
    assert ground.world.certificates.revoked == ["web"]
    assert place.current(ground.world, "web") not in ("", old)
    place.write_settings(ground.world, "web", fields("refused.example.org"))
    with pytest.raises(Failed, match="no other takes its place"):
        revoke(ground.world, "web")
    assert ground.world.certificates.revoked == ["web"]


# ------------------------------------------------------------ definitions


def fleet(*containers: Container) -> Fleet:
    bridge = Bridge("br0", "10.0.5.1/24")
    return Fleet(Host("alpha", Uplink("eth0", "203.0.113.10/26"), bridge, list(containers)))


def said(*certificates: Certificate, **more: Any) -> list[str]:
    user = Container("mail", "10.0.5.20", BASE, parts=[System(certificates=certificates)], **more)
    return [f.message for f in check(fleet(user)) if "ertificate" in f.message]


def test_rules() -> None:
    by_http = Acme("https://ca.example/dir")
    assert said(Certificate("a", ["*.example.org"], BY_DNS)) == []
    assert "cannot be proved by HTTP" in " ".join(said(Certificate("a", ["*.example.org"], by_http)))
    assert "no container of alpha serves sites" in " ".join(said(Certificate("a", ["a.example.org"], by_http)))
    assert "is in no zone" in said(Certificate("a", ["a.example.net"], BY_DNS))[0]
    both = said(Certificate("a", ["a.example.org"], BY_DNS), Certificate("a", ["b.example.org"], BY_DNS))
    assert "cannot have two certificates named a" in both[0]
    assert "two orders for the same" in said(
        Certificate("a", ["a.example.org"], BY_DNS), Certificate("b", ["a.example.org"], BY_DNS)
    )[0]  # fmt: skip
    for wrong in (
        lambda: Certificate("a", [], BY_DNS),
        lambda: Certificate("A b", ["a.example.org"], BY_DNS),
        lambda: Acme("http://ca.example/dir"),
        lambda: Acme(email="nobody"),
        lambda: Acme(challenge="tls"),
        lambda: Zone("example.org", server="203.0.113.53"),
        lambda: Zone("example.org", server="203.0.113.53", key="/k", program="/p"),
        lambda: Dns(),
    ):
        with pytest.raises(DefinitionError):
            wrong()


def test_a_site_has_one_of_its_own_or_shares_one() -> None:
    app = Container("app", "10.0.5.30", BASE)
    wild = Certificate("wild", ["*.example.org"], BY_DNS)
    own, shared = Site("a.example.net", to=app.port(80)), Site("b.example.org", to=app.port(80), certificate=wild)
    assert [use.certificate.name for use in uses_of([own, shared, shared], Acme())] == ["a.example.net", "wild"]
    assert [use.certificate.name for use in uses_of([own, shared], "/var/lib/acme")] == ["wild"]
    assert own_names([own, shared], "/var/lib/acme") == ["a.example.net"]
    assert own_names([own, shared], Acme()) == ["localhost"]
    assert tls_lines(shared, "/var/lib/acme")[0].endswith("/etc/eyas/certificates/wild/current/fullchain.pem;")
    wrong = Site("c.other.org", to=app.port(80), certificate=wild)
    web = Container("web", "10.0.5.31", BASE, parts=[front(wrong)], forwards=[Forward(80), Forward(443)])
    messages = [f.message for f in check(fleet(app, web))]
    assert any("cannot serve c.other.org with certificate wild" in message for message in messages)


# ------------------------------------------------------------ what is told


def row(days: float, **more: Json) -> dict[str, Json]:
    end = 1e9 + days * DAY
    found: dict[str, Json] = {
        "name": "a", "names": ["x"], "covers": ["x"], "users": [], "not_before": end - 90 * DAY, "not_after": end,
        "renewal": end - 30 * DAY, "placeholder": False, "error": None,
    }  # fmt: skip
    return found | more


@pytest.mark.parametrize(
    ("item", "warning"),
    [
        (row(60), ""),
        (row(25), ""),
        (row(20), "ends in 20 days and was not renewed"),
        (row(28, error="no way"), "could not be renewed (it lasts 28 days more): no way"),
        (row(-1), "has ended 24 hours ago"),
        (row(5, placeholder=True), "is a placeholder"),
        (row(60, names=["x", "y"]), "lacks names"),
    ],
)
def test_warnings_come_long_before_the_end(item: Json, warning: str) -> None:
    (found,) = rows([item], 1e9)
    assert warning in found.warning
    assert bool(found.warning) == bool(warning)
