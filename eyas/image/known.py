"""What the configuration layer must know of a built tree: accounts, units, what the system calls itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ACCOUNTS = ("passwd", "group", "shadow", "gshadow")
UNIT_FOLDERS = ("usr/lib/systemd/system", "etc/systemd/system")  # the second wins
SUFFIXES = (".service", ".socket", ".timer", ".target", ".path", ".mount", ".automount", ".swap", ".slice")
LINKS = "etc/systemd/system"


class View:
    """A tree that may still be in two parts: what changed, and what it lies over (nothing deleted in between)."""

    def __init__(self, *roots: Path) -> None:
        self.roots = roots

    def find(self, name: str) -> Path:
        """The file or link of that name that one would see."""
        for root in self.roots:
            if (root / name).exists() or (root / name).is_symlink():
                return root / name
        return self.roots[-1] / name

    def listing(self, name: str) -> list[Path]:
        """What is in a folder, sorted by name."""
        found: dict[str, Path] = {}
        for root in reversed(self.roots):
            folder = root / name
            found.update((path.name, path) for path in (folder.iterdir() if folder.is_dir() else ()))
        return [path for _, path in sorted(found.items())]

    def text(self, name: str) -> str:
        return _text(self.find(name))


def gather(tree: View) -> dict[str, Any]:
    """Facts of a tree, as JSON:

    - ``passwd``, ``group``, ``shadow``, ``gshadow``: texts of these files in etc ('' where there is none)
    - ``units``: unit -> paths of the links that `systemctl enable` would make, relative to the root; the links for
      ``Alias=`` among them; [] for a unit that cannot be enabled
    - ``unit_files``: unit -> its path, for those outside usr/lib/systemd/system
    - ``also``: unit -> units to be enabled with it
    - ``enabled``: units for which such a link exists in the tree; ``masked``: those linked to /dev/null
    - ``os``: fields of os-release
    """
    units, where, also = _units(tree)
    return {
        **{name: tree.text(f"etc/{name}") for name in ACCOUNTS},
        "units": units,
        "unit_files": where,
        "also": also,
        "enabled": sorted(_enabled(tree)),
        "masked": sorted(_masked(tree)),
        "os": os_release(tree),
    }


def os_release(tree: View) -> dict[str, str]:
    found = {}
    for name in ("etc/os-release", "usr/lib/os-release"):
        path = tree.find(name)
        if path.is_file() and not path.is_symlink():
            for line in path.read_text().splitlines():
                key, sign, value = line.partition("=")
                if sign and key in ("ID", "VERSION_ID", "PRETTY_NAME", "VERSION_CODENAME"):
                    found[key] = value.strip("\"'")
    return found


def installed(tree: View) -> dict[str, str]:
    """Versions of what dpkg counts as installed."""
    found: dict[str, str] = {}
    name = state = ""
    for line in tree.text("var/lib/dpkg/status").splitlines():
        key, _, value = line.partition(": ")
        if key == "Package":
            name = value
        elif key == "Status":
            state = value
        elif key == "Version" and state.endswith(" installed"):
            found[name] = value
    return dict(sorted(found.items()))


def _units(tree: View) -> tuple[dict[str, list[str]], dict[str, str], dict[str, list[str]]]:
    units: dict[str, list[str]] = {}
    where: dict[str, str] = {}
    also: dict[str, list[str]] = {}
    for folder in UNIT_FOLDERS:
        for path in tree.listing(folder):
            if path.is_symlink() or not path.is_file() or path.suffix not in SUFFIXES:
                continue
            install = parse_install(_text(path))
            units[path.name] = install_links(path.name, install)
            if install.get("Also"):
                also[path.name] = install["Also"]
            if folder != UNIT_FOLDERS[0]:
                where[path.name] = f"{folder}/{path.name}"
    return units, where, also


def parse_install(text: str) -> dict[str, list[str]]:
    """The [Install] section (systemd.unit(5)); an empty assignment resets its list."""
    found: dict[str, list[str]] = {}
    inside = False
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.strip()
        if line.startswith("["):
            inside = line == "[Install]"
        elif inside and line[:1] not in ("", "#", ";") and "=" in line:
            key, _, value = line.partition("=")
            words = value.split()
            found[key.strip()] = [*found.get(key.strip(), []), *words] if words else []
    return found


def install_links(unit: str, install: dict[str, list[str]]) -> list[str]:
    """Links that enabling makes. A template is enabled as its default instance, or not at all."""
    name = unit
    stem, at, suffix = unit.partition("@.")
    if at:
        default = (install.get("DefaultInstance") or [""])[0]
        if not default:
            return []
        name = f"{stem}@{default}.{suffix}"
    links = []
    for key, folder in (("WantedBy", "wants"), ("RequiredBy", "requires"), ("UpheldBy", "upholds")):
        links += [f"{LINKS}/{target}.{folder}/{name}" for target in install.get(key, [])]
    links += [f"{LINKS}/{alias}" for alias in install.get("Alias", [])]
    return sorted(set(links))


def _enabled(tree: View) -> set[str]:
    """Names of links in .wants, .requires, .upholds, and targets of aliases."""
    found: set[str] = set()
    for path in tree.listing(LINKS):
        if path.is_symlink():
            target = path.readlink().name
            if target != "null":
                found.add(target)
        elif path.suffix in (".wants", ".requires", ".upholds") and path.is_dir():
            found.update(link.name for link in tree.listing(f"{LINKS}/{path.name}"))
    return found


def _masked(tree: View) -> set[str]:
    links = (path for path in tree.listing(LINKS) if path.is_symlink())
    return {path.name for path in links if str(path.readlink()) == "/dev/null"}


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
