"""What leaving from a pool costs: new connections and throughput of a container with a pool of 64 and of 4,096
addresses, and of one that leaves as ever on a host that has the table of egress.

wrk(1) in the container asks an nginx in the lab's internet, over IPv6: with a connection for each request, and with
connections that stay and a file of a megabyte. While it runs, the table is taken away and put back, many times; what
the other side sees in a fraction of a second with it and in the one without it is one pair, which gives one ratio. Who
asks and who answers share one processor: it is never idle, so that all that the rules cost is seen.
usage: egress.py [--seconds N] [--slice SECONDS] [--connections N] [--lab DIR] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.common import HERE, Report, wait_for_quiet
from benchmarks.labs import BenchLab, applied, scratch
from eyas.core import paths
from eyas.lab.testing import retry

THERE, PORT = "2001:db8:ffff::10", 8090
PLAIN, FEW, MANY = "a container without", "a pool of 64", "a pool of 4,096"
WHERE = {PLAIN: "plain", FEW: "few", MANY: "many"}
WAYS = {"new connections": "small", "throughput": "large"}
GOAL = 0.98
REMEMBERED = "net.netfilter.nf_conntrack_tcp_timeout_time_wait"
PROCESSOR = "1"
SETTLE = 0.05  # seconds after the rules have changed
METER = """
import sys, time
for line in sys.stdin:
    names, values = (row.split() for row in open("/proc/net/snmp") if row.startswith("Tcp:"))
    sent = max(int(row.split()[9]) for row in open("/proc/net/dev") if ":" in row and "lo:" not in row)
    print(time.monotonic(), values[names.index("PassiveOpens")], sent, flush=True)
