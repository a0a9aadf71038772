"""Certificates by ACME: issued before anything that uses them changes, and taken back with a run that fails.

Fields of a resource: ``names``, ``directory`` (URL), ``email``, ``ca``, ``challenge`` ("http", or an object with
``zones`` and ``wait``), ``users`` (objects with ``container`` and ``reload``), ``fronts`` (containers whose port 80
answers challenges). Observed besides: ``placeholder`` when the pair in use is one that nobody trusts, ``missing_drift``
and ``shown_drift`` when something was taken away by hand.

The life of one that is new, or that has to have other names:

    issue (first of all)     asks for it, where the proof can be made now: by DNS, or by HTTP when a front is up. Else
                             a placeholder, by which that front can start. A refusal ends the run before any change
    publish (last of all)    asks for those that are placeholders still, and lets users read what is new

What nothing declares any more goes when the run is kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from eyas.core import paths
from eyas.core.errors import EyasError, Failed
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Fields, Impact, Json, Phase, Resource, Step
from eyas.kind.certificate import issue, place
from eyas.kind.common import Deed, ManyDeed, table, whole

FIELDS = ("names", "directory", "email", "ca", "challenge", "users", "fronts")
SAID = {
    "email": "mail address for the authority", "ca": "roots of the authority", "challenge": "proof of its names",
    "users": "its users", "fronts": "who answers challenges",
}  # fmt: skip


def _name(step: Step) -> str:
    return step.id.split(":", 1)[1]


def _fields(step: Step) -> Fields:
    return table(step.args["fields"])


def _look(system: System, step: Step, _folder: str) -> Json:
    """All that the way back needs; no key is in it."""
    name = _name(step)
    folder = paths.certificate(name)
    containers = {*place.users(_fields(step)), *place.users(table(step.args.get("old")))}
    return {
        "had": system.files.stat(folder) is not None,
        "current": place.current(system, name),
        "pairs": [*system.files.list(folder)],
        "settings": place.settings(system, name),
        "shown": {c: system.files.readlink(f"{paths.shown(c)}/{name}/{place.CURRENT}") for c in sorted(containers)},
    }


def _issue(system: System, steps: Sequence[tuple[Step, Json]]) -> None:
    """Ask for all that is needed, of those that can be proved now; the others get a placeholder."""
    wanted = {_name(step): _fields(step) for step, _ in steps}
    now = time.time()
    for name in wanted:
        place.make_folder(system, name)
    need = {name: fields for name, fields in wanted.items() if not _kept(system, name, fields, now)}
    fronts = issue.answering(system, need) if any(issue.by_http(fields) for fields in need.values()) else []
    able = {name: fields for name, fields in need.items() if fronts or not issue.by_http(fields)}
    bare = {n: f for n, f in need.items() if n not in able and not place.current(system, n).startswith(place.SELF)}
    pairs = _obtained(system, able, fronts)
    pairs |= issue.placeholders(system, {n: f for n, f in bare.items() if not _serves(system, n)})
    for name, fields in wanted.items():
        if name in pairs:
            issue.hand_out(system, name, fields, pairs[name])
        place.write_settings(system, name, fields)
        place.show(system, name, [*place.users(fields)])


def _kept(system: System, name: str, fields: Fields, now: float) -> bool:
    """Whether the pair in use, or one that was set aside, is what is asked for."""
    if place.good(place.about(system, name), fields):
        return True
    spare = place.take_spare(system, name, fields, now)
    if spare:
        issue.hand_out(system, name, fields, spare)
    return bool(spare)


def _serves(system: System, name: str) -> bool:
    """Whether there is a real pair, if for other names: better than a placeholder until the right one is there."""
    return place.current(system, name).startswith(place.MADE)


def _obtained(system: System, wanted: issue.Wanted, fronts: Sequence[str]) -> dict[str, str]:
    """New pairs; Failed with what the authority said when one of them was refused, and the others are set aside."""
    pairs, errors = issue.obtain(system, wanted, fronts)
    if not errors:
        return pairs
    for name, pair in pairs.items():
        place.set_aside(system, name, pair)
    said = [f"{name}: {why}" for name, why in sorted(errors.items())]
    more = f" (and {len(said) - 3} more)" if len(said) > 3 else ""
    raise Failed(
        f"cannot get {'a certificate' if len(said) == 1 else f'{len(said)} certificates'}: {'; '.join(said[:3])}{more}",
        "nothing has changed; does each name lead to this host, and to port 80 of it?"
        if any(issue.by_http(wanted[name]) for name in errors)
        else "nothing has changed; look at the zone's name server and its key",
    )


def _unissue(system: System, step: Step, saved: Json, boot: bool) -> None:
    name, seen = _name(step), table(saved)
    folder, before = paths.certificate(name), str(seen["current"])
    moved = place.current(system, name) != before
    if moved and before:
        place.use(system, name, before)
    shown = table(seen["shown"])
    for container, pair in shown.items():
        if pair is None:
            place.unshow(system, name, [container])
        elif system.files.readlink(f"{paths.shown(container)}/{name}/{place.CURRENT}") != pair:
            system.files.symlink(str(pair), f"{paths.shown(container)}/{name}/{place.CURRENT}")
    if system.files.stat(folder) is not None:
        for entry in system.files.list(folder):
            if entry.startswith((place.MADE, place.SELF)) and entry not in place.words(seen["pairs"]):
                place.set_aside(system, name, entry)
    if not seen["had"]:
        system.files.remove_tree(folder)
    else:
        place.write_settings(system, name, table(seen["settings"]))
        place.tidy_shown(system, name, [c for c, pair in shown.items() if pair is not None])
        if not before:
            system.files.remove(f"{folder}/{place.CURRENT}")
        elif moved and not boot:
            with suppress(EyasError):  # who does not run will read it when it starts
                issue.tell(system, {name: table(seen["settings"])})


def _publish(system: System, steps: Sequence[tuple[Step, Json]]) -> None:
    """Everything is up: ask for what could not be proved before, and let all read what is new."""
    wanted = {_name(step): _fields(step) for step, _ in steps}
    late = {name: fields for name, fields in wanted.items() if not place.good(place.about(system, name), fields)}
    new = [name for name in wanted if not issue.told(system, name)]
    if late:
        fronts = issue.answering(system, late) if any(issue.by_http(fields) for fields in late.values()) else []
        mute = sorted(name for name, fields in late.items() if issue.by_http(fields) and not fronts)
        if mute:
            raise Failed(
                f"cannot get a certificate for {mute[0]}: nobody on this host answers challenges on port 80",
                "is the front up? It answers below /.well-known/acme-challenge/",
            )
        for name, pair in _obtained(system, late, fronts).items():
            issue.hand_out(system, name, wanted[name], pair)
        new += late
    issue.tell(system, {name: wanted[name] for name in new})
    for name in wanted:
        issue.note(system, name, "")


def _look_late(system: System, step: Step, _folder: str) -> Json:
    name = _name(step)
    state = system.files.read(f"{paths.certificate(name)}/state.json")
    return {"state": state.decode() if state is not None else None}


def _unpublish(system: System, step: Step, saved: Json, _boot: bool) -> None:
    """The pair itself is taken back with the step that comes first (`_unissue`)."""
    path, state = f"{paths.certificate(_name(step))}/state.json", table(saved)["state"]
    if state is None:
        system.files.remove(path)
    else:
        system.files.write(path, str(state).encode(), 0o600)


def _remove(system: System, step: Step, _saved: Json) -> None:
    """Nobody uses it any more. Its pair is set aside, not given to the run's folder: keys are in no record of runs."""
    name = _name(step)
    place.unshow(system, name, [*place.users(_fields(step))])
    if system.files.stat(paths.certificate(name)) is None:
        return
    pair = place.current(system, name)
    if pair:
        place.set_aside(system, name, pair)
    system.files.remove_tree(paths.certificate(name))


