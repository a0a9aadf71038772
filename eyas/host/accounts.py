"""Users of the host, by the tools of passwd(5)."""

from __future__ import annotations

from eyas.core.errors import Failed
from eyas.core.system import Account
from eyas.host.command import run

NO_CHANGE = 6  # userdel, groupdel: it does not exist (userdel(8), "EXIT VALUES")


class RealAccounts:
    """`eyas.core.system.Accounts`."""

    def get(self, name: str) -> Account | None:
        import pwd

        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return None
        groups = tuple(_groups_of(name))
        return Account(name, found.pw_uid, found.pw_gid, found.pw_dir, found.pw_shell, found.pw_gecos, groups)

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        import grp
        import pwd

        try:
            uid = int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
        except KeyError as error:
            raise Failed(
                f"cannot give a file an owner: {error.args[0]}", "declare the user, or give a number"
            ) from None
        return uid, gid

    def put(self, account: Account) -> None:
        import grp

        have = self.get(account.name)
        try:
            grp.getgrgid(account.gid)
        except KeyError:
            run(["groupadd", "--gid", str(account.gid), account.name])
        options = [
            "--uid", str(account.uid), "--gid", str(account.gid), "--home-dir" if have is None else "--home",
            account.home, "--shell", account.shell, "--comment", account.gecos, "--groups", ",".join(account.groups),
        ]  # fmt: skip
        if have is None:
            run(["useradd", "--create-home", "--no-user-group", *options, account.name])
        elif have != account:
            run(["usermod", *options, account.name])

    def remove(self, name: str) -> None:
        import grp

        if self.get(name) is not None:
            result = run(["userdel", name], check=False)
            if result.code not in (0, NO_CHANGE, 12):  # 12: the home could not be removed; it is to stay
                run(["userdel", name])
        try:
            grp.getgrnam(name)
        except KeyError:
            return
        run(["groupdel", name], check=False)  # it stays when somebody else is in it

    def secret(self, name: str) -> str:
        with open("/etc/shadow", encoding="utf-8", errors="surrogateescape") as file:
            return next((line.rstrip("\n") for line in file if line.startswith(f"{name}:")), "")

    def put_secret(self, line: str) -> None:
        name, password, *times = line.split(":")
        if self.secret(name) == line:
            return
        run(["chpasswd", "--encrypted"], input=f"{name}:{password}\n")  # not as an argument: anybody sees those
        flags = ("--lastday", "--mindays", "--maxdays", "--warndays", "--inactive", "--expiredate")
        words = [word for flag, value in zip(flags, times, strict=False) for word in (flag, value or "-1")]
        run(["chage", *words, name])


def _groups_of(name: str) -> list[str]:
    """Groups of /etc/group (group(5)) that a user is in, sorted: what usermod changes. To ask for all groups would
    ask every service that the host has them from, systemd-userdbd among them, which takes 20 ms each time."""
    with open("/etc/group", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.rstrip("\n").split(":") for line in file]
    return sorted(row[0] for row in rows if len(row) == 4 and name in row[3].split(","))
