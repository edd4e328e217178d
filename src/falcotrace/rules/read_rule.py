"""The keys of rule items: definitions, additions, replacements, and exceptions.

Source: falco 13074749 userspace/engine/rule_loader_reader.cpp, read_item and read_rule_exceptions.
"""

from collections.abc import Collection, Iterator, Mapping

from falcotrace.errors import Context, Diagnostic, Severity
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.items import (
    Chain,
    Entry,
    ExceptionItem,
    Item,
    RuleAppend,
    RuleDefinition,
    RuleKeys,
    RuleReplace,
    RuleSwitch,
)
from falcotrace.rules.nodes import Fields, File
from falcotrace.rules.overrides import read_overrides
from falcotrace.rules.plan import Priority
from falcotrace.rules.read_sequences import read_correlation
from falcotrace.rules.source import MappingNode, Node, Scalar, SequenceNode

_APPENDABLE = frozenset({"condition", "output", "desc", "tags", "exceptions"})
_REPLACEABLE = _APPENDABLE | {
    *("priority", "enabled", "warn_evttypes", "skip-if-unknown-filter"),
    *("capture", "capture_duration", "count", "sequence"),
}
_DEFINING = ("condition", "output", "desc", "priority")
_PRIORITIES: Mapping[str, Priority] = {
    **{priority.name.lower(): priority for priority in Priority},
    "info": Priority.INFORMATIONAL,
}


def parse_priority(text: str) -> Priority | None:
    """Return the priority of that name, in any case; `Info` is one, too."""
    return _PRIORITIES.get(text.lower())


def read_rule(fields: Fields, diagnostics: list[Diagnostic]) -> Iterator[Item]:
    """Yield what a rule item says: a definition, a switch, or one or two updates.

    Raises:
        Fault: the item is unusable.
    """
    name = fields.text("rule")
    is_append = bool(fields.optional_flag("append"))
    if is_append:
        _warn(
            LoadCode.DEPRECATED_ITEM,
            "`append: true` is deprecated",
            fields,
            "append",
            diagnostics,
            "write `override: {condition: append}`",
        )
    overrides = read_overrides(fields, _APPENDABLE, _REPLACEABLE)
    if is_append and overrides:
        raise fields.fail("`append` and `override` cannot stand in one item")
    if overrides:
        yield from _read_updates(fields, overrides, diagnostics)
    elif is_append:
        keys = {key for key in ("condition", "exceptions") if fields.has(key)} | {"source"}
        yield RuleAppend(name, _read_keys(fields, keys, diagnostics, adds=True), fields.chain)
    elif any(fields.has(key) for key in _DEFINING):
        yield _read_definition(fields, diagnostics)
    else:
        enabled = fields.optional_flag("enabled")
        if enabled is None:
            help_text = "a rule needs condition, output, desc and priority"
            raise fields.fail(f"rule `{name.text}` says nothing", help_text=help_text)
        help_text = "write `override: {enabled: replace}`"
        message = "an item with `enabled` alone is deprecated"
        _warn(LoadCode.DEPRECATED_ITEM, message, fields, "enabled", diagnostics, help_text)
        yield RuleSwitch(name, enabled, fields.chain)


def _read_updates(
    fields: Fields, overrides: Mapping[str, str], diagnostics: list[Diagnostic]
) -> Iterator[Item]:
    name = fields.text("rule")
    for key, operation in overrides.items():
        if not fields.has(key):
            raise fields.fail(f"`{key}` has an override to {operation}, but no value")
    appended = {key for key, operation in overrides.items() if operation == "append"}
    if appended:
        keys = _read_keys(fields, appended | {"source"}, diagnostics, adds=True)
        yield RuleAppend(name, keys, fields.chain)
    replaced = overrides.keys() - appended
    if replaced:
        yield RuleReplace(
            name, _read_keys(fields, replaced | {"source"}, diagnostics), fields.chain
        )
    for key in sorted(_REPLACEABLE - overrides.keys()):
        node = fields.get(key)
        if node is not None:
            span = fields.file.span(node)
            raise Fault(
                f"`{key}` has a value, but no entry under `override`",
                span,
                code=LoadCode.ERR_YAML_VALIDATE,
                chain=(*fields.chain, Context(ItemKind.OVERRIDES, key, span)),
            )


def _read_definition(fields: Fields, diagnostics: list[Diagnostic]) -> RuleDefinition:
    for key in _DEFINING:
        fields.text(key)
    every_key = _REPLACEABLE | {"source"}
    keys = _read_keys(fields, every_key, diagnostics)
    return RuleDefinition(fields.text("rule"), keys, fields.chain)


