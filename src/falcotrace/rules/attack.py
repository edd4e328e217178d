"""MITRE ATT&CK in the tags of rules: `mitre_execution`, `TA0002`, `T1059.004`.

In: tags as rules of Falco write them, or rules of Sigma (`attack.t1059.004`). Out: tactics and
techniques. Names of techniques are not looked up: ATT&CK renames them, the ids stay.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MATRIX_URL: Final = "https://attack.mitre.org"

_TECHNIQUE = re.compile(r"(?:attack\.)?(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_TACTIC_ID = re.compile(r"(?:attack\.)?(ta\d{4})", re.IGNORECASE)
_TACTIC_NAME = re.compile(r"(?:mitre_|attack\.)([a-z_-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tactic:
    """A column of the enterprise matrix.

    Attributes:
        id: `TA0002`.
        name: `Execution`.
    """

    id: str
    name: str

    @property
    def phase(self) -> str:
        """The name as kill chains spell it: `command-and-control`."""
        return self.name.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique, or a sub-technique, by its id: `T1059.004`."""

    id: str

    @property
    def parent_id(self) -> str:
        """The id of the technique itself: `T1059`."""
        return self.id.partition(".")[0]

    @property
    def is_sub_technique(self) -> bool:
        """Whether it is a part of another technique."""
        return "." in self.id

    @property
    def url(self) -> str:
        """Its page."""
        return f"{MATRIX_URL}/techniques/{self.id.replace('.', '/')}"


TACTICS: Final = (
    Tactic("TA0043", "Reconnaissance"),
    Tactic("TA0042", "Resource Development"),
    Tactic("TA0001", "Initial Access"),
    Tactic("TA0002", "Execution"),
    Tactic("TA0003", "Persistence"),
    Tactic("TA0004", "Privilege Escalation"),
    Tactic("TA0005", "Defense Evasion"),
    Tactic("TA0006", "Credential Access"),
    Tactic("TA0007", "Discovery"),
    Tactic("TA0008", "Lateral Movement"),
    Tactic("TA0009", "Collection"),
    Tactic("TA0011", "Command and Control"),
    Tactic("TA0010", "Exfiltration"),
    Tactic("TA0040", "Impact"),
)
"""In the order of the matrix, by the names that rules use."""

_BY_ID = {tactic.id: tactic for tactic in TACTICS}
_BY_PHASE = {tactic.phase: tactic for tactic in TACTICS}


@dataclass(frozen=True, slots=True)
class Attack:
    """What a rule's tags say about ATT&CK.

    Attributes:
        tactics: in the order of the matrix.
        techniques: sorted.
    """

    tactics: tuple[Tactic, ...]
    techniques: tuple[Technique, ...]

    def __bool__(self) -> bool:
        return bool(self.tactics or self.techniques)


def attack_of(tags: Iterable[str]) -> Attack:
    """The tactics and techniques that tags name, each once.

    Example:
        >>> found = attack_of(["host", "mitre_command_and_control", "T1095", "attack.t1059.004"])
        >>> [tactic.name for tactic in found.tactics], [one.id for one in found.techniques]
        (['Command and Control'], ['T1059.004', 'T1095'])
    """
    tactics: set[Tactic] = set()
    techniques: set[Technique] = set()
    for tag in tags:
        if match := _TECHNIQUE.fullmatch(tag):
            techniques.add(Technique(match[1].upper()))
        elif match := _TACTIC_ID.fullmatch(tag):
            tactics.update(_known(_BY_ID, match[1].upper()))
        elif match := _TACTIC_NAME.fullmatch(tag):
            tactics.update(_known(_BY_PHASE, match[1].lower().replace("_", "-")))
    return Attack(
        tuple(tactic for tactic in TACTICS if tactic in tactics),
        tuple(sorted(techniques, key=lambda technique: technique.id)),
    )


def _known(table: dict[str, Tactic], key: str) -> tuple[Tactic, ...]:
    return (table[key],) if key in table else ()
