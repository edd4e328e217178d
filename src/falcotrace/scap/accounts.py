"""Users and groups as a capture tells them: of the host, and of containers.

In: the capture's list of users, and events about users and groups. Out: names for numbers.

Source: libs 48dfd53c, userspace/libsinsp/user.cpp; sinsp_filtercheck_user.cpp.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

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


NOW = 1 << 62
"""Behind the last event so far."""

_Key: TypeAlias = tuple[str, int]
_Value = TypeVar("_Value")


class _Table(Generic[_Value]):
    """Values by key, with what they were before each change of a batch."""

    def __init__(self) -> None:
        self._values: dict[_Key, _Value] = {}
        self._before: dict[_Key, list[tuple[int, _Value | None]]] = {}

    def copy(self) -> "_Table[_Value]":
        found: _Table[_Value] = _Table()
        found._values = dict(self._values)
        found._before = self._before
        return found

    def begin_batch(self) -> None:
        self._before = {}

    def put(self, key: _Key, value: _Value | None, row: int) -> None:
        self._before.setdefault(key, []).append((row, self._values.get(key)))
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    def get(self, key: _Key, row: int) -> _Value | None:
        changes = self._before.get(key, ())
        place = bisect_right(changes, row, key=lambda change: change[0])
        return changes[place][1] if place < len(changes) else self._values.get(key)


class Accounts:
    """Users and groups by container and number, as of any event of the batch.

    Attributes:
        changed_rows: the events of the batch that were about them, ascending.
    """

    def __init__(self) -> None:
        self._users: _Table[Account] = _Table()
        self._groups: _Table[str] = _Table()
        self.changed_rows: list[int] = []

    def begin_batch(self) -> None:
        """From now on rows are those of another batch."""
        self._users.begin_batch()
        self._groups.begin_batch()
        self.changed_rows = []

    def copy(self) -> "Accounts":
        """The same as of now."""
        found = Accounts()
        found._users = self._users.copy()
        found._groups = self._groups.copy()
        found.changed_rows = self.changed_rows
        return found

    def put_user(self, container_id: str, uid: int, account: Account | None, row: int = -1) -> None:
        """Learn a user, or forget one, at an event."""
        self._users.put((container_id, uid), account, row)
        self.changed_rows.append(row)

    def put_group(self, container_id: str, gid: int, name: str | None, row: int = -1) -> None:
        """Learn a group, or forget one, at an event."""
        self._groups.put((container_id, gid), name, row)
        self.changed_rows.append(row)

    def user(self, uid: int, container_id: str, row: int = NOW) -> Account:
        """The user behind a number; `root` for 0 without a table, for others `<NA>`."""
        return self._users.get((container_id, uid), row) or (ROOT if uid == 0 else UNKNOWN)

    def group(self, gid: int, container_id: str, row: int = NOW) -> str:
        """The name of a group, likewise."""
        return self._groups.get((container_id, gid), row) or ("root" if gid == 0 else NO_NAME)
