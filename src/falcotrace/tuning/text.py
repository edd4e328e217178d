"""A proposal as a rules file of Falco: exceptions that are appended to the rules before it.

In: a proposal. Out: YAML that Falco and we load after the rules. Values were recorded and may be
hostile: each is one quoted scalar, and comments hold numbers alone.
"""

from collections.abc import Iterator, Sequence

from falcotrace.rules.yaml_text import quoted
from falcotrace.tuning.candidates import written_value
from falcotrace.tuning.model import ProposedValue, RuleTuning, Tuning
from falcotrace.tuning.shapes import Shape

_HEAD = """\
# Exceptions that `falcotrace rules tune` proposes. Load this file after the rules:
#   falcotrace scan CAPTURE -r RULES -r THIS_FILE
# Look at each value before you use it: it silences its rule for good.
"""


def tuned_rules(tuning: Tuning) -> str:
    """The rules file; empty if nothing is proposed."""
    items = ["\n".join(_item(each)) for each in tuning.rules if each.values]
    return "\n\n".join([_HEAD.rstrip(), *items]) + "\n" if items else ""


def _item(tuned: RuleTuning) -> Iterator[str]:
    yield f"- rule: {quoted(tuned.rule.name)}"
    yield "  exceptions:"
    by_shape: dict[str, list[ProposedValue]] = {}
    for value in tuned.values:
        by_shape.setdefault(value.candidate.shape.name, []).append(value)
    for values in by_shape.values():
        yield from _exception(values[0].candidate.shape, values)
    yield "  override: {exceptions: append}"


def _exception(shape: Shape, values: Sequence[ProposedValue]) -> Iterator[str]:
    yield f"    - name: {quoted(shape.name)}"
    if not shape.is_known:
        # Falco takes fields only with a new exception: to one that is there, values are added.
        yield f"      fields: [{', '.join(map(quoted, shape.fields))}]"
        yield f"      comps: [{', '.join(map(quoted, shape.comparisons))}]"
    yield "      values:"
    for value in values:
        texts = [quoted(written_value(text) or "") for text in value.candidate.values]
        written = f"[{', '.join(texts)}]" if shape.is_tuple else texts[0]
        yield f"        - {written}{_note(value)}"


def _note(value: ProposedValue) -> str:
    also = f", also covers {_count(value.also, 'other event')}" if value.also else ""
    return f"  # {_count(value.alerts, 'alert')}{also}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
