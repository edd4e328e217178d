"""Finds the reference cases, and sums up at the end how many of each kind passed."""

import collections

import pytest

KINDS = ("loader_cases", "condition_cases", "output_cases", "event_set_cases")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many reference cases of each kind passed."""
    passed: collections.Counter[str] = collections.Counter()
    failed: collections.Counter[str] = collections.Counter()
    for outcome, counter in (("passed", passed), ("failed", failed)):
        for report in terminalreporter.getreports(outcome):
            for kind in KINDS:
                if "test_front_end.py" in report.nodeid and f"[{kind}-" in report.nodeid:
                    counter[kind] += 1
    if passed or failed:
        terminalreporter.section("reference cases")
        for kind in KINDS:
            total = passed[kind] + failed[kind]
            terminalreporter.write_line(f"{kind}: {passed[kind]} of {total} passed")
