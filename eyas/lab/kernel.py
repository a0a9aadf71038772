"""What all labs share with the machine below: its kernel's settings and modules.

A lab host may write to /proc/sys, and what lies outside /proc/sys/net belongs to no namespace: its init alone
raises fs.nr_open. So the first lab notes all values, and the last one puts back what changed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from eyas.core.events import Event, Listener
from eyas.host.command import PATH, run
from eyas.lab.state import boot_id, read_json, write_json

SETTINGS = Path("/proc/sys")
_SHARED = ("fs", "kernel", "vm", "user")
_OWN_LIFE = ("kernel/ns_last_pid", "kernel/random/", "kernel/hostname", "kernel/domainname", "fs/binfmt_misc/")
_WANTED = {"fs/inotify/max_user_instances": 4096, "fs/inotify/max_user_watches": 65536}  # thirty containers and more
_MODULES = ("overlay", "veth", "bridge", "tun", "loop", "fuse", "nf_tables", "nf_nat", "nf_conntrack", "br_netfilter")


def read_settings(settings: Path = SETTINGS) -> dict[str, str]:
    """All settings that are not of a namespace and can be both read and written."""
    found = {}
    for top in _SHARED:
        for directory, _, names in os.walk(settings / top):
            for path in (Path(directory, name) for name in names):
                key = str(path.relative_to(settings))
                if key.startswith(_OWN_LIFE) or path.stat().st_mode & 0o600 != 0o600:
                    continue
                try:
                    found[key] = path.read_text().strip()
                except (OSError, UnicodeDecodeError):
                    continue
    return found


def prepare(base: Path, listener: Listener, settings: Path = SETTINGS) -> None:
    """Note the settings (once for all labs), load modules, raise the limits that a lab needs."""
    note = base / "kernel.json"
    known = read_json(note)
    if known is None or known.get("boot") != boot_id():
        write_json(note, {"boot": boot_id(), "settings": read_settings(settings)})
    # A lab host has no modules of its own. Where the kernel has all built in, there may be no modprobe.
    if shutil.which("modprobe", path=PATH):
        run(["modprobe", "--quiet", "--all", *_MODULES], check=False)
    for key, wanted in _WANTED.items():
        path = settings / key
        if (now := int(path.read_text())) < wanted:
            path.write_text(str(wanted))
            name = key.replace("/", ".")
            listener(
                Event("lab", "kernel", f"{name} raised from {now} to {wanted} while labs are up (it has no namespace)")
            )


def restore(base: Path, listener: Listener, settings: Path = SETTINGS) -> None:
    """Put back the settings that changed since they were noted."""
    note = base / "kernel.json"
    known = read_json(note)
    if known is not None and known.get("boot") == boot_id():
        refused = {}
        for key, value in _changed(known["settings"], settings).items():
            try:
                (settings / key).write_text(value)
            except OSError as error:
                refused[key] = error.strerror
        # Some stand in two places, one of which only reads: user/max_inotify_watches, fs/inotify/max_user_watches.
        for key, value in _changed(known["settings"], settings).items():
            why = refused.get(key, "it has another value again")
            listener(Event("lab", "kernel", f"cannot put {key} back to {value}: {why}", level="warning"))
    note.unlink(missing_ok=True)


def _changed(noted: dict[str, str], settings: Path) -> dict[str, str]:
    """Those of the noted values that are not so any more."""
    now = read_settings(settings)
    return {key: value for key, value in noted.items() if now.get(key, value) != value}
