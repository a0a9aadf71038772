"""A builder of packages from a user's chair: the queue, what is published, what is left of roots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyas.lab.testing import retry
from tests.lab.rig import Rig

POOL = "/srv/http/repos/forge/x86_64"
CLIENT = """set -e
client=/var/tmp/client
rm -rf $client
mkdir -p $client/db
printf '%s\\n' '[options]' 'Architecture = x86_64' 'SigLevel = Required DatabaseRequired' 'DisableSandbox' \\
    "[forge]" "Server = http://forge/repos/forge/x86_64" >$client/pacman.conf
set -- --config $client/pacman.conf --dbpath $client/db --root $client --cachedir $client/cache \\
    --gpgdir /run/package-builder/keyring --noconfirm --noprogressbar
mkdir -p $client/cache
pacman "$@" -Sy >&2
pacman "$@" -Sl forge
"""
"""What pacman says of the repository over HTTP, with all signatures asked for."""

WHOLE = f"""set -e
cd {POOL}/.db/$(readlink {POOL}/.db/current)
check() {{ gpg --homedir /run/package-builder/gnupg --quiet --batch --verify "$1.sig" "$1" 2>/dev/null; }}
for kind in db files; do
    check forge.$kind
    bsdtar -xOf forge.$kind '*/desc' | sed -n '/^%FILENAME%$/{{n;p}}' | sort >/var/tmp/$kind
done
cmp /var/tmp/db /var/tmp/files
bsdtar -xOf forge.db '*/desc' | sed -n '/^%FILENAME%$/{{n;h}}; /^%SHA256SUM%$/{{n;G;s/\\n/  /p}}' >/var/tmp/sums
cd {POOL}
sha256sum --quiet -c /var/tmp/sums
cmp /var/tmp/db - <<END
$(sed 's/.* //' /var/tmp/sums | sort)
END
while read -r file; do check "$file"; done </var/tmp/db
"""
"""A repository as a client may find it at any moment: all that the database names is there, whole and signed."""

DONE = ("published", "unchanged")


@dataclass
class Forge(Rig):
    """The fleet of the folder ``fleet``."""

    declared = Path(__file__).parent / "fleet"

    def builder(self, *words: str, timeout: float = 60) -> str:
        return self.succeed("forge", "package-builder", *words, timeout=timeout)

    def queue(self, *words: str) -> list[str]:
        """Ids of the builds."""
        return self.builder("queue", *words).split()

    def builds(self) -> dict[str, dict[str, Any]]:
        """Builds by id, in whatever state."""
        return {row["id"]: row for row in json.loads(self.builder("list", "--json"))["builds"]}

    def over(self, ids: list[str], timeout: float = 240) -> dict[str, dict[str, Any]]:
        """Wait until these builds are over."""

        def ended() -> bool:
            rows = self.builds()
            return all(id in rows and rows[id]["ended"] for id in ids)

        retry(ended, f"the builds {ids} are over", timeout, pause=0.5)
        return {id: row for id, row in self.builds().items() if id in ids}

    def published(self, *words: str, timeout: float = 240) -> dict[str, dict[str, Any]]:
        """Queue builds, and wait for them; all must be published then."""
        rows = self.over(self.queue(*words), timeout)
        bad = {id: f"{row['why']}\n{self.log(id)}" for id, row in rows.items() if row["state"] not in DONE}
        assert not bad, "\n".join(f"{id}: {text}" for id, text in bad.items())
        return rows

    def log(self, build: str) -> str:
        return self.builder("logs", build)

    def idle(self, timeout: float = 240) -> None:
        """Nothing waits, nothing runs."""
        retry(lambda: not [row for row in self.builds().values() if not row["ended"]], "an idle builder", timeout)

    def offered(self) -> dict[str, str]:
        """Name to version, as pacman takes it from the server."""
        rows = self.succeed("forge", "sh", "-c", CLIENT).splitlines()
        return {row.split()[1]: row.split()[2] for row in rows}

    def put(self, files: Mapping[str, str]) -> None:
        """More packages, past eyas: folder and file, text."""
        for path, text in files.items():
            place = f"/etc/eyas/packages/{path}"
            self.succeed("forge", "sh", "-c", f"mkdir -p $(dirname {place}); cat >{place}", input=text)

    def remove(self, *packages: str) -> None:
        for package in packages:
            self.succeed("forge", "rm", "-rf", f"/etc/eyas/packages/{package}")

    def left(self) -> dict[str, str]:
        """What roots could leave behind, by kind."""
        script = """echo mounts $(grep -cE ' - (tmpfs|overlay) build ' /proc/self/mountinfo)
        echo groups $(find /sys/fs/cgroup/build.slice -mindepth 1 -type d 2>/dev/null | wc -l)
        echo roots $(find /run/package-builder/roots /run/package-builder/ram -mindepth 1 | wc -l)
        echo scratch $(find /var/lib/package-builder/scratch -mindepth 1 2>/dev/null | wc -l)
        echo loops $(losetup --list --noheadings 2>/dev/null | grep -c package-builder)
        echo homes $(find /run/package-builder/homes -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
        echo units $(systemctl list-units --all --plain --no-legend 'build-*.service' | wc -l)"""
        return dict(line.split() for line in self.succeed("forge", "sh", "-c", script).splitlines())


def simple(name: str, version: str = "1", lines: str = "", arch: str = "(any)", **values: str) -> dict[str, str]:
    """A package of one file that is made in package(); ``lines`` come before that."""
    more = "".join(f"{key}={value}\n" for key, value in values.items())
    text = f"""pkgname={name}
pkgver={version}
pkgrel=1
arch={arch}
{more}
package() {{
    {lines or ":"}
    install -d "$pkgdir/usr/share"
    echo "{name} $pkgver" >"$pkgdir/usr/share/{name}"
}}
"""
    return {f"{name}/PKGBUILD": text}
