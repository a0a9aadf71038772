"""What eyas can own on a host: one kind, one file, one line of registration.

A kind knows how its resources look on a host (`observe`), what a difference costs (`compare`), which deeds
lead from one to the other (`steps`), and how each deed is done and undone (`verbs`).

Deeds are looked up by name (``step.kind``, ``step.verb``), so that a journal written by one process can be
walked backwards by another. The life of a step:

    save  ->  written to the journal, synced  ->  do  ->  journal        (forwards)
    undo of each step whose save is in the journal, the last one first   (backwards)

Contract of every verb:
- ``save`` looks, writes nothing but copies into ``folder`` (the step's own), and returns all that ``undo``
  needs.
- ``do`` may be repeated; ``undo`` may be repeated, may follow a ``do`` that never began or broke off in
  the middle, and leaves what ``save`` had seen.
- Nothing is deleted: what goes away is renamed into ``folder``, from where ``undo`` takes it back. The
  folder is removed with its run, after the run has been kept for long enough.
- ``undo(boot=True)`` runs before any container at boot: it mends files only, and starts, stops or reloads
  nothing; systemd then starts everything by its enablement. The caller runs one daemon-reload after all.

How a container gets back to its old state: the first step of a change that stops or restarts it is
``container.settle``, which does nothing forwards. Walking backwards it comes last, when all files are the
old ones again, and brings the container back to running as it did.
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Change, FieldChange, Json, Resource, Step
from eyas.kind.certificate import Certificate
from eyas.kind.container import Container
from eyas.kind.directory import Directory
from eyas.kind.disk import Disk
from eyas.kind.egress import Egress
from eyas.kind.file import File
from eyas.kind.firewall import Firewall
from eyas.kind.identity import Identity
from eyas.kind.layer import Layer
from eyas.kind.look import Look
from eyas.kind.names import Names
from eyas.kind.network import Network
from eyas.kind.package import Package
from eyas.kind.pending import Pending, read, shown
from eyas.kind.sysctl import Sysctl
from eyas.kind.systemd import Systemd
from eyas.kind.tree import Tree
from eyas.kind.unit import Unit
from eyas.kind.user import User

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # nobody asks at run time, and making protocols takes a host longer than looking at its files


class Verb(Protocol):
    def save(self, system: System, step: Step, folder: str) -> Json: ...

    def do(self, system: System, step: Step, saved: Json) -> str | None:
        """A remark, where there is something that people should know of although it is no failure."""

    def undo(self, system: System, step: Step, saved: Json, boot: bool = False) -> None: ...


class Kind(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def verbs(self) -> Mapping[str, Verb]: ...

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        """The fields that differ, each with its impact; pure. Either side may be absent, not both.

        Empty means that nothing has to be done, except that a container that should run may not (`stopped`).
        """

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        """The deeds for a change that `compare` found, in the order within their phase; pure.

        Steps that serve several resources at once (``systemd:reload``) are emitted by each of them with
        the same id and verb; the planner keeps one, at the last place of its phase.
        """

    def observe(self, system: System) -> list[Resource]:
        """What eyas owns of this kind on the host."""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Package(), Disk(), Directory(), Tree(), Layer(), Identity(), User(), Sysctl(), File(), Unit(), Network(),
        Names(), Firewall(), Egress(), Container(), Systemd(), Pending(), Certificate(),
    )
}  # fmt: skip


def kind_of(name: str) -> Kind:
    """The kind of this name; Failed when there is none (a journal of another version of eyas)."""
    try:
        return KINDS[name]
    except KeyError:
        raise Failed(
            f"cannot handle a resource of kind {name}: this version of eyas does not know it",
            "use the version of eyas that made the plan",
        ) from None


def verb_of(step: Step) -> Verb:
    """The verb that a step names."""
    kind = kind_of(step.kind)
    try:
        return kind.verbs[step.verb]
    except KeyError:
        raise Failed(
            f"cannot do {step.kind}.{step.verb}: this version of eyas does not know it",
            "use the version of eyas that made the plan",
        ) from None


def observe(system: System) -> dict[str, Resource]:
    """All that eyas owns on the host, by id. Asks systemd and the kernel once each, at the same time."""
    look = Look(system)
    found = {resource.id: resource for kind in KINDS.values() for resource in kind.observe(look)}
    waiting = read(system)
    return shown(found, waiting) if waiting else found
