"""The keys `count` and `sequence` of rules: YAML nodes to items.

Shapes, names, numbers and spans are judged here; conditions and fields when they are compiled.
Unknown keys are errors, not warnings as elsewhere: one that is passed over changes what is asked.
"""

import re
from collections.abc import Collection

from falcotrace.errors import Context, Span
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.items import (
    Chain,
    CorrelationItem,
    CountItem,
    KeyItem,
    SequenceItem,
    StepItem,
)
from falcotrace.rules.nodes import Fields, File, unsigned_number
from falcotrace.rules.sequences import SPAN_UNITS
from falcotrace.rules.source import MappingNode, Node, Scalar, SequenceNode

LONGEST_SPAN_NS = 30 * SPAN_UNITS["d"]
MOST_STEPS = 16
MOST_COUNTED = 1_000_000
"""Limits: beyond them a rule asks for more than anybody means."""

_COUNT_KEYS = ("at_least", "distinct", "by", "within")
_STEP_LISTS = ("after", "without", "unless_followed_by")
_SEQUENCE_KEYS = ("by", "within", *_STEP_LISTS)
_STEP_KEYS = ("condition", "by")
_SPAN = re.compile(rf"([0-9]{{1,12}})({'|'.join(SPAN_UNITS)})")
_SPAN_HELP = f"a number and a unit ({', '.join(SPAN_UNITS)}), such as 90s or 5m"


def read_correlation(rule: Fields, wanted: Collection[str]) -> CorrelationItem | None:
    """What a rule item says about several events; None if nothing of what is wanted.

    Raises:
        Fault: it cannot be used.
    """
    found = [key for key in ("count", "sequence") if key in wanted and rule.has(key)]
    if not found:
        return None
    if len(found) > 1:
        raise rule.fail("`count` and `sequence` cannot stand in one rule", rule.get("sequence"))
    (key,) = found
    node = rule.get(key)
    assert node is not None
    chain = rule.value_chain(key)
    fields = _mapping(rule.file, node, chain, f"`{key}`")
    _refuse_unknown(fields, f"`{key}`", _COUNT_KEYS if key == "count" else _SEQUENCE_KEYS)
    return _read_count(fields) if key == "count" else _read_sequence(fields)


def _read_count(fields: Fields) -> CountItem:
    text = fields.text("at_least")
    at_least = unsigned_number(text.text)
    if at_least is None or not 2 <= at_least <= MOST_COUNTED:
        message = f"expected a whole number from 2 to {MOST_COUNTED:,}, found `{text.text}`"
        raise _fail(message, text, fields.value_chain("at_least"))
    distinct = fields.optional_text("distinct")
    return CountItem(at_least, distinct, _read_keys(fields), _read_span(fields), fields.chain)


def _read_sequence(fields: Fields) -> SequenceItem:
    if not any(fields.has(key) for key in _STEP_LISTS):
        help_text = "give one of `after`, `without`, `unless_followed_by`"
        raise fields.fail("a sequence needs steps", help_text=help_text)
    keys = _read_keys(fields)
    after, without, behind = (_read_steps(fields, key) for key in _STEP_LISTS)
    return SequenceItem(keys, _read_span(fields), after, without, behind, fields.chain)


def _read_span(fields: Fields) -> int:
    text = fields.text("within")
    chain = fields.value_chain("within")
    match = _SPAN.fullmatch(text.text)
    if match is None:
        message = f"expected a span of time, found `{text.text}`"
        raise _fail(message, text, chain, _SPAN_HELP)
    span_ns = int(match[1]) * SPAN_UNITS[match[2]]
    if not 0 < span_ns <= LONGEST_SPAN_NS:
        raise _fail(f"`{text.text}` is not between 1ns and 30d", text, chain)
    return span_ns


def _read_keys(fields: Fields) -> tuple[KeyItem, ...]:
    node = fields.get("by")
    if node is None:
        help_text = "process, user, container, host, or fields; `by: host` for all events"
        raise fields.fail("the key `by` is missing", help_text=help_text)
    chain = fields.value_chain("by")
    entries = node.items if isinstance(node, SequenceNode) else (node,)
    fields.file.count(len(entries), chain)
    if not entries:
        message = "`by` names nothing"
        raise _fail(message, fields.file.span(node), chain, "`by: host` takes all events together")
    keys = [key for entry in entries for key in _read_entry(fields.file, entry, chain)]
    names: set[str] = set()
    for key in keys:
        if key.name.text in names:
            raise _fail(f"`{key.name.text}` stands in `by` twice", key.name, chain)
        names.add(key.name.text)
    return tuple(keys)


def _read_entry(file: File, node: Node, chain: Chain) -> list[KeyItem]:
    """A name or a field, or names of one's own with the fields that they stand for."""
    if isinstance(node, MappingNode):
        return list(_read_named(file, node, chain))
    return [KeyItem(_text(file, node, chain), None)]


def _read_named(file: File, node: MappingNode, chain: Chain) -> tuple[KeyItem, ...]:
    file.count(len(node.pairs), chain)
    return tuple(
        KeyItem(_text(file, name, chain), _text(file, field, chain)) for name, field in node.pairs
    )


def _read_steps(parent: Fields, key: str) -> tuple[StepItem, ...]:
    node = parent.get(key)
    if node is None:
        return ()
    chain = parent.value_chain(key)
    if not isinstance(node, SequenceNode) or not node.items:
        help_text = "begin each with `- condition: ..`"
        raise _fail(f"`{key}` needs a sequence of steps", parent.file.span(node), chain, help_text)
    if len(node.items) > MOST_STEPS:
        message = f"`{key}` has {len(node.items)} steps; {MOST_STEPS} are the most"
        raise _fail(message, parent.file.span(node), chain)
    parent.file.count(len(node.items), chain)
    return tuple(_read_step(parent.file, item, chain, key) for item in node.items)


def _read_step(file: File, node: Node, chain: Chain, key: str) -> StepItem:
    fields = _mapping(file, node, chain, f"a step of `{key}`")
    _refuse_unknown(fields, f"a step of `{key}`", _STEP_KEYS)
    condition = fields.text("condition")
    own = fields.get("by")
    if own is None:
        return StepItem(condition, (), fields.chain)
    by_chain = fields.value_chain("by")
    if not isinstance(own, MappingNode):
        message = "`by` of a step says where it reads a key of the rule: {name: field}"
        raise _fail(message, file.span(own), by_chain)
    return StepItem(condition, _read_named(file, own, by_chain), fields.chain)


def _mapping(file: File, node: Node, chain: Chain, what: str) -> Fields:
    if not isinstance(node, MappingNode):
        raise _fail(f"{what} needs a mapping", file.span(node), chain)
    return Fields(file, node, chain)


def _refuse_unknown(fields: Fields, what: str, known: Collection[str]) -> None:
    for name, node in fields.key_nodes():
        if name not in known:
            span = fields.file.span(node)
            help_text = suggest(name, known) or f"its keys are {', '.join(known)}"
            raise _fail(f"`{name}` is not a key of {what}", span, fields.chain, help_text)


def _text(file: File, node: Node, chain: Chain) -> Span:
    if isinstance(node, Scalar) and not node.is_null and node.value:
        return file.text_span(node)
    span = file.span(node)
    chain = (*chain, Context(ItemKind.LIST_ITEM, span=span))
    raise _fail("expected a name or a field", span, chain)


def _fail(message: str, span: Span, chain: Chain, help_text: str | None = None) -> Fault:
    return Fault(message, span, code=LoadCode.ERR_YAML_VALIDATE, chain=chain, help_text=help_text)
