"""A job that nobody trusts: it tries what it must not do, and says of each how it was refused.

Runs alone, in the job; with arguments it tries only those. Prints a JSON object: name of the attempt to [refused, what
was seen]. ``DONE`` in a text means that it got through.
"""
# ruff: noqa
# mypy: ignore-errors

import ctypes
import errno
import glob
import json
import os
import signal
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
QUICK, HOST, HOST6 = "10.0.8.10", "10.0.8.1", "fd00:8::1"


def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "DONE"


def syscall(number, *arguments):
    return call("syscall", ctypes.c_long(number), *arguments)


def read(path):
    with open(path, "rb") as file:
        return f"DONE: {file.read(60)!r}"


def there(*patterns):
    """None of these paths is to be found."""
    found = [path for pattern in patterns for path in glob.glob(pattern)]
    if not found:
        raise OSError(errno.ENOENT, "nothing of the kind is there")
    return f"DONE: {found[:5]}"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return "DONE"


def connect(address, port, kind=socket.SOCK_STREAM):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(2)
        client.connect((address, port))
        if kind == socket.SOCK_DGRAM:
            client.send(b"\0" * 12)
            client.recv(100)
    return "DONE"


def unix(*paths):
    said = None
    for path in paths:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(path)
                return f"DONE: {path}"
            except OSError as error:
                said = error
    raise said


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(errno.EPERM, lines[-1][:100] if lines else f"exit status {done.returncode}")
    return f"DONE: {done.stdout[:80]!r}"


def become_root():
    os.setuid(0)
    return "DONE"


def setuid_program():
    """A program with the set-user-ID bit, its own or Debian's."""
    for path in ("/usr/bin/su", "/usr/bin/newgrp", "/usr/bin/passwd"):
        if os.path.exists(path) and os.stat(path).st_mode & 0o4000:
            run(path, *(["-c", "id"] if path.endswith("su") else []))
            return f"DONE: {path}"
    os.chmod("/build/own", 0o4755)
    return "DONE"


def other_processes():
    """Anybody who is not of this job."""
    known = {str(os.getpid()), str(os.getppid()), "1"}
    others = []
    for pid in os.listdir("/proc"):
        if pid.isdigit() and pid not in known:
            try:
                if open(f"/proc/{pid}/status").read().find("Uid:\t990\t") < 0:
                    others.append(pid)
            except OSError:
                continue
    if not others:
        raise OSError(errno.ESRCH, "nobody else is to be seen")
    return f"DONE: {others}"


def kill_all():
    """Everybody beyond this job: the first process is of the job itself."""
    if b"attempts" not in open("/proc/1/cmdline", "rb").read() and b".job" not in open("/proc/1/cmdline", "rb").read():
        os.kill(1, signal.SIGCONT)
        return "DONE"
    raise OSError(errno.ESRCH, "process 1 is the job itself")


def escape_cgroup():
    """Into a group above its own."""
    for path in glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True):
        try:
            write(path, str(os.getpid()))
        except OSError as error:
            said = error
            continue
        return f"DONE: {path}"
    raise said


def lift_limits():
    found = glob.glob("/sys/fs/cgroup/**/*.max", recursive=True) or ["/sys/fs/cgroup/memory.max"]
    return write(found[0], "max")


def fill_log():
    return write("/var/log/journal/x", "x")


def mount_here():
    return call("mount", b"x", b"/build", b"tmpfs", 0, None)


def cgroup_mount():
    return call("mount", b"x", b"/build", b"cgroup2", 0, None)


def neighbour_name():
    return f"DONE: {socket.gethostbyname('quick')}"


def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return "DONE"


def packet():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)
    return "DONE"


def netlink():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    return "DONE"


def ptrace():
    if os.getppid() in (0, 1):
        return call("ptrace", 16, 2, None, None)
    return call("ptrace", 16, os.getppid() + 1_000_000, None, None)


def abstract():
    """Sockets without a path, of anybody in the container."""
    for line in open("/proc/net/unix"):
        name = line.split()[-1]
        if name.startswith("@"):
            unix("\0" + name[1:])
            return f"DONE: {name}"
    raise OSError(errno.ENOENT, "there is none")


