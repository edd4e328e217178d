"""Imported captures for comparisons, and everything that can be compared about one of them.

In: names of captures in the shared folder. Out: outcomes. A capture is imported once for each
`Comparison`, and stays for the next one only in a folder that was asked for.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from falcotrace.capture.reader import open_capture
from oracle.alert_comparison import REJECTED, compare_alerts, compare_rejections
from oracle.field_comparison import compare_events
from oracle.oracle_files import EVENTS, capture_path, printed_events
from oracle.outcomes import Outcome

Import = Callable[[Path, Path], object]


def import_capture(path: Path, out: Path) -> None:
    """Import a .scap file with FalcoTrace."""
    from falcotrace.scap.importer import import_scap

    import_scap(path, out)


class Comparison:
    """Compares captures with what Falco printed, and remembers what it found.

    Args:
        oracle: the folder of captures and what Falco printed.
        folder: where imported captures go; one that lies there already is used as it is.
        run_import: how a capture is imported.
    """

    def __init__(self, oracle: Path, folder: Path, run_import: Import = import_capture) -> None:
        self._oracle = oracle
        self._folder = folder
        self._import = run_import
        self._outcomes: dict[tuple[str, str], Outcome] = {}

    def outcome(self, name: str, rule_set: str) -> Outcome:
        """Compare one capture with one set of rules, or its `EVENTS`."""
        if (name, rule_set) not in self._outcomes:
            self._outcomes[name, rule_set] = self._compare(name, rule_set)
        return self._outcomes[name, rule_set]

    def fields(self, name: str, fields: Collection[str], examples: int) -> Outcome:
        """Compare only some fields, and name more events."""
        with open_capture(self.imported(name)) as capture:
            expected = printed_events(self._oracle, name)
            return compare_events(name, capture, expected, fields, examples)

    def imported(self, name: str) -> Path:
        """The imported capture."""
        out = self._folder / f"{name}.parquet"
        if not out.exists():
            self._import(capture_path(self._oracle, name), out)
        return out

    def _compare(self, name: str, rule_set: str) -> Outcome:
        if rule_set == REJECTED:
            return compare_rejections(self._oracle)
        with open_capture(self.imported(name)) as capture:
            if rule_set == EVENTS:
                return compare_events(name, capture, printed_events(self._oracle, name))
            return compare_alerts(self._oracle, name, capture, rule_set)
