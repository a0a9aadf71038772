"""PKGBUILDs in the queue become packages that pacman takes, and installs in a fresh root."""

from __future__ import annotations

from tests.lab.builder.forge import DONE, POOL, Forge, simple

NOTHING = {"mounts": "0", "groups": "0", "roots": "0", "scratch": "0", "loops": "0", "homes": "0", "units": "0"}


def test_packages_are_built_signed_published_and_installed(forge: Forge) -> None:
    """Three real PKGBUILDs, one of which needs another; with the whole way of signatures, and over HTTP."""
    forge.published("hello", "library", "program")
    offered = forge.offered()
    assert {name: offered[name] for name in ("hello", "library", "program")} == {
        "hello": "1-1",
        "library": "2-1",
        "program": "3-1",
    }
    install = "pacman -Sy --noconfirm --noprogressbar hello program && hello-1 && cat /usr/share/program/made-with && "
    said = forge.builder("root", install + "pacman -Qkk hello library program && pacman -Dk")
    assert "hello from a package" in said
    assert "library 2" in said
    assert said.count("0 altered files") == 3
    assert forge.left() == NOTHING


def test_a_changed_byte_or_a_foreign_key_is_refused(forge: Forge) -> None:
    """The signatures are looked at: pacman takes neither a package nor a database that somebody else has written."""
    forge.published("hello", "--force") if "hello" not in forge.offered() else None
    file = f"{POOL}/hello-1-1-x86_64.pkg.tar.zst"
    forge.succeed("forge", "sh", "-c", f"cp {file} /var/tmp/kept && printf x | dd of={file} bs=1 seek=99 conv=notrunc")
    try:
        install = ("package-builder", "root", "pacman -Sy --noconfirm hello")
        assert "hello" in forge.fail("forge", *install)
    finally:
        forge.succeed("forge", "cp", "/var/tmp/kept", file)
    forge.succeed("forge", "package-builder", "root", "pacman -Sy --noconfirm hello")


def test_nothing_changed_is_nothing_built(forge: Forge) -> None:
    forge.over(forge.queue("hello"))
    (row,) = forge.over(forge.queue("hello")).values()
    assert row["state"] == "unchanged"


def test_logs_are_there_while_it_runs_and_a_build_can_be_cancelled(forge: Forge) -> None:
    forge.put(simple("slow", lines="echo here it is; sleep 300"))
    try:
        (id,) = forge.queue("slow", "--priority", "urgent")
        forge.host.wait_until(lambda: "here it is" in forge.log(id), "the log tells", 60)
        with forge.background("forge", "package-builder", "logs", "--follow", id) as follower:
            assert follower.stdout is not None
            assert "here it is\n" in iter(follower.stdout.readline, "")
            assert follower.poll() is None, "it goes on as the build does"
        forge.builder("cancel", id)
        (row,) = forge.over([id]).values()
        assert row["state"] == "cancelled"
        forge.host.wait_until(lambda: forge.left() == NOTHING, "nothing is left", 20)
        assert "slow" not in forge.offered()
    finally:
        forge.remove("slow")


def test_words_that_mean_nothing_are_one_line(forge: Forge) -> None:
    """For people in the container: no traceback, and the status says whose mistake it is."""
    wrong = {
        "queue helo": (1, "cannot queue helo: there is no such package (there are: "),
        "queue --schedule weekly": (1, "cannot queue: there is no schedule weekly"),
        "logs nobody": (1, "cannot find a build nobody"),
        "cancel 1": (1, "cannot find a build 1"),
        "queue": (2, "which packages?"),
        "root 'exit 7'": (7, ""),
    }
    for words, (code, said) in wrong.items():
        done = forge.execute("forge", "sh", "-c", f"package-builder {words}")
        assert done.code == code, (words, done)
        assert said in done.error
        assert "Traceback" not in done.error
    done = forge.execute("forge", "setpriv", "--reuid=nobody", "--clear-groups", "package-builder", "list")
    assert (done.code, "only root can" in done.error) == (1, True), done


def test_a_broken_package_fails_with_its_reason(forge: Forge) -> None:
    forge.put(simple("broken", lines="echo the reason; false"))
    try:
        (row,) = forge.over(forge.queue("broken")).values()
        assert row["state"] == "failed"
        assert "makepkg ended with" in row["why"]
        assert "the reason" in forge.log("broken")
    finally:
        forge.remove("broken")


def test_a_build_sees_a_clean_root_and_no_network(forge: Forge) -> None:
    """No key, no queue, no other build's files, no way out; what it leaves is gone with it."""
    hidden = "/etc/package-builder /var/lib/package-builder /run/package-builder /srv/http /var/tmp/mark"
    look = f'for path in {hidden}; do test ! -e "$path"; done; '
    look += "! ip -o addr show up 2>/dev/null | grep -v ' lo ' | grep inet; "
    look += "test $(env -u LD_PRELOAD id -u) = 1000; touch /var/tmp/mark"
    try:
        for version in ("1", "2"):
            forge.put(simple("nosy", version, look))
            (row,) = forge.over(forge.queue("nosy")).values()
            assert row["state"] in DONE, forge.log(row["id"])
    finally:
        forge.remove("nosy")
