"""Names of users and groups."""

import pwd

from falcotrace.capture.footer import Group, User
from falcotrace.record.accounts import NO_NAME, Account, Accounts

ACCOUNTS = Accounts(
    [
        User(uid=1000, name="ann", gid=1000, home="/home/ann", shell="/bin/zsh"),
        User(uid=1000, name="second", gid=1000, home="/nowhere", shell="/bin/false"),
    ],
    [Group(gid=5, name="tty"), Group(gid=5, name="other")],
)


def test_first_entry_of_a_number_wins() -> None:
    """As getpwuid: a table may hold two names for a number."""
    assert ACCOUNTS.user(1000, in_container=False) == Account("ann", "/home/ann", "/bin/zsh")
    assert ACCOUNTS.group(5, in_container=False) == "tty"
    assert (ACCOUNTS.user_name(1000), ACCOUNTS.group_name(5)) == ("ann", "tty")


def test_unknown_numbers() -> None:
    """Falco's text for a number without a name; root is known without a table."""
    assert ACCOUNTS.user(7, in_container=False) == Account(NO_NAME, NO_NAME, NO_NAME)
    assert ACCOUNTS.user(0, in_container=False).name == "root"
    assert ACCOUNTS.group(0, in_container=True) == "root"
    assert ACCOUNTS.group(7, in_container=False) == NO_NAME
    assert (ACCOUNTS.user_name(0), ACCOUNTS.group_name(0)) == (NO_NAME, NO_NAME)


def test_container_has_other_users() -> None:
    """The host's names are not those of a container."""
    assert ACCOUNTS.user(1000, in_container=True).name == NO_NAME
    assert ACCOUNTS.user(0, in_container=True).name == "root"
    assert ACCOUNTS.group(5, in_container=True) == NO_NAME


def test_this_host() -> None:
    """The host's tables are read whole."""
    accounts = Accounts.of_host()
    first = pwd.getpwall()[0]
    assert accounts.user(first.pw_uid, in_container=False).name == first.pw_name
    assert len(accounts.users) == len(pwd.getpwall())
