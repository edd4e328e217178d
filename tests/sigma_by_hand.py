"""Rules of Sigma written in a line, and what becomes of them."""

from collections.abc import Mapping, Sequence

from falcotrace.evaluate import evaluate
from falcotrace.rules.load import RulesText
from falcotrace.rules.printer import print_parseable
from falcotrace.sigma.convert import ConvertedCondition
from falcotrace.sigma.load import convert_rules

PROCESS = "{product: linux, category: process_creation}"
CONNECTION = "{product: linux, category: network_connection}"
FILE = "{product: linux, category: file_event}"
AUDIT = "{product: linux, service: auditd}"


def sigma_text(
    detection: str, log_source: str = PROCESS, title: str = "Test", more: str = ""
) -> str:
    """A rule; `detection` as it stands between braces, `more` as further lines."""
    return (
        f"title: {title}\nlogsource: {log_source}\ndetection: {{{detection}}}\nlevel: high\n{more}"
    )


def convert(detection: str, log_source: str = PROCESS) -> ConvertedCondition:
    """What becomes of a rule's condition."""
    (conversion,) = convert_rules([RulesText(sigma_text(detection, log_source))])
    return conversion.converted


def condition(detection: str, log_source: str = PROCESS) -> str:
    """A rule's condition in Falco's language."""
    converted = convert(detection, log_source).condition
    assert converted is not None
    return print_parseable(converted)


def holds(
    detection: str, events: Sequence[Mapping[str, object]], log_source: str = PROCESS
) -> list[bool]:
    """For which events, as Falco sees them, a rule holds."""
    return evaluate(condition(detection, log_source), events)
