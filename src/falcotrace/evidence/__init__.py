"""Captures as evidence: whether a byte was changed since one was sealed, where, and who signed it.

In: capture files, keys. Out: verdicts and signatures. No event is read, and nothing is repaired.
"""

from falcotrace.evidence.findings import Status, Verdict
from falcotrace.evidence.verify import verify_capture

__all__ = ["Status", "Verdict", "verify_capture"]
