"""Every command of eyas, as rows: what it is called, what it takes, which module does it."""

from __future__ import annotations

from eyas.cli.table import Argument, Option, Verb

GLOBALS = (
    Option(
        "directory",
        ("-C", "--directory"),
        "The fleet's directory (default: the nearest one upwards with a fleet.py; also EYAS_FLEET).",
        "DIR",
        complete="folders",
    ),
    Option("lab", ("--lab",), "Act on the lab of this fleet, not on this machine (also EYAS_LAB=1)."),
    Option(
        "host",
        ("--host",),
        "The host to act on (default: the one named like this machine, or the only one).",
        "NAME",
        complete="hosts",
    ),
    Option("verbose", ("-v", "--verbose"), "Tell more: each step, each command that is run."),
)
"""Options of every command; they may stand before or after the verb."""

JSON = Option("json", ("--json",), "Print JSON (versioned) instead of text.")
YES = Option("yes", ("-y", "--yes"), "Do not ask before something restarts.")
EXIT_CODE = Option("exit_code", ("--exit-code",), "End with 3 when there are differences.")
JOBS = Option(
    "jobs", ("-j", "--jobs"), "Build so many images at a time (default: one for each processor).", "N", number=True
)
BOOT = Option("boot", ("--boot",), "Prepare all for the next boot of the host, and disturb nothing that runs.")
CONFIRM = Option(
    "confirm_within",
    ("--confirm-within",),
    "What may cut the connection is put back unless a fresh one is made within so many seconds (default 30; 0: never).",
    "SECONDS",
    number=True,
)
CONTAINER = Argument("name", "The container.", "NAME", complete="containers")
CONTAINERS = Argument(
    "names", "Containers; all of them when none is given.", "NAME", required=False, many=True, complete="containers"
)
PART = Argument("names", "With --only: containers, or `host`.", "NAME", required=False, many=True, complete="owners")
ONLY = Option(
    "only", ("--only",), "Only what belongs to the named containers, or to the `host`, and what they stand on."
)
SITES = Argument("names", "Sites by name, or containers.", "NAME", many=True, complete="containers")
COMMAND = Argument("command", "The command and its arguments, after --.", "COMMAND", many=True)
LAB_HOST = Argument("name", "A host of the lab, or `internet`.", "HOST", complete="lab")
LAB_DIR = Argument("folder", "The fleet's directory (default: as for -C).", "DIR", required=False, complete="folders")