ATTEMPTS = {
    # the host's files, and those of the container
    "host: its data": lambda: there("/srv/*/*", "/data*", "/var/lib/eyas*", "/home/*"),
    "host: its specification of the container": lambda: there("/etc/eyas*", "/run/eyas*", "/run/host/[!o]*"),
    "host: its root by the first process": lambda: there("/proc/1/root/srv/*", "/proc/1/root/var/spool/*"),
    "host: its disks": lambda: there("/dev/vd*", "/dev/sd*", "/dev/nvme*", "/dev/loop*", "/dev/dm-*", "/dev/mapper"),
    "runner: how it runs jobs": lambda: there("/usr/local/lib/eyas/ci-queue.conf", "/run/ci*", "/var/spool/*"),
    "runner: change a program": lambda: write("/usr/bin/true", "x"),
    "runner: leave a program": lambda: write("/usr/local/bin/x", "x"),
    "runner: its journal": lambda: there("/var/log/journal/*", "/run/log/*"),
    "runner: write into its journal's folder": fill_log,
    # secrets
    "secrets: keys of SSH": lambda: there("/etc/ssh/*", "/root/.ssh/*", "/home/*/.ssh/*"),
    "secrets: passwords": lambda: read("/etc/shadow"),
    "secrets: root's home": lambda: os.listdir("/root") and "DONE" or "DONE",
    "secrets: certificates and credentials": lambda: there("/etc/eyas/certificates*", "/run/credentials/*/*"),
    "secrets: environment of others": other_processes,
    "secrets: the kernel's keyring": lambda: syscall(250, 0, -3, 1),
    # neighbours and the host over the network
    "network: a neighbour's port": lambda: connect(QUICK, 8080),
    "network: a neighbour's port over IPv6": lambda: connect("fd00:8::10", 8080),
    "network: a neighbour by its name": neighbour_name,
    "network: the host's SSH": lambda: connect(HOST, 666),
    "network: the host over IPv6": lambda: connect(HOST6, 666),
    "network: the host's name server": lambda: connect(HOST, 53, socket.SOCK_DGRAM),
    "network: a raw socket": raw,
    "network: frames on the wire": packet,
    "network: change interfaces": netlink,
    # devices
    "devices: make one": lambda: os.mknod("/build/disk", 0o060600, os.makedev(8, 0)) or "DONE",
    "devices: memory": lambda: there("/dev/mem", "/dev/kmem", "/dev/port"),
    "devices: virtual machines, fuse, tun": lambda: there("/dev/kvm", "/dev/fuse", "/dev/net/tun"),
    "devices: loop control": lambda: read("/dev/loop-control"),
    "devices: the kernel's log": lambda: read("/dev/kmsg"),
    # the bus and the service manager
    "bus: the system bus": lambda: unix("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"),
    "bus: the service manager": lambda: unix("/run/systemd/private", "/run/systemd/notify"),
    "bus: sockets without a path": abstract,
    "bus: start a unit": lambda: run("systemctl", "start", "dbus.service"),
    # the kernel
    "kernel: change a setting": lambda: write("/proc/sys/kernel/hostname", "mine"),
    "kernel: dump cores through a program": lambda: write("/proc/sys/kernel/core_pattern", "|/build/.job"),
    "kernel: its magic key": lambda: write("/proc/sysrq-trigger", "h"),
    "kernel: load a module": lambda: syscall(175, 0, 0, b""),
    "kernel: BPF": lambda: syscall(321, 0, 0, 0),
    "kernel: performance counters": lambda: syscall(298, 0, 0, -1, -1, 0),
    "kernel: io_uring": lambda: syscall(425, 1, ctypes.create_string_buffer(120)),
    "kernel: set the clock": lambda: call("settimeofday", ctypes.create_string_buffer(16), None),
    "kernel: reboot": lambda: call("reboot", 0x1234567),
    "kernel: its addresses": lambda: (
        (_ for _ in ()).throw(PermissionError(13, "all are 0"))
        if not any(line.split()[0].strip("0") for line in open("/proc/kallsyms"))
        else "DONE"
    ),
    # more than it was given
    "rights: become root": become_root,
    "rights: programs with the set-user-ID bit": setuid_program,
    "rights: a namespace of users": lambda: call("unshare", 0x10000000),
    "rights: a namespace of mounts": lambda: call("unshare", 0x20000),
    "rights: mount": mount_here,
    "rights: another root": lambda: os.chroot("/build") or "DONE",
    "rights: trace another process": ptrace,
    "rights: a higher priority": lambda: os.nice(-5) and "DONE",
    "rights: real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or "DONE",
    "rights: end the container": kill_all,
    # its control group
    "cgroup: leave it": escape_cgroup,
    "cgroup: lift its limits": lift_limits,
    "cgroup: make another": lambda: os.mkdir("/sys/fs/cgroup/mine") or "DONE",
    "cgroup: mount it anew": cgroup_mount,
}


def main(names):
    outcome = {}
    for name in names or ATTEMPTS:
        attempt = ATTEMPTS[name]
        try:
            seen = attempt()
            outcome[name] = [not str(seen).startswith("DONE"), str(seen)]
        except (OSError, subprocess.SubprocessError) as error:
            outcome[name] = [True, getattr(error, "strerror", None) or str(error)]
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1:])