def _read_keys(
    fields: Fields, wanted: Collection[str], diagnostics: list[Diagnostic], *, adds: bool = False
) -> RuleKeys:
    def has(key: str) -> bool:
        return key in wanted and fields.has(key)

    return RuleKeys(
        condition=fields.text("condition") if has("condition") else None,
        output=fields.text("output") if has("output") else None,
        description=fields.text("desc") if has("desc") else None,
        priority=_read_priority(fields) if has("priority") else None,
        source=fields.text("source") if has("source") else None,
        enabled=fields.optional_flag("enabled") if has("enabled") else None,
        warn_evttypes=fields.optional_flag("warn_evttypes") if has("warn_evttypes") else None,
        skip_if_unknown_filter=(
            fields.optional_flag("skip-if-unknown-filter")
            if has("skip-if-unknown-filter")
            else None
        ),
        capture=fields.optional_flag("capture") if has("capture") else None,
        capture_duration_ms=(
            fields.optional_number("capture_duration") if has("capture_duration") else None
        ),
        tags=tuple(tag.text for tag in fields.texts("tags")) if has("tags") else None,
        exceptions=(
            _read_exceptions(fields, diagnostics, adds=adds) if has("exceptions") else None
        ),
        correlation=read_correlation(fields, wanted),
    )


def _read_priority(fields: Fields) -> Priority:
    text = fields.text("priority")
    priority = parse_priority(text.text)
    if priority is None:
        names = [member.title for member in Priority]
        raise Fault(
            f"`{text.text}` is not a priority",
            text,
            code=LoadCode.ERR_YAML_VALIDATE,
            chain=(*fields.chain, Context(ItemKind.PRIORITY, span=text)),
            help_text=suggest(text.text.capitalize(), names) or f"one of {', '.join(names)}",
        )
    return priority


def _read_exceptions(
    fields: Fields, diagnostics: list[Diagnostic], *, adds: bool
) -> tuple[ExceptionItem, ...]:
    node = fields.get("exceptions")
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return ()
    span = fields.file.span(node)
    chain = (*fields.chain, Context(ItemKind.EXCEPTIONS, span=span))
    if not isinstance(node, SequenceNode):
        raise Fault(
            "`exceptions` needs a sequence of mappings",
            span,
            code=LoadCode.ERR_YAML_VALIDATE,
            chain=chain,
        )
    fields.file.count(len(node.items), chain)
    exceptions: list[ExceptionItem] = []
    names: set[str] = set()
    for entry in node.items:
        item = _read_exception(fields, entry, chain, diagnostics, adds=adds)
        if item.name.text in names:
            message = f"two exceptions of this item are named `{item.name.text}`"
            code = LoadCode.EXCEPTION_NAME_NOT_UNIQUE
            diagnostics.append(Diagnostic(code, Severity.WARNING, message, item.name, item.chain))
        names.add(item.name.text)
        exceptions.append(item)
    return tuple(exceptions)


def _read_exception(
    parent: Fields, node: Node, chain: Chain, diagnostics: list[Diagnostic], *, adds: bool
) -> ExceptionItem:
    file = parent.file
    span = file.span(node)
    nameless = (*chain, Context(ItemKind.EXCEPTION, span=span))
    if not isinstance(node, MappingNode):
        message = "an exception is a mapping of name, fields, comps and values"
        raise Fault(message, span, code=LoadCode.ERR_YAML_VALIDATE, chain=nameless)
    name = Fields(file, node, nameless).text("name")
    fields = Fields(file, node, (*parent.chain, Context(ItemKind.EXCEPTION, name.text, span)))
    if not adds and not fields.has("fields"):
        raise fields.fail(f"exception `{name.text}` needs `fields`")
    values = fields.get("values")
    if values is None and adds:
        message = f"exception `{name.text}` adds no values"
        code = LoadCode.APPEND_NO_VALUES
        diagnostics.append(Diagnostic(code, Severity.WARNING, message, name, fields.chain))
    return ExceptionItem(
        name,
        _read_optional_entry(fields, "fields"),
        _read_optional_entry(fields, "comps"),
        _read_values(fields, values),
        fields.chain,
    )


def _read_values(fields: Fields, node: Node | None) -> tuple[Entry, ...]:
    if node is None:
        return ()
    span = fields.file.span(node)
    chain = (*fields.chain, Context(ItemKind.EXCEPTION_VALUES, span=span))
    if not isinstance(node, SequenceNode):
        message = "`values` needs a sequence"
        raise Fault(message, span, code=LoadCode.ERR_YAML_VALIDATE, chain=chain)
    fields.file.count(len(node.items), chain)
    return tuple(
        _read_entry(
            fields.file, item, (*chain, Context(ItemKind.EXCEPTION_VALUE, span=span)), depth=0
        )
        for item in node.items
    )


def _read_optional_entry(fields: Fields, key: str) -> Entry | None:
    node = fields.get(key)
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return None
    return _read_entry(fields.file, node, fields.value_chain(key), depth=0)


def _read_entry(file: File, node: Node, chain: Chain, depth: int) -> Entry:
    if isinstance(node, SequenceNode) and depth < 2:
        file.count(len(node.items), chain)
        return tuple(_read_entry(file, item, chain, depth + 1) for item in node.items)
    if isinstance(node, Scalar) and not node.is_null and node.value:
        return file.text_span(node)
    raise Fault(
        "expected a text",
        file.span(node),
        code=LoadCode.ERR_YAML_VALIDATE,
        chain=chain,
    )


def _warn(
    code: LoadCode,
    message: str,
    fields: Fields,
    key: str,
    diagnostics: list[Diagnostic],
    help_text: str | None,
) -> None:
    node = fields.get(key)
    span = fields.file.span(node) if node is not None else None
    diagnostics.append(Diagnostic(code, Severity.WARNING, message, span, fields.chain, help_text))