def _tidy(system: System, step: Step, _saved: Json) -> None:
    """Former pairs go, and containers that do not use it any more do not see it."""
    place.unshow(system, _name(step), place.words(step.args["gone"]))
    issue.tidy(system, _name(step), _fields(step))


class Certificate:
    name = "certificate"
    verbs: Mapping[str, Deed] = {
        "issue": ManyDeed(look=_look, back=_unissue, many=_issue),
        "publish": ManyDeed(look=_look_late, back=_unpublish, many=_publish),
        "remove": Deed(_remove),
        "tidy": Deed(_tidy),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        name = (want or have).name  # type: ignore[union-attr]
        if want is None or have is None:
            return whole(want, have, f"certificate {name}")
        found = [
            change
            for field in FIELDS
            if want.fields.get(field) != have.fields.get(field)
            for change in _differences(name, field, want.fields, have.fields)
        ]
        for mark, said in MARKS.items():
            if have.fields.get(mark):
                found.append(FieldChange(mark, True, None, Impact.live, f"certificate {name} {said}"))
        return found

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if want is None or change.action is Action.delete:
            assert have is not None
            return [Step(self.name, "remove", change.id, Phase.sweep, {"fields": _bare(have.fields)})]
        fields, old = dict(want.fields), _bare(have.fields) if have is not None else None
        # The wave is the same for all, so that apply hands them over together; not that of packages, which come first.
        args: dict[str, Json] = {"fields": fields, "old": old, "wave": 1}
        gone: list[Json] = [*sorted({*place.users(old or {})} - {*place.users(want.fields)})]
        return [
            Step(self.name, "issue", change.id, Phase.prepare, args),
            Step(self.name, "publish", change.id, Phase.publish, {"fields": fields, "wave": 1}),
            Step(self.name, "tidy", change.id, Phase.sweep, {"fields": fields, "gone": gone}),
        ]

    def observe(self, system: System) -> list[Resource]:
        found = []
        for name in place.names(system):
            fields = place.settings(system, name)
            if fields is None:
                continue
            pair, seen = place.current(system, name), dict(fields)
            if pair.startswith(place.SELF):
                seen["placeholder_drift"] = True
            elif not pair or system.files.stat(f"{paths.certificate(name)}/{pair}/key.pem") is None:
                seen["missing_drift"] = True
            links = (system.files.readlink(f"{paths.shown(c)}/{name}/{place.CURRENT}") for c in place.users(fields))
            if any(link != pair for link in links):
                seen["shown_drift"] = True
            found.append(Resource(f"certificate:{name}", self.name, owner(fields), seen))
        return found


MARKS = {
    "placeholder_drift": "is a placeholder still",
    "missing_drift": "is missing on the host",
    "shown_drift": "is not what its users see",
}


def owner(fields: Fields) -> str:
    """The container that it belongs to; the host, when several use it."""
    users = [*place.users(fields)]
    return users[0] if len(users) == 1 else "host"


def _bare(fields: Fields) -> dict[str, Json]:
    return {key: value for key, value in fields.items() if key not in MARKS}


def _differences(name: str, field: str, want: Fields, have: Fields) -> list[FieldChange]:
    old, new = have.get(field), want.get(field)
    unit = next((unit for units in place.users(want).values() for unit in units), "")
    if field == "names":
        before, after = place.words(old), place.words(new)
        come, gone = [n for n in after if n not in before], [n for n in before if n not in after]
        said = ", ".join([*(f"{n} added" for n in come), *(f"{n} removed" for n in gone)]) or "in another order"
        impact = Impact.reload if come else Impact.live
        return [FieldChange(field, old, new, impact, f"certificate {name}: {said}", unit if come else "")]
    if field == "directory":
        return [FieldChange(field, old, new, Impact.reload, f"certificate {name}: another authority", unit)]
    return [FieldChange(field, old, new, Impact.live, f"certificate {name}: {SAID[field]}")]
