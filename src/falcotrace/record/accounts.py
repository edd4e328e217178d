"""Users and groups of the host, as of now: names for the numbers that the kernel knows.

Only the host's own tables are read. A container's users are not looked up in the host's tables, for
uid 1000 in a container is not the host's; Falco does the same on replay (FIELDS: `user.name`).
"""

import grp
import pwd
from dataclasses import dataclass

from falcotrace.capture.footer import Group, User

NO_NAME = "<NA>"
"""What Falco shows for a number without a name; a text, not a missing value."""

UNSET_ID = 0xFFFFFFFF
"""An id that was never set, such as the audit login uid of a daemon."""


@dataclass(frozen=True, slots=True)
class Account:
    """What `user.*` shows for a uid."""

    name: str
    home: str
    shell: str


class Accounts:
    """The host's users and groups, read once."""

    def __init__(self, users: list[User], groups: list[Group]) -> None:
        self.users = users
        self.groups = groups
        self._by_uid = {user.uid: user for user in reversed(users)}
        self._by_gid = {group.gid: group.name for group in reversed(groups)}

    @classmethod
    def of_host(cls) -> "Accounts":
        """Read the host's tables."""
        users = [
            User(uid=u.pw_uid, name=u.pw_name, gid=u.pw_gid, home=u.pw_dir, shell=u.pw_shell)
            for u in pwd.getpwall()
        ]
        return cls(users, [Group(gid=g.gr_gid, name=g.gr_name) for g in grp.getgrall()])

    def user(self, uid: int, *, in_container: bool) -> Account:
        """The account behind a uid; `root` without a table, for others `<NA>`."""
        user = None if in_container else self._by_uid.get(uid)
        if user is not None:
            return Account(user.name, user.home, user.shell)
        if uid == 0:
            return Account("root", "/root", NO_NAME)
        return Account(NO_NAME, NO_NAME, NO_NAME)

    def group(self, gid: int, *, in_container: bool) -> str:
        """The name behind a gid; `root` without a table, for others `<NA>`."""
        name = None if in_container else self._by_gid.get(gid)
        return name or ("root" if gid == 0 else NO_NAME)

    def user_name(self, uid: int) -> str:
        """The name of one of the host's users; `<NA>` for others."""
        user = self._by_uid.get(uid)
        return user.name if user else NO_NAME

    def group_name(self, gid: int) -> str:
        """The name of one of the host's groups; `<NA>` for others."""
        return self._by_gid.get(gid, NO_NAME)