VERBS = (
    Verb(
        "check",
        "check",
        "Check the definitions and print all findings.",
        "Loads fleet.py and applies every rule. No command is run and no host is asked. Ends with 2 when there are "
        "errors; warnings alone end with 0.",
        options=(JSON,),
    ),
    Verb(
        "build",
        "build",
        "Build the images that the definitions need.",
        "Builds what is not built yet, into the store of this machine. Versions of packages come from eyas.lock; "
        "those of a new image are resolved and written there first.",
        options=(JOBS, JSON),
    ),
    Verb(
        "update",
        "update",
        "Move the pinned versions of images forward.",
        "Resolves the newest versions that the configured package sources offer, writes eyas.lock and shows the "
        "difference. Nothing is built and no host is touched: that is for `eyas apply`.",
        (Argument("images", "Images by name; all when none is given.", "IMAGE", required=False, many=True),),
        (JSON,),
    ),
    Verb(
        "plan",
        "plan",
        "Show what apply would change, and who will notice.",
        "Compares what the definitions ask for with what the host has. Changes nothing on the host.",
        arguments=(PART,),
        options=(ONLY, BOOT, JSON, EXIT_CODE),
        looks=True,
        plans=True,
    ),
    Verb(
        "apply",
        "apply",
        "Make the host what the definitions say.",
        "Shows the plan, asks when something restarts, applies it as journaled steps, and checks afterwards that "
        "nothing else was touched. What fails is undone.",
        arguments=(PART,),
        options=(ONLY, BOOT, YES, JOBS, CONFIRM, JSON),
        looks=True,
        plans=True,
    ),
    Verb(
        "rollback",
        "rollback",
        "Make the host again what an older run had made of it.",
        "A new run towards the state of an older one that was kept: shown, asked for and journaled like any other. "
        "Without RUN it goes back to the state before the last run that was kept. The definitions are not read and "
        "eyas.lock is not touched: `eyas plan` then shows how they differ from the host. Trees and layers of old runs "
        "stay on the host until `eyas gc`, so that it takes no longer than a restart; when one is gone, it says which.",
        (
            Argument(
                "run_id",
                "The run to go back to; the beginning or the end of its id.",
                "RUN",
                required=False,
                complete="runs",
            ),
        ),
        (YES, Option("only_plan", ("--plan",), "Only show what it would do."), EXIT_CODE, CONFIRM, JSON),
        looks=True,
    ),
    Verb(
        "status",
        "status",
        "Show state, health, memory and drift of each container.",
        "Drift is what apply would mend. Works without an apply in between and changes nothing.",
        (CONTAINERS,),
        (JSON, EXIT_CODE),
        looks=True,
    ),
    Verb(
        "history",
        "history",
        "List the runs that changed this host.",
        "Newest first. With a run's id: what it changed, how long people waited, what was not well, and its warnings.",
        (Argument("run_id", "One run.", "RUN", required=False, complete="runs"),),
        (JSON,),
    ),
    Verb(
        "recover",
        "recover",
        "End a run that was interrupted: finish it when all was done, put it back otherwise.",
        "The host does this by itself at boot, and `eyas apply` before it plans; plan and status only say so.",
        options=(Option("accept", ("--accept",), "Leave the host as it is, after a person has looked."), JSON),
    ),
    Verb(
        "gc",
        "gc",
        "Remove trees, layers, builds and runs that nothing refers to.",
        "Never what runs, what the definitions need, or what the last runs that are kept refer to.",
        options=(Option("keep", ("--keep",), "Keep so many of the last runs (default 5).", "N", number=True), JSON),
    ),
    Verb(
        "why",
        "why",
        "Tell which line of the definitions asked for a thing, and which run changed it last.",
        "THING is a container (postgres), a path in a container (postgres:/etc/hosts), a host path that is bound, a "
        "forwarded port (443 or 443/udp), a package, a rule of egress or a destination of it (forge/sources, "
        "github.com), an address that a pool has now, or the id of a resource (sysctl:vm.swappiness).",
        (Argument("thing", "What to ask about.", "THING", complete="containers"),),
        (JSON,),
    ),
    Verb(
        "writes",
        "writes",
        "List what a container wrote outside its persistent paths.",
        "A restart loses all of it. Each path with its size, age, owner, and the unit that wrote it where that is "
        "known; then the lines that would make it persistent. Caches, temporary files and the like are summed up by "
        "rules, which a part extends by `System(noise=[...])`.",
        (CONTAINER,),
        (Option("everything", ("--all",), "List also what counts as noise."), JSON),
    ),
    Verb(
        "ports",
        "ports",
        "Show who listens where, beside what is declared.",
        "Crosses forwards, open ports of the host, sites and uses with the sockets of each container and of the host. "
        "Named are a forward that leads to nobody, or to somebody who listens on the loopback only; what a front "
        "serves and no forward leads to; a listener that no definition speaks of; a port that is open to the world "
        "and that nobody declared. Ends with 1 when there are errors; warnings alone end with 0.",
        options=(JSON,),
        looks=True,
    ),
    Verb(
        "sites",
        "sites",
        "List the public names, who answers for them, and how they are now.",
        "Each with its certificate's days, and with two answers: that of the backend, asked as the front asks it, and "
        "that of the front, asked by the public address. Ends with 1 when a site is not well.",
        options=(JSON,),
        looks=True,
    ),
    Verb(
        "verify",
        "verify",
        "Ask everything that is declared from where it matters, and name what is wrong.",
        "Probes, ports, names, certificates, databases and visitors' addresses are asked from inside each container, "
        "from the host and from outside: in a lab by a client in its internet, elsewhere by the public addresses from "
        "the host, and it says so. Parts add their own questions by `System(checks=[...])`. Each finding comes with a "
        "remedy and the line of the definitions. Changes nothing; a request with a mark in it is made of each site "
        "whose visitors' addresses are checked. Ends with 0 when all is well, also with warnings, and with 1 when "
        "something is wrong.",
        options=(
            Option(
                "place",
                ("--from",),
                "Ask only from there: `inside`, `host`, `outside`, or a container.",
                "WHERE",
                complete="containers",
            ),
            JSON,
        ),
        looks=True,
    ),
    Verb(
        "maintenance on",
        "maintenance_on",
        "Let sites, or all sites of containers, answer with their page of maintenance.",
        "Browsers get the page with status 503 and Retry-After, programs a plain 503. It takes effect at once, and "
        "lasts until it is switched off or the front is restarted; a reload of the front keeps it.",
        (SITES,),
        (JSON,),
        looks=True,
    ),
    Verb("maintenance off", "maintenance_off", "Let sites answer again.", "", (SITES,), (JSON,), looks=True),
    Verb("maintenance list", "maintenance_list", "List what is under maintenance.", options=(JSON,), looks=True),
    Verb(
        "certificates",
        "certificates",
        "List certificates; renew or revoke some at once.",
        "Each with the days that it lasts, who uses it, when it will be renewed, and what went wrong last. The host "
        "renews by itself, when a third of a certificate's life is left; `renew` does it now, and `revoke` tells the "
        "authority not to trust a certificate any more, after another one has taken its place. Users read a new "
        "certificate by a reload; when anything goes wrong, the former one stays in use.",
        (
            Argument("action", "`renew` or `revoke`; lists them when none is given.", "ACTION", required=False),
            Argument("names", "Certificates by name.", "NAME", required=False, many=True),
        ),
        (Option("everything", ("--all",), "With renew: all of them."), JSON),
    ),
    Verb(
        "egress",
        "egress",
        "Show how outgoing connections leave the host, and what refuses them.",
        "Rules with what their names are now; pools with ages and counts; destinations with refusals, with what rests "
        "there, and whether they limit; what happened last. `report` tells that DESTINATION refused ADDRESS: it rests "
        "there, and another one takes its place. `rotate` replaces the addresses of pools at once; connections that "
        "are open keep theirs.",
        (
            Argument("action", "`report` or `rotate`; shows all when none is given.", "ACTION", required=False),
            Argument(
                "names",
                "With report: an address of a pool and a destination; with rotate: rules as CONTAINER/RULE, all when "
                "none is given.",
                "WORD",
                required=False,
                many=True,
            ),
        ),
        (Option("everything", ("--all",), "Show also each address, and more of what happened."), JSON),
    ),
    Verb(
        "shell",
        "shell",
        "Open a shell in a container.",
        "",
        (CONTAINER,),
        (Option("user", ("-u", "--user"), "The user inside (default root).", "USER"),),
    ),
    Verb(
        "exec", "exec", "Run a command in a container.", "Ends with the exit code of the command.", (CONTAINER, COMMAND)
    ),
    Verb(
        "logs",
        "logs",
        "Show the journal of a container, also of one that is gone.",
        "",
        (CONTAINER,),
        (
            Option("follow", ("-f", "--follow"), "Keep showing new lines."),
            Option("lines", ("-n", "--lines"), "Show so many lines (default 50).", "N", number=True),
            Option("unit", ("-u", "--unit"), "Only one unit inside.", "UNIT"),
        ),
    ),
    Verb(
        "lab up",
        "lab_up",
        "Boot the fleet's hosts as virtual machines of this one, with an internet beside them.",
        "",
        (LAB_DIR,),
    ),
    Verb(
        "lab down",
        "lab_down",
        "Stop the lab of this fleet and remove what it left.",
        "DIR may also be a lab's name as in `eyas lab list`; the definitions may be gone already.",
        (LAB_DIR,),
        (Option("everything", ("--all",), "All labs on this machine."),),
    ),
    Verb("lab list", "lab_list", "List the labs on this machine.", "", options=(JSON,)),
    Verb(
        "lab exec",
        "lab_exec",
        "Run a command on a host of the lab, or on its internet.",
        "Ends with the exit code of the command.",
        (LAB_HOST, COMMAND),
    ),
    Verb("lab shell", "lab_shell", "Open a shell on a host of the lab, or on its internet.", "", (LAB_HOST,)),
    Verb("version", "version", "Print the version of eyas."),
)

GROUPS = {
    "lab": "Virtual hosts on this machine, to try a fleet before a server has it.",
    "maintenance": "Sites that say that they are being worked on.",
}
BY_NAME = {verb.name: verb for verb in VERBS}
