"""What a rule's priority is called in each format."""

from dataclasses import dataclass
from typing import Final

from falcotrace.rules.plan import Priority


@dataclass(frozen=True, slots=True)
class Severity:
    """One priority in other words.

    Attributes:
        ocsf_id: `severity_id` of OCSF.
        ocsf_name: its caption.
        sarif_level: error, warning or note.
        score: 0 to 10 as CVSS counts, for readers of SARIF that sort by it.
    """

    ocsf_id: int
    ocsf_name: str
    sarif_level: str
    score: str


SEVERITIES: Final = {
    Priority.EMERGENCY: Severity(6, "Fatal", "error", "10.0"),
    Priority.ALERT: Severity(5, "Critical", "error", "9.5"),
    Priority.CRITICAL: Severity(5, "Critical", "error", "9.0"),
    Priority.ERROR: Severity(4, "High", "error", "8.0"),
    Priority.WARNING: Severity(3, "Medium", "warning", "6.0"),
    Priority.NOTICE: Severity(2, "Low", "note", "3.0"),
    Priority.INFORMATIONAL: Severity(1, "Informational", "note", "1.0"),
    Priority.DEBUG: Severity(1, "Informational", "note", "0.1"),
}
