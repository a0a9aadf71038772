"""Where things of eyas stand on a host: the agreement between what renders, what writes and what reads.

Only names; nothing here touches a file. Runtime things are under /run and gone after a boot.
"""

from __future__ import annotations

STATE = "/var/lib/eyas"  # mode 0700: what is below may hold secrets and setuid files
STORE = f"{STATE}/store"
TREES = f"{STATE}/trees"
LAYERS = f"{STATE}/layers"
RUNS = f"{STATE}/runs"
IDENTITIES = f"{STATE}/state"
SCRATCH = f"{STATE}/scratch"  # image files of writable layers that are not in RAM
PREVIOUS = f"{STATE}/previous"  # what stood at a path before eyas took it
CERTIFICATES = f"{STATE}/certificates"  # keys and certificates by name; .accounts and .spare beside them
SHOWN = f"{STATE}/shown"  # by container: what it sees of them, and answers to challenges
OWNED = f"{STATE}/owned.json"
ACCEPTED = f"{STATE}/accepted"  # what containers wrote and lost by a restart, after it was told
WAITS = f"{STATE}/history-of-waits"  # how long people waited in past runs
NAMES_DIR = f"{STATE}/names"
NAMES = f"{NAMES_DIR}/hosts"
NAMES_NEXT = f"{STATE}/names.next"  # takes its place at the next boot

# Our tables of the packet filter, taken away by nft(8): made first, so that there is one to delete.
NO_TABLES = "".join(f"table {family} eyas\ndelete table {family} eyas\n" for family in ("inet", "bridge"))

ETC = "/etc/eyas"
SPECS = f"{ETC}/containers"
FIREWALL = f"{ETC}/firewall.nft"
SYSCTL = "/etc/sysctl.d/60-eyas.conf"
UNITS = "/etc/systemd/system"
NETWORK = "/etc/systemd/network"
MACHINES = "/var/lib/machines"
JOURNAL = "/var/log/journal"
PROGRAMS = "/usr/local/lib/eyas"
PROOFS = f"{PROGRAMS}/proofs"  # in a container: programs that say whether its root can do what it is for
BOOT_UNITS = ("eyas-firewall.service", "eyas-recover.service")  # the same for every host

SEEN = "/etc/eyas/certificates"  # in a container, read-only: NAME/current/{fullchain.pem,key.pem}
EGRESS_SEEN = "/run/eyas-egress"  # in a container with a pool of addresses, read-only: the socket for reports
CHALLENGES = "challenges"  # in the same place, in a container that serves sites

RUNTIME = "/run/eyas"
ROOTS = f"{RUNTIME}/roots"
WRITABLE = f"{RUNTIME}/layer"
PRINTS = f"{RUNTIME}/prints"
PROBES = f"{RUNTIME}/probes"
CARRY = f"{RUNTIME}/carry"
LOCK = f"{RUNTIME}/lock"
FIREWALL_PRINT = f"{RUNTIME}/firewall.print"
FIREWALL_LISTING = f"{RUNTIME}/firewall.listing"
PENDING = f"{RUNTIME}/pending.json"  # what is prepared for the next boot (`eyas.kind.pending`)
NOW = f"{RUNTIME}/now"  # what counts until then, where other things are on disk
CANARIES = f"{RUNTIME}/canary"  # scratch containers that prove new roots
CONTROL = "/run/systemd/system.control"  # unit files that go before those of UNITS (systemd.unit(5))
EGRESS_RULES = f"{ETC}/egress.nft"  # rules of outgoing connections, for the boot; `eyas.kind.egress` has the rest
EGRESS_DECLARED = f"{ETC}/egress.json"
EGRESS = f"{STATE}/egress"  # which addresses there are, and what became of others
EGRESS_RUNTIME = f"{RUNTIME}/egress"
EGRESS_POOLS = "/etc/eyas/egress-pools"  # in a container: which of its connections leave by a pool of addresses
HELD = f"{RUNTIME}/held"  # there while connections may be held, so that nobody asks the kernel for nothing


def egress_socket(container: str) -> str:
    """Where a container with a pool of addresses reports that it was refused; the host, for ''."""
    return f"{EGRESS_RUNTIME}/{container}/report" if container else f"{EGRESS_RUNTIME}/report"


def tree(commit: str) -> str:
    """A commit checked out (never written in place: its files are the store's)."""
    return f"{TREES}/{commit}"


def layer(digest: str) -> str:
    """A configuration layer: its files are below ``root``, beside ``manifest.json``."""
    return f"{LAYERS}/{digest}"


def identity(container: str) -> str:
    return f"{IDENTITIES}/{container}"


def spec(container: str) -> str:
    """What the container is declared to be, as JSON."""
    return f"{SPECS}/{container}.json"


def env(container: str) -> str:
    """The same for the scripts that assemble the root and probe: shell variables."""
    return f"{SPECS}/{container}.env"


def slot(container: str) -> str:
    """Which of its two slots a stateless container runs in; not there for the first one (`eyas.kind.slots`)."""
    return f"{SPECS}/{container}.slot"


def now_spec(container: str) -> str:
    """The spec that counts until the next boot, where another one is prepared; with it the three that follow."""
    return f"{NOW}/{container}.json"


def now_env(container: str) -> str:
    return f"{NOW}/{container}.env"


def now_unit(container: str) -> str:
    return f"{CONTROL}/{unit_name(container)}"


def now_limits(container: str) -> str:
    return f"{now_unit(container)}.d/50-eyas-limits.conf"


def unit_name(container: str) -> str:
    return f"systemd-nspawn@{container}.service"


def unit(container: str) -> str:
    return f"{UNITS}/{unit_name(container)}"


def drop_ins(container: str) -> str:
    return f"{unit(container)}.d"


def limits(container: str) -> str:
    return f"{drop_ins(container)}/50-eyas-limits.conf"


def wanted(container: str) -> str:
    """The link that starts the container at boot."""
    return f"{UNITS}/machines.target.wants/{unit_name(container)}"


def root(container: str) -> str:
    """The merged root of a running container."""
    return f"{ROOTS}/{container}"


def image(container: str) -> str:
    """An empty directory: machinectl(1) starts and enables only what it finds an image of."""
    return f"{MACHINES}/{container}"


def scratch(container: str) -> str:
    """The image file of a writable layer that is not in RAM."""
    return f"{SCRATCH}/{container}.img"


def print_of(container: str) -> str:
    """The spec that is in effect in the running container, with the invocation it belongs to."""
    return f"{PRINTS}/{container}.json"


def made(container: str) -> str:
    """What was made in the running container for binds that came while it ran."""
    return f"{PRINTS}/{container}.made"


def probes(container: str) -> str:
    """What the last readiness probes saw."""
    return f"{PROBES}/{container}"


def accepted(container: str) -> str:
    return f"{ACCEPTED}/{container}.json"


def carry(container: str) -> str:
    """What root-down is to carry over from the root to binds when the container stops next; beside it, with an end of
    its own, what root-up is to put back into a root."""
    return f"{CARRY}/{container}"


def certificate(name: str) -> str:
    """A certificate: ``current`` leads to one of the pairs ``made.*``; ``certificate.json`` is what it is to be."""
    return f"{CERTIFICATES}/{name}"


def shown(container: str) -> str:
    """What a container sees at `SEEN`."""
    return f"{SHOWN}/{container}"


def journal(machine_id: str) -> str:
    return f"{JOURNAL}/{machine_id}"
