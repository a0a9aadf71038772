"""Where outgoing connections leave from: one resource, ``egress:eyas``, and what rotates below it between two runs.

Its fields are those of `eyas.kind.egress.declared`. A host without egress has none of it: no table, no unit, no file.
What is observed besides: ``drift`` when rules were changed by hand.

`converge` brings the rules to what they should be, for the service (`eyas.kind.egress.units`) and for a run alike.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import Deed, folder_of, table
from eyas.kind.egress import store
from eyas.kind.egress import text as rules
from eyas.kind.egress.converge import converge
from eyas.kind.egress.declared import declared
from eyas.kind.egress.state import Event, State
from eyas.kind.egress.words import changed, told

FILES = (paths.EGRESS_DECLARED, paths.EGRESS_RULES, store.STATE, store.HISTORY)


def _look(system: System, _step: Step, folder: str) -> Json:
    return {"folder": folder, "files": [snapshot.take(system, path, folder) for path in FILES]}


def _released(state: State) -> list[Event]:
    """A change that people ask for does not wait until one that was taken back is forgotten."""
    state.held = 0.0
    return []


def _put(system: System, step: Step, _saved: Json) -> None:
    fields = table(step.args["fields"])
    system.files.write(paths.EGRESS_DECLARED, store.encoded(fields), 0o600)
    with system.egress.locked():
        events = converge(system, declared(fields), time.time(), more=_released)
    broken = [event for event in events if event.what == "restored"]
    if broken:
        raise Failed(f"cannot change where connections leave from: {broken[0].why}", "the former rules are back")


def _remove(system: System, _step: Step, saved: Json) -> None:
    settings = store.settings(system)
    with system.egress.locked():
        system.egress.remove()
        if settings is not None and settings.prefix6:
            from eyas.kind.egress.converge import answered

            gone = answered(system, settings, store.read(system))
            system.egress.answer(settings.uplink, (), gone)
        for path in FILES:
            snapshot.put_away(system, path, folder_of(saved))
        system.files.remove_tree(paths.EGRESS_RUNTIME)
        if not system.files.list(paths.EGRESS):
            system.files.remove(paths.EGRESS)


def _back(system: System, _step: Step, saved: Json, boot: bool) -> None:
    """The files that were there; and the rules of before, from the file of the last ones."""
    rows = table(saved)["files"]
    for row in rows if isinstance(rows, list) else []:
        snapshot.put_back(system, row)
    if boot:
        return  # they are loaded from the file in a moment
    with system.egress.locked():
        text = (system.files.read(paths.EGRESS_RULES) or b"").decode(errors="replace")
        if text:
            system.egress.load(text)
            store.note(system, text.partition(rules.REMOVE)[2], system.egress.loaded().digest)
        else:
            system.egress.remove()
            system.files.remove(store.PRINT)
        store.no_trial(system)  # of the change that is taken back here: nobody is to finish it


class Egress:
    name = "egress"
    verbs: Mapping[str, Deed] = {"put": Deed(_put, _look, _back), "remove": Deed(_remove, _look, _back)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        if want is None or have is None:
            some = want or have
            assert some is not None
            end = "added" if have is None else "removed"
            return [FieldChange("", None, None, Impact.live, f"{line} {end}") for line in told(some.fields)]
        found = [FieldChange("rules", None, None, Impact.live, said) for said in changed(have.fields, want.fields)]
        if have.fields.get("drift"):
            said = "rules of outgoing connections changed by hand"
            found.append(FieldChange("drift", have.fields["drift"], None, Impact.live, said))
        return found

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return [Step(self.name, "remove", change.id, Phase.remove)]
        return [Step(self.name, "put", change.id, Phase.firewall, {"fields": dict(want.fields)})]

    def observe(self, system: System) -> list[Resource]:
        fields = store.fields(system)
        if fields is None:
            return []
        if not _intact(system):
            with system.egress.locked():  # the service may be in the middle of a change
                if not _intact(system):
                    fields = {**fields, "drift": True}
        return [Resource("egress:eyas", self.name, "host", fields)]


def _intact(system: System) -> bool:
    """Whether the kernel has what was loaded last. After a boot nobody has noted that yet: the service does."""
    data = system.files.read(store.PRINT)
    return data is None or system.egress.loaded().digest in data.decode(errors="replace").split('"')
