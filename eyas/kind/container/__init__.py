"""Containers: systemd-nspawn machines under systemd.

On disk: a spec (JSON), the same for our scripts (shell variables), the unit, a drop-in with limits, the link that
starts it at boot. Running: a print, the spec that is in effect with the invocation it belongs to.

What `observe` gives: the fields of the spec that is in effect (of the one on disk, when it does not run), and
- ``state``: {active, sub, result, invocation, since, memory, pid}; ``invocation`` is '' when it does not run.
  `compare` does not look at it: a container that should run and does not is the planner's ``Action.start``.
- ``disk``: the spec on disk, only when it is not the one in effect.
- ``disk_drift``: what on disk is not as the spec on disk says, in words; mended without a restart.
- ``print_drift``: why it is not known what runs, in words; mended by a restart.
- ``slot``: 'b', when a stateless container is in its second slot (`eyas.kind.slots`); ``leftover``: the slot of which
  something is there that should not be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from eyas.core.grants import reasons
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind.common import RELOAD, RELOAD_REMOVED, SETTLE, Deed, integer, table, whole
from eyas.kind.container import beside, boot, canary, carry, chain, disk, health, limit, live, power
from eyas.kind.container.compare import DRIFTS, compare_specs
from eyas.kind.container.observe import invocations, observe
from eyas.kind.container.text import render_limits, render_unit, tables, words

OBSERVED = ("state", "slot", "leftover", "pending", *DRIFTS)
RUNNING = ("active", "activating", "reloading")


def spec(resource: Resource) -> dict[str, Json]:
    """The fields that make a spec, without what was only observed."""
    return {key: value for key, value in resource.fields.items() if key not in OBSERVED}


def running(have: Resource | None) -> bool:
    return have is not None and table(have.fields.get("state")).get("active") in RUNNING


def _with_grants(change: FieldChange, want: Resource | None) -> FieldChange:
    """A container that is new tells what it may do beyond the default."""
    grants = words(want.fields.get("grants")) if want is not None else []
    if not grants:
        return change
    return replace(change, note=f"{change.note}, granted: {reasons(grants)}")


def _told(found: list[FieldChange], want: Resource, have: Resource) -> list[FieldChange]:
    """The same differences; of a new root it is said that it is proved first."""
    cost = max((change.impact for change in found), default=Impact.none)
    names = canary.needed(want.fields, have.fields, cost)
    if not names:
        return found
    said = f"proved first in a scratch container ({', '.join(names)})"
    return [replace(f, note=f"{f.note}, {said}" if f.note else said) if f.field == "tree" else f for f in found]


class Container:
    name = "container"
    verbs: Mapping[str, Deed] = {
        "settle": power.settle,
        "hold": chain.hold,
        "drain": chain.drain,
        "release": chain.release,
        "watch": health.watch,
        "stop": power.stop,
        "configure": disk.configure,
        "remove": disk.remove,
        "live": live.live,
        "restart": power.restart,
        "guard": power.guard,
        "start": power.start,
        "ready": power.ready,
        "prepare": beside.prepare,
        "loosen": beside.loosen,
        "begin": beside.begin,
        "lead": beside.lead_anew,
        "switch": beside.switch,
        "retire": beside.retire,
        "discard": disk.discard,
        "keep": boot.keep,
        "unlink": boot.unlink,
        "carry": carry.carry,
        "carried": carry.carried,
        "prove": canary.prove,
        "limit": limit.limit,
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        if want is None or have is None:
            return [_with_grants(change, want) for change in whole(want, have, "container", Impact.live)]
        found = compare_specs(spec(want), spec(have))
        if have.fields.get("print_drift"):
            found.append(FieldChange("print_drift", None, None, Impact.restart, str(have.fields["print_drift"])))
        drift = have.fields.get("disk_drift")
        for said in drift if isinstance(drift, list) else []:
            found.append(FieldChange("disk_drift", None, None, Impact.live, str(said)))
        if have.fields.get("leftover"):
            found.append(FieldChange("leftover_drift", None, None, Impact.live, "another generation is left over"))
        on_disk = have.fields.get("disk")
        if not found and isinstance(on_disk, dict) and on_disk != spec(want):
            found.append(FieldChange("disk_drift", None, None, Impact.live, "what is on disk is not what runs"))
        return _told(beside.softened(found, want.fields, have.fields), want, have) if running(have) else found

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        slot = beside.slot_of(have)
        steps = beside.cleared(change.id, have) if have is not None else []
        if want is not None and have is not None and change.impact is Impact.beside:
            return steps + beside.replaced(change, want, have, spec(want), self._well(change, want))
        if want is not None and have is not None and slot == "b" and not want.fields.get("stateless"):
            up = [Step(self.name, "start", change.id, Phase.start), *self._well(change, want, Phase.ready)]
            starts = running(have) or want.fields.get("autostart", True)
            files = self._configured(change, want, None)
            return steps + beside.moved(change, want.fields, have, files, up if starts else [])
        some = want or have
        assert some is not None
        steps += beside.addressed(self._steps(change, want, have), slot, some.fields)
        return steps + (
            beside.led(change.id, want.fields, have.fields) if want is not None and have is not None else []
        )

    def _steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            assert have is not None
            return self._away(change, have)
        if change.action is Action.start:
            kept = have is not None and have.fields.get("pending")
            return [*(self._configured(change, want, have) if kept else []), *self._up(change, want)]
        steps = []
        if have is not None:
            steps.append(Step(self.name, "settle", change.id, Phase.prepare))
        steps += self._configured(change, want, have)
        if not running(have):
            # One that is not to start may be started by another that needs it; the way back stops it again.
            guard = Step(self.name, "guard", change.id, Phase.live)
            return steps + (self._up(change, want) if want.fields.get("autostart", True) else [guard])
        assert have is not None
        if change.impact >= Impact.restart:
            return (
                steps
                + self._proved(change, want, have)
                + carry.steps_of(change.id, want.fields, have.fields)
                + self._again(change, want, have)
            )
        if (want.fields.get("limits") or None) != (have.fields.get("limits") or None) or have.fields.get("disk_drift"):
            steps.append(limit.step(change.id, want.fields, have.fields))
        if spec(have) != spec(want):
            args: dict[str, Json] = {"old": spec(have), "new": spec(want)}
            steps.append(Step(self.name, "live", change.id, Phase.live, args))
            if change.impact >= Impact.reload or any(f.field.startswith("probes") for f in change.fields):
                steps.append(self._ready(change, want, again=True))
            units = live.noticing(have.fields, want.fields)
            if units:
                steps.append(self._watch(change, want, Phase.ready, units))
        return steps

    def _proved(self, change: Change, want: Resource, have: Resource) -> list[Step]:
        """What its new root has to stand before anything is touched."""
        proofs = canary.needed(want.fields, have.fields, change.impact)
        return [canary.step(change.id, spec(want), proofs)] if proofs else []

    def _again(self, change: Change, want: Resource, have: Resource) -> list[Step]:
        """A restart, and what it takes so that nobody is refused."""
        restart = Step(self.name, "restart", change.id, Phase.restart)
        before, after = chain.steps_around(restart, want.fields, have.fields)
        if chain.addresses(want.fields) != chain.addresses(have.fields):
            # Its forwards lead to its new address as soon as the firewall is loaded, and nobody is there yet.
            before = [replace(before[0], phase=Phase.remove), *before]
        ready, watch = self._well(change, want)
        return [*before, restart, ready, *after, watch]

    def _well(self, change: Change, want: Resource, phase: Phase = Phase.restart) -> list[Step]:
        """Wait until it is up, and see that it stays so."""
        units = health.declared(want.fields)
        ready = self._ready(change, want, units=units, phase=phase)
        return [ready, self._watch(change, want, phase, units, probes=True)]

    def _watch(
        self, change: Change, want: Resource, phase: Phase, units: Sequence[str], *, probes: bool = False
    ) -> Step:
        args: dict[str, Json] = {
            "seconds": integer(want.fields.get("settle"), chain.SETTLE),
            "units": [*units],
            "machine_id": want.fields.get("machine_id"),
        }
        if probes:
            args["probes"] = len(tables(want.fields.get("probes")))
        return Step(self.name, "watch", change.id, phase, args)

    def at_boot(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        """The deeds that prepare a change for the next boot of the host, and disturb nothing (`eyas.plan.boot`)."""
        slot = beside.slot_of(have)
        steps = boot.steps(change, want, have, spec(want) if want is not None else {}, running(have))
        if want is not None and have is not None and running(have):
            steps = self._proved(change, want, have) + steps
        some = want or have
        assert some is not None
        if want is None and have is not None and not running(have):
            steps = [step for step in self._away(change, have) if step.verb == "remove"]
        return beside.addressed(steps, slot, some.fields)

    def _away(self, change: Change, have: Resource) -> list[Step]:
        timeout: dict[str, Json] = {"stop_timeout": have.fields.get("stop_timeout")}
        seconds = integer(have.fields.get("drain"), chain.DRAIN)
        drain = Step(self.name, "drain", change.id, Phase.stop, {"seconds": seconds})
        return [
            Step(self.name, "settle", change.id, Phase.prepare),
            SETTLE,
            *([drain] if running(have) else []),
            Step(self.name, "stop", change.id, Phase.stop, timeout),
            Step(self.name, "remove", change.id, Phase.remove, {"spec": spec(have)}),
            RELOAD_REMOVED,
        ]

    def _configured(self, change: Change, want: Resource, have: Resource | None) -> list[Step]:
        """The files, when they are not as they should be; a daemon-reload only when systemd reads some of them."""
        wanted = spec(want)
        there = table(have.fields.get("disk")) or spec(have) if have else {}
        drift = bool(have and (have.fields.get("disk_drift") or have.fields.get("pending")))
        if there == wanted and not drift:
            return []
        steps = [Step(self.name, "configure", change.id, Phase.configure, {"spec": wanted, "drift": drift})]
        if drift or not there or _for_systemd(want.name, there) != _for_systemd(want.name, wanted):
            steps = [SETTLE, *steps, RELOAD]
        return steps

    def _up(self, change: Change, want: Resource) -> list[Step]:
        return [Step(self.name, "start", change.id, Phase.start), self._ready(change, want)]

    def _ready(
        self,
        change: Change,
        want: Resource,
        *,
        again: bool = False,
        units: Sequence[str] = (),
        phase: Phase = Phase.ready,
    ) -> Step:
        """``again``: it runs all the time, and only its probes are asked. ``units`` have to be well, too."""
        probes = tables(want.fields.get("probes"))
        args: dict[str, Json] = {
            "stop_timeout": want.fields.get("stop_timeout"),
            "start_timeout": want.fields.get("start_timeout"),
            "machine_id": want.fields.get("machine_id"),
            "probes": len(probes),
            "probe_time": sum(integer(probe.get("timeout"), 60) for probe in probes),
        }
        if again:
            args["again"] = True
        if units:
            args["units"] = [*units]
        return Step(self.name, "ready", change.id, phase, args)

    def observe(self, system: System) -> list[Resource]:
        return observe(system)

    def invocations(self, system: System) -> dict[str, str]:
        return invocations(system)


def _for_systemd(name: str, fields: Mapping[str, Json]) -> tuple[str, str] | None:
    try:
        return render_unit(name, fields), render_limits(fields)
    except KeyError:
        return None  # a spec of another version, or half of one
