"""Users of the host, by the tools of passwd(5)."""

from __future__ import annotations

from eyas.core.errors import Failed
from eyas.core.system import Account
from eyas.host.command import run

NO_CHANGE = 6  # userdel, groupdel: it does not exist (userdel(8), "EXIT VALUES")


class RealAccounts:
    """`eyas.core.system.Accounts`."""

    def get(self, name: str) -> Account | None:
        import grp
        import pwd

        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return None
        groups = sorted(group.gr_name for group in grp.getgrall() if name in group.gr_mem)
        return Account(name, found.pw_uid, found.pw_gid, found.pw_dir, found.pw_shell, found.pw_gecos, tuple(groups))

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
