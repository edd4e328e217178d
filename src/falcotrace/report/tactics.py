"""Tactics and techniques of MITRE ATT&CK, as rules name them in their tags.

Source: ATT&CK for Enterprise, its tactics in the order of its matrix; Falco's tags spell a tactic
`mitre_` and its name, and a technique by its id.
"""

import re
from collections.abc import Iterable, Mapping

TACTICS: Mapping[str, str] = {
    "mitre_reconnaissance": "Reconnaissance",
    "mitre_resource_development": "Resource Development",
    "mitre_initial_access": "Initial Access",
    "mitre_execution": "Execution",
    "mitre_persistence": "Persistence",
    "mitre_privilege_escalation": "Privilege Escalation",
    "mitre_defense_evasion": "Defense Evasion",
    "mitre_credential_access": "Credential Access",
    "mitre_discovery": "Discovery",
    "mitre_lateral_movement": "Lateral Movement",
    "mitre_collection": "Collection",
    "mitre_command_and_control": "Command and Control",
    "mitre_exfiltration": "Exfiltration",
    "mitre_impact": "Impact",
}
"""Names of tactics by tag, in the order of the matrix."""

NO_TACTIC = "without a tactic"

_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")


def tactics_of(tags: Iterable[str]) -> tuple[str, ...]:
    """Names of the tactics that tags name, in the order of the matrix.

    Example:
        >>> tactics_of(["mitre_execution", "T1059", "mitre_initial_access"])
        ('Initial Access', 'Execution')
    """
    known = set(tags)
    return tuple(name for tag, name in TACTICS.items() if tag in known)


def techniques_of(tags: Iterable[str]) -> tuple[str, ...]:
    """Ids of the techniques that tags name.

    Example:
        >>> techniques_of(["mitre_execution", "T1059.004", "host"])
        ('T1059.004',)
    """
    return tuple(sorted(tag for tag in tags if _TECHNIQUE.fullmatch(tag)))