"""
CONF = """
daemon off; user root; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fast;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen [{there}]:{port} backlog=4096; root {folder}; }}
}}
"""
GONE, THERE_AGAIN = "/var/tmp/egress-gone.nft", "/var/tmp/egress-there.nft"


@contextmanager
def answering(lab: BenchLab, folder: Path) -> Iterator[None]:
    """An nginx in the internet: the program of a container's tree, with the libraries of that tree."""
    (folder / "small").write_text("hello\n")
    (folder / "large").write_bytes(b"x" * 2**20)
    (folder / "nginx.conf").write_text(CONF.format(folder=folder, there=THERE, port=PORT))
    tree = next(path.parents[2] for path in sorted((lab.root / "var/lib/eyas/trees").glob("*/usr/sbin/nginx")))
    loader, libraries = tree / "usr/lib64/ld-linux-x86-64.so.2", tree / "usr/lib/x86_64-linux-gnu"
    program = ["taskset", "-c", PROCESSOR, str(loader), "--library-path", str(libraries), str(tree / "usr/sbin/nginx")]
    argv = lab.lab.command("internet", [*program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            retry(lambda: (folder / "pid").exists(), "nginx is up", 10)
            yield
        finally:
            process.terminate()


@contextmanager
def asking(lab: BenchLab, case: str, way: str, seconds: float, connections: int) -> Iterator[None]:
    """wrk in a container for so many seconds. Anything that went wrong for it ends the benchmark."""
    more = ("-H", "Connection: close") if way == "new connections" else ()
    url = f"http://[{THERE}]:{PORT}/{WAYS[way]}"
    command = ("wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", *more, url)
    where = (f"--machine={WHERE[case]}", f"--property=CPUAffinity={PROCESSOR}")
    argv = lab.lab.command("bench", ["systemd-run", *where, "-q", "--pipe", "--wait", "--", *command])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        yield
        said, _ = process.communicate(timeout=seconds + 60)
    if process.returncode or "Non-2xx" in said or re.search(r"(connect|read|write|timeout) [1-9]", said):
        raise SystemExit(f"{case}: {said}")


class Meter:
    """What the internet's side has seen: connections that were made to it, and bytes that it has sent."""

    def __init__(self, lab: BenchLab) -> None:
        argv = lab.lab.command("internet", [sys.executable, "-c", METER])
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        at, opened, sent = map(float, self.process.stdout.readline().split())
        return {"at": at, "new connections": opened, "throughput": sent / 2**20}

    def rate(self, way: str, seconds: float) -> float:
        before = self.read()
        time.sleep(seconds)
        after = self.read()
        return (after[way] - before[way]) / (after["at"] - before["at"])

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def prepare(lab: BenchLab) -> None:
    """Two transactions: all that egress has in the packet filter goes, and comes back; what was counted stays, as on a
    host that has run for a while."""
    table = "inet eyas_egress"
    rules = (lab.root / "etc/eyas/egress.nft").read_text().partition(f"delete table {table}\n")[2]
    assert f"table {table} {{" in rules
    chains = re.findall(r"^\tchain (\S+) \{", rules, re.MULTILINE)
    gone = [*(f"add chain {table} {name}" for name in chains), f"flush table {table}"]  # also when they are gone
    gone += [f"delete chain {table} {name}" for name in chains]
    firewall = (lab.root / paths.FIREWALL[1:]).read_text().partition("\tchain forward {\n")[2].partition("\t}\n")[0]
    forward = [line.strip() for line in firewall.splitlines()[1:]]
    plain = [line for line in forward if "rst == 0" not in line and line != "jump ends"]
    assert len(forward) == len(plain) + 2
    (lab.root / GONE[1:]).write_text("\n".join([*gone, *_forward(plain), ""]))
    (lab.root / THERE_AGAIN[1:]).write_text("\n".join([*_forward(forward), rules]))


def _forward(rules: list[str]) -> list[str]:
    return ["flush chain inet eyas forward", *(f"add rule inet eyas forward {rule}" for rule in rules)]


def pairs(lab: BenchLab, meter: Meter, case: str, way: str, given: argparse.Namespace) -> list[tuple[float, float]]:
    """(without, with) again and again, in changing order."""
    found: list[tuple[float, float]] = []
    with asking(lab, case, way, given.seconds + 4, given.connections):
        time.sleep(2.5)  # most addresses have been left from then
        end = time.monotonic() + given.seconds
        while time.monotonic() < end:
            seen = {}
            for there in (True, False) if len(found) % 2 else (False, True):
                lab.succeed("nft", "-f", THERE_AGAIN if there else GONE)
                time.sleep(SETTLE)
                seen[there] = meter.rate(way, given.slice)
            found.append((seen[False], seen[True]))
    lab.succeed("nft", "-f", THERE_AGAIN)
    return found


def measure(lab: BenchLab, given: argparse.Namespace, report: Report) -> None:
    """Nothing rotates meanwhile, and no connection is remembered for long, or the one address that all leave from
    without a pool would have no port left after some seconds."""
    lab.succeed("systemctl", "stop", "eyas-egress.timer", "eyas-egress.socket")
    old = lab.succeed("sysctl", "-n", REMEMBERED)
    lab.succeed("sysctl", "-q", "-w", f"{REMEMBERED}=1")
    meter = Meter(lab)
    prepare(lab)
    try:
        for way in WAYS:
            for case in WHERE:
                tell(report, way, case, pairs(lab, meter, case, way, given))
    finally:
        meter.end()
        lab.succeed("sysctl", "-q", "-w", f"{REMEMBERED}={old}")
        lab.succeed("systemctl", "start", "eyas-egress.socket", "eyas-egress.timer")


def tell(report: Report, way: str, case: str, found: list[tuple[float, float]]) -> None:
    ratios = sorted(ours / bare for bare, ours in found)
    low, high = interval(len(ratios))
    middle = statistics.median(ratios)
    bare, ours = (statistics.median(side) for side in zip(*found, strict=True))
    unit = "1/s" if way == "new connections" else "MB/s"
    report.say(
        f"{way}, {case}: {ours:.0f} {unit}, without egress on the host {bare:.0f}; ratio {middle:.3f} "
        f"(in 19 of 20 cases {ratios[low]:.3f} to {ratios[high]:.3f}), {len(ratios)} pairs"
    )
    report.figures[f"{way}, {case}"] = found
    report.goal(f"{way}, without / {case}", 1 / middle, round(1 / GOAL, 3))


def interval(count: int) -> tuple[int, int]:
    """Places in a sorted list between which its true median is in 19 of 20 cases (of the sign test)."""
    half = round(1.96 * count**0.5 / 2)
    return max(0, count // 2 - half), min(count - 1, count // 2 + half)


def sources(lab: BenchLab, connections: int) -> int:
    """How many addresses connections have left from: that the pools are used at all."""
    for case in (FEW, MANY):
        with asking(lab, case, "new connections", 2, connections):
            pass
    return lab.succeed("nft", "-j", "list", "set", "inet", "eyas_egress", "used").count('"concat"')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40, help="for each container and each kind of load")
    parser.add_argument("--slice", type=float, default=0.2, help="seconds of each half of a pair")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--lab", type=Path, help="a directory with this fleet whose lab is up and applied")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a quiet machine")
    args = parser.parse_args()
    with scratch() as folder, scratch() as served:
        if not args.lab:
            shutil.copytree(HERE / "fleets/egress", folder, dirs_exist_ok=True)
        with nullcontext(BenchLab(args.lab)) if args.lab else applied(folder) as lab, answering(lab, served):
            wait_for_quiet(args.wait)
            report = Report("egress", "Leaving from a pool of addresses, beside leaving as ever")
            measure(lab, args, report)
            report.say(f"addresses that connections left from, of 64 and 4,096: {sources(lab, args.connections)}")
            report.write()


if __name__ == "__main__":
    main()
