"""What leaving from a pool costs: new connections and throughput of a container with a pool of 64 and of 4,096
addresses, beside one that leaves as ever, on a host without the table of egress and on one with it.

wrk(1) in the container asks an nginx in the lab's internet, over IPv6: with a connection for each request, and with
connections that stay and a file of a megabyte. Cases are run in turns; each round gives a ratio of its own.
usage: egress.py [--rounds N] [--seconds N] [--connections N] [--lab DIR] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.common import HERE, Report, wait_for_quiet
from benchmarks.labs import BenchLab, applied, scratch

THERE, PORT = "2001:db8:ffff::10", 8090
BARE, PLAIN, FEW, MANY = "no egress on the host", "a container without", "a pool of 64", "a pool of 4,096"
WHERE = {BARE: "plain", PLAIN: "plain", FEW: "few", MANY: "many"}
WAYS: Mapping[str, tuple[str, str]] = {
    "new connections": ("small", "Requests/sec"),
    "throughput": ("large", "Transfer/sec"),
}
UNITS = {"": 1.0, "KB": 2**-10, "MB": 1.0, "GB": 2.0**10}
GOAL = 0.98
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
TABLE = ("table", "inet", "eyas_egress")


@contextmanager
def answering(lab: BenchLab, folder: Path) -> Iterator[None]:
    """An nginx in the internet: the program of a container's tree, with the libraries of that tree."""
    (folder / "small").write_text("hello\n")
    (folder / "large").write_bytes(b"x" * 2**20)
    (folder / "nginx.conf").write_text(CONF.format(folder=folder, there=THERE, port=PORT))
    tree = next(path.parents[2] for path in sorted((lab.root / "var/lib/eyas/trees").glob("*/usr/sbin/nginx")))
    loader, libraries = tree / "usr/lib64/ld-linux-x86-64.so.2", tree / "usr/lib/x86_64-linux-gnu"
    program = [str(loader), "--library-path", str(libraries), str(tree / "usr/sbin/nginx")]
    argv = lab.lab.command("internet", [*program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def wrk(lab: BenchLab, case: str, way: str, seconds: int, connections: int) -> float:
    """One run: requests or megabytes a second. Anything that went wrong ends the benchmark."""
    file, what = WAYS[way]
    more = ("-H", "Connection: close") if way == "new connections" else ()
    url = f"http://[{THERE}]:{PORT}/{file}"
    command = ("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *more, url)
    said = lab.succeed("systemd-run", f"--machine={WHERE[case]}", "-q", "--pipe", "--wait", "--", *command, timeout=300)
    if "Non-2xx" in said or re.search(r"(connect|read|write|timeout) [1-9]", said):
        raise SystemExit(f"{case}: {said}")
    found = re.search(rf"{what}:\s+([\d.]+)(KB|MB|GB|)", said)
    assert found, said
    return float(found[1]) * UNITS[found[2]]


def measure(lab: BenchLab, rounds: int, seconds: int, connections: int, report: Report) -> None:
    """Cases in turns, never in the same order twice in a row. Nothing rotates meanwhile."""
    lab.succeed("systemctl", "stop", "eyas-egress.timer", "eyas-egress.socket")
    for way in WAYS:
        found: dict[str, list[float]] = {case: [] for case in WHERE}
        for number in range(rounds + 1):
            cases = [*WHERE]
            for case in cases[number % len(cases) :] + cases[: number % len(cases)]:
                if case == BARE:
                    lab.succeed("nft", "delete", *TABLE)
                value = wrk(lab, case, way, seconds if number else 1, connections)
                if case == BARE:
                    lab.succeed("nft", "-f", "/etc/eyas/egress.nft")
                if number:  # the first one is for warming up
                    found[case].append(value)
        tell(report, way, found)
    lab.succeed("systemctl", "start", "eyas-egress.socket", "eyas-egress.timer")


def tell(report: Report, way: str, found: Mapping[str, list[float]]) -> None:
    report.table(way, found, "1/s" if way == "new connections" else "MB/s")
    for case in (PLAIN, FEW, MANY):
        ratios = [ours / bare for ours, bare in zip(found[case], found[BARE], strict=True)]
        report.say(f"{case}, ratios of the rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
        quarter = statistics.mean(_best(found[case])) / statistics.mean(_best(found[BARE]))
        report.say(f"{case}, ratio of the best quarters, which others on the machine disturb least: {quarter:.3f}")
        if case != PLAIN:
            report.goal(f"{way}, without / {case}", 1 / statistics.median(ratios), round(1 / GOAL, 3))


def _best(values: list[float]) -> list[float]:
    return sorted(values)[-max(1, len(values) // 4) :]


def sources(lab: BenchLab, connections: int) -> int:
    """How many addresses connections have left from: that the pools are used at all."""
    for case in (FEW, MANY):
        wrk(lab, case, "new connections", 2, connections)
    return lab.succeed("nft", "-j", "list", "set", "inet", "eyas_egress", "used").count('"concat"')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=1, help="of each run")
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
            measure(lab, args.rounds, args.seconds, args.connections, report)
            report.say(f"addresses that connections left from, of 64 and 4,096: {sources(lab, args.connections)}")
            report.write()


if __name__ == "__main__":
    main()
