"""A fully virtual server: Debian with a kernel and a disk of its own, run by an emulator (qemu, no KVM needed).

What a lab host cannot show, because it lives on this machine's kernel, shows here: control groups with all controllers.
The disk is made from an image of our own builder; eyas, the definitions of a fleet and the images that they need travel
on it, and eyas is used there as on any server. Its network has no way out: one port of this machine's loopback leads
to its SSH.

Its clock counts instructions (qemu-system-x86_64(1), "-icount"): what it measures is the time of a slow computer with
one processor, whatever else this machine does meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import eyas
from eyas.core.errors import Failed
from eyas.host.command import Process, Result, launch, run
from eyas.host.disk import write_whole
from eyas.lab.tree import LAB_PACKAGES

NAME = "emulated"
"""What it is called, and so its host in the definitions."""
FLEET = "/srv/fleet"
PACKAGES = (
    *LAB_PACKAGES, "linux-image-cloud-amd64", "initramfs-tools", "udev", "openssh-server", "python3-pydantic",
    "python3-typer", "python3-rich", "python3-yaml", "mmdebstrap",
)  # fmt: skip
"""Those of a lab host, what a machine needs to boot by itself, and what eyas stands on."""
MEMORY = 3072  # MiB
BOOT = 900.0  # seconds until it lets in; about a minute on a quiet machine
SLOWNESS = 3  # 2^3 ns an instruction: about what an emulator can do, so that its clock keeps up with ours

# As a provider gives it: the addresses of the emulator's own network ("-netdev user").
_UPLINK = "[Match]\nName=eth0\n\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nIPv6AcceptRA=no\n"
_SOURCE = "/usr/local/lib/eyas-source"
_PROGRAM = f'#!/bin/sh\nPYTHONPATH={_SOURCE} exec python3 -m eyas "$@"\n'
_UNITS = "/usr/lib/systemd/system"
_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty.target", "serial-getty@ttyS0.service", "getty-static.service", "systemd-timesyncd.service",
)  # fmt: skip
_ENABLED = {
    "dbus-org.freedesktop.network1.service": "systemd-networkd.service",
    "multi-user.target.wants/systemd-networkd.service": "systemd-networkd.service",
    "multi-user.target.wants/machines.target": "machines.target",
    "multi-user.target.wants/ssh.service": "ssh.service",
    "sockets.target.wants/systemd-networkd.socket": "systemd-networkd.socket",
}


def make_disk(folder: Path, fleet: Path) -> None:
    """``disk.img``, ``kernel``, ``initrd`` and ``key`` in a folder, for a machine that holds the definitions in
    ``fleet`` and has applied nothing yet."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")])
    tree = _tree(folder / "tree")
    try:
        _furnish(tree, (folder / "key.pub").read_text())
        _carry(tree, fleet)
        for name, kept in (("vmlinuz", "kernel"), ("initrd.img", "initrd")):
            (found,) = (tree / "boot").glob(f"{name}-*")
            shutil.move(found, folder / kept)
        run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), "-L", "root", str(folder / "disk.img"), "6G"], timeout=300)
    finally:
        shutil.rmtree(tree)


def _tree(path: Path) -> Path:
    """The image, built where it is missing, as files of its own."""
    from eyas.image import Recipe, build, cache_dir, key, read_lock, resolve, state_dir, store_path, write_lock

    recipe = Recipe(NAME, packages=PACKAGES)
    kept = cache_dir() / f"{NAME}.lock"
    lock = resolve([recipe], read_lock(kept), cache_dir())
    built = build([recipe], lock, state_dir(), cache_dir())[key(recipe, lock)]
    write_lock(kept, lock)
    run(["ostree", "checkout", f"--repo={store_path(state_dir())}", "--force-copy", built.commit, str(path)])
    return path


def _furnish(tree: Path, public_key: str) -> None:
    units = tree / "etc/systemd/system"
    files = {
        "etc/hostname": f"{NAME}\n",
        "etc/hosts": f"127.0.0.1 localhost {NAME}\n",
        "etc/resolv.conf": "nameserver 127.0.0.1\n",
        "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
        "etc/systemd/network/05-provider.network": _UPLINK,
        # It may be very slow, and it is always the same who asks: nothing of that is an attack.
        "etc/ssh/sshd_config.d/emulated.conf": "PerSourcePenalties no\nMaxStartups 100\nLoginGraceTime 0\n",
    }
    for path, text in files.items():
        write_whole(tree / path, text, sync=False)
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    write_whole(tree / "root/.ssh/authorized_keys", public_key, 0o600, sync=False)
    run(["ssh-keygen", "-A", "-f", str(tree)])  # an image has no host keys
    links = dict.fromkeys(_MASKED, "/dev/null") | {wish: f"{_UNITS}/{unit}" for wish, unit in _ENABLED.items()}
    for name, target in links.items():
        (units / name).parent.mkdir(parents=True, exist_ok=True)
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to(target)
    # eyas as an administrator would have it there, compiled once and not at each of its slow starts.
    package = Path(eyas.__file__).parent
    shutil.copytree(package, tree / _SOURCE.lstrip("/") / "eyas", ignore=shutil.ignore_patterns("__pycache__"))
    write_whole(tree / "usr/local/bin/eyas", _PROGRAM, 0o755, sync=False)
    run(["chroot", str(tree), "python3", "-m", "compileall", "-q", _SOURCE], timeout=300)


