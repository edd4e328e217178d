"""Users and groups as a capture tells them: of the host, and of containers.

In: the capture's list of users, and events about users and groups. Out: names for numbers.

Source: libs 48dfd53c, userspace/libsinsp/user.cpp; sinsp_filtercheck_user.cpp.
"""

from dataclasses import dataclass

NO_NAME = "<NA>"
"""What Falco shows for a number without a name; a text, not a missing value."""

HOST = ""
"""The container id of the host's own users."""


@dataclass(frozen=True, slots=True)
class Account:
    """What `user.*` shows of a user."""

    name: str
    home: str
    shell: str


ROOT = Account("root", "/root", NO_NAME)
UNKNOWN = Account(NO_NAME, NO_NAME, NO_NAME)


class Accounts:
    """Users and groups by container and number."""

    def __init__(self) -> None:
        self._users: dict[tuple[str, int], Account] = {}
        self._groups: dict[tuple[str, int], str] = {}

    def copy(self) -> "Accounts":
        """The same as of now."""
        found = Accounts()
        found._users = dict(self._users)
        found._groups = dict(self._groups)
        return found

    def add_user(self, container_id: str, uid: int, account: Account) -> None:
        """Learn a user."""
        self._users[container_id, uid] = account

    def remove_user(self, container_id: str, uid: int) -> None:
        """Forget a user."""
        self._users.pop((container_id, uid), None)

    def add_group(self, container_id: str, gid: int, name: str) -> None:
        """Learn a group."""
        self._groups[container_id, gid] = name

    def remove_group(self, container_id: str, gid: int) -> None:
        """Forget a group."""
        self._groups.pop((container_id, gid), None)

    def user(self, uid: int, container_id: str) -> Account:
        """The user behind a number; `root` for 0 without a table, for others `<NA>`."""
        return self._users.get((container_id, uid)) or (ROOT if uid == 0 else UNKNOWN)

    def group(self, gid: int, container_id: str) -> str:
        """The name of a group, likewise."""
        return self._groups.get((container_id, gid)) or ("root" if gid == 0 else NO_NAME)
