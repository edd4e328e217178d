"""What an export tells beside its alerts: the rules, the captures, and what they lack."""

from dataclasses import dataclass
from pathlib import Path

from falcotrace.rules.plan import RulePlan
from falcotrace.version import __version__


@dataclass(frozen=True, slots=True)
class ExportContext:
    """The same for all alerts of an export.

    Attributes:
        rules: those that were asked.
        captures: the files that they were asked of.
        notes: sentences on what was lost and what could not be asked.
        version: of FalcoTrace.
    """

    rules: tuple[RulePlan, ...]
    captures: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = __version__