def _carry(tree: Path, fleet: Path) -> None:
    """The definitions, and the images that they need, in the store of that machine."""
    from eyas.image import state_dir, store_path
    from eyas.image.records import PREFIX

    said = run([sys.executable, "-m", "eyas", "-C", str(fleet), "build", "--json"], timeout=1800).text
    shutil.copytree(fleet, tree / FLEET.lstrip("/"), ignore=shutil.ignore_patterns("__pycache__", ".eyas"))
    state = tree / "var/lib/eyas"
    (state / "builds").mkdir(parents=True)
    state.chmod(0o700)
    run(["ostree", "init", f"--repo={state}/store", "--mode=bare"])
    for image in json.loads(said)["images"]:
        ref = PREFIX + image["key"]
        run(["ostree", f"--repo={state}/store", "pull-local", str(store_path(state_dir())), ref], timeout=300)
        for end in (".json", ".facts.json"):
            shutil.copy(state_dir() / "builds" / f"{image['key']}{end}", state / "builds")


@dataclass
class Emulated:
    """A machine that runs. ``port``: of this machine's loopback, where its SSH answers."""

    folder: Path
    port: int
    process: Process

    def command(self, *argv: str) -> list[str]:
        """The command line of this machine that runs one there, as root."""
        known = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=30")
        options = [word for option in known for word in ("-o", option)]
        where = ["-i", str(self.folder / "key"), "-p", str(self.port), "root@127.0.0.1"]
        return ["ssh", *options, *where, "--", shlex.join(argv)]

    def execute(self, *argv: str, input: str | None = None, timeout: float = 600) -> Result:
        return run(self.command(*argv), input=input, timeout=timeout, check=False)

    def succeed(self, *argv: str, input: str | None = None, timeout: float = 600) -> str:
        """A command that must succeed; what it printed."""
        done = self.execute(*argv, input=input, timeout=timeout)
        if done.code != 0:
            raise Failed(f"cannot run {argv[0]} on the emulated machine: exit status {done.code}: {done.error}")
        return done.text

    def eyas(self, *words: str, timeout: float = 1800) -> str:
        """A command of eyas there, on its own host."""
        return self.succeed("eyas", "-C", FLEET, *words, timeout=timeout)

    def inside(self, container: str, script: str, timeout: float = 600) -> str:
        """A shell script in a container there."""
        where = ["systemd-run", f"--machine={container}", "--quiet", "--pipe", "--wait", "--collect", "--"]
        return self.succeed(*where, "sh", "-ec", script, timeout=timeout)

    def console(self) -> str:
        """The last that it wrote there."""
        return (self.folder / "console.log").read_text(errors="replace")[-3000:]

    def wait(self) -> None:
        """Until it has booted, and lets in."""
        until = time.monotonic() + BOOT
        while True:
            with contextlib.suppress(Failed):  # it took too long: it is busy
                if self.execute("true", timeout=60).code == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > until:
                raise Failed(f"cannot reach the emulated machine: {self.console()}")
            time.sleep(1)


def _argv(folder: Path, port: int) -> list[str]:
    # Without cx16 its kernel is not led to an instruction that not every version of the emulator gets right.
    return [
        "setpriv", "--pdeathsig", "KILL",  # it does not outlive whoever started it
        "qemu-system-x86_64", "-accel", "tcg,thread=single,tb-size=512", "-cpu", "max,cx16=off", "-smp", "1",
        "-icount", f"shift={SLOWNESS},sleep=on,align=off", "-m", str(MEMORY),
        "-nodefaults", "-no-reboot", "-display", "none", "-serial", f"file:{folder}/console.log",
        "-kernel", f"{folder}/kernel", "-initrd", f"{folder}/initrd",
        "-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off net.ifnames=0",
        "-drive", f"file={folder}/disk.img,format=raw,if=virtio,cache=unsafe",
        "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def emulated(folder: Path, fleet: Path) -> Iterator[Emulated]:
    """A machine that holds a fleet's definitions and has applied nothing yet, for as long as the block lasts."""
    make_disk(folder, fleet)
    port = _free_port()
    with (folder / "emulator.log").open("wb") as log:
        process = launch(_argv(folder, port), output=log.fileno(), detach=True)
    try:
        machine = Emulated(folder, port, process)
        machine.wait()
        yield machine
    finally:
        process.kill()
        process.wait()
        (folder / "disk.img").unlink(missing_ok=True)
