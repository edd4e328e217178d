"""Who sits where, and what they do there in which order."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody's place.

    Attributes:
        name: for logs.
        user: who logs in over SSH; `console` is root at the machine's console.
        sessions: played in this order, again and again (`@once` ones the first time only).
    """

    name: str
    user: str
    sessions: tuple[str, ...]


SEATS = (
    Seat("console", "console", ("install", "daemons", "tools", "upkeep", "packages", "rescue")),
    Seat(
        "operator",
        "ops",
        (
            *("look", "policy", "databases", "containers", "web", "transfer", "playbook"),
            *("mail", "names", "users", "jobs", "backup", "services", "certificates", "logs"),
        ),
    ),
    Seat(
        "developer",
        "dev",
        (
            *("settings", "ledger", "git", "python", "debug", "source", "search", "node"),
            "archives",
        ),
    ),
    Seat(
        "tester",
        "dev",
        ("habits", "serve", "requests", "scripts", "keys", "windows", "orders"),
    ),
)
