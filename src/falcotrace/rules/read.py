"""YAML nodes to items: which keys there are, and which of them an item needs.

A generator: each item is handed out before the next is looked at, for Falco reports the first error
in that order, and an error of collecting may come before the next one of reading.

Source: falco 13074749 userspace/engine/rule_loader_reader.cpp.
"""

import re
from collections.abc import Iterator

from falcotrace.errors import Context, Diagnostic, Severity, Span
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.items import (
    Chain,
    EngineRequirement,
    Item,
    ListItem,
    MacroItem,
    PluginRequirement,
    PluginVersion,
)
from falcotrace.rules.nodes import Fields, File, unsigned_number
from falcotrace.rules.overrides import read_overrides
from falcotrace.rules.read_rule import read_rule
from falcotrace.rules.source import (
    MappingNode,
    Node,
    Scalar,
    SequenceNode,
    TextSource,
    compose_documents,
)

_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")
_MACRO_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_LIST_NAME = re.compile(r"""[^()"' \t\n\v\f\r=,]+""")

_KEYS: dict[str, frozenset[str]] = {
    "required_engine_version": frozenset({"required_engine_version"}),
    "required_plugin_versions": frozenset({"required_plugin_versions"}),
    "list": frozenset({"list", "items", "append", "override"}),
    "macro": frozenset({"macro", "condition", "append", "override"}),
    "rule": frozenset(
        {
            *("rule", "condition", "output", "desc", "priority", "source", "enabled", "tags"),
            *("warn_evttypes", "skip-if-unknown-filter", "exceptions", "append", "override"),
            *("capture", "capture_duration", "count", "sequence"),
        }
    ),
}
"""The keys of each kind of item, in the order in which Falco tells the kinds apart."""


def read_items(source: TextSource, diagnostics: list[Diagnostic]) -> Iterator[Item]:
    """Yield the items of a file in order.

    Args:
        source: the file's text.
        diagnostics: receives warnings.

    Raises:
        Fault: the first thing that makes the file unusable.
    """
    documents = compose_documents(source)
    try:
        for root in documents.roots:
            if root is not None:
                yield from _read_document(File(source), root, diagnostics)
    except Fault as fault:
        if documents.unclosed is not None:
            place = documents.unclosed.locate()
            fault.help = f"the quote at line {place.line}, column {place.column} is never closed"
        raise


def _read_document(file: File, root: Node, diagnostics: list[Diagnostic]) -> Iterator[Item]:
    if not isinstance(root, SequenceNode):
        raise Fault(
            "a rules file is a sequence of rules, macros and lists",
            file.span(root),
            code=LoadCode.ERR_YAML_VALIDATE,
            help_text="begin each item with `- `",
        )
    file.count(len(root.items), ())
    for node in root.items:
        if not (isinstance(node, Scalar) and node.is_null):
            yield from _read_item(file, node, diagnostics)


def _read_item(file: File, node: Node, diagnostics: list[Diagnostic]) -> Iterator[Item]:
    span = file.span(node)
    if not isinstance(node, MappingNode):
        raise Fault(
            "an item is a mapping, such as `- rule: ..`",
            span,
            code=LoadCode.ERR_YAML_VALIDATE,
            chain=(Context(ItemKind.ITEM, span=span),),
        )
    fields = Fields(file, node, ())
    kind = next((kind for kind in _KEYS if fields.has(kind)), None)
    match kind:
        case "required_engine_version":
            yield _read_engine_version(fields, diagnostics)
        case "required_plugin_versions":
            yield from _read_plugin_versions(fields, diagnostics)
        case "list":
            yield _read_list(fields, diagnostics)
        case "macro":
            yield _read_macro(fields, diagnostics)
        case "rule":
            fields = _named(fields, "rule", ItemKind.RULE)
            yield from read_rule(fields, diagnostics)
            _warn_unknown_keys(fields, "rule", diagnostics)
        case _:
            chain = (Context(ItemKind.ITEM, span=span),)
            known = ", ".join(_KEYS)
            message = "this item is of no known kind and is left out"
            diagnostics.append(
                _warning(LoadCode.UNKNOWN_ITEM, message, span, chain, f"known kinds: {known}")
            )


def _named(fields: Fields, key: str, kind: ItemKind) -> Fields:
    """Read an item's name, and put it into the chain."""
    span = fields.file.span(fields.node)
    nameless = Fields(fields.file, fields.node, (Context(kind, span=span),))
    name = nameless.text(key)
    return Fields(fields.file, fields.node, (Context(kind, name.text, span),))


def _warn_unknown_keys(fields: Fields, kind: str, diagnostics: list[Diagnostic]) -> None:
    for name, node in fields.key_nodes():
        if name not in _KEYS[kind]:
            message = f"`{name}` is not a key of {kind} items and is left out"
            help_text = suggest(name, _KEYS[kind])
            span = fields.file.span(node)
            diagnostics.append(
                _warning(LoadCode.UNKNOWN_KEY, message, span, fields.chain, help_text)
            )


def _read_engine_version(fields: Fields, diagnostics: list[Diagnostic]) -> EngineRequirement:
    key = "required_engine_version"
    span = fields.file.span(fields.node)
    fields = Fields(fields.file, fields.node, (Context(ItemKind.ENGINE_VERSION, span=span),))
    text = fields.text(key)
    number = unsigned_number(text.text)
    match = _VERSION.match(text.text)
    if number is not None:
        version = (0, number, 0)
    elif match is not None:
        version = (int(match[1]), int(match[2]), int(match[3]))
    else:
        message = f"expected a version such as 0.57.0 or 57, found `{text.text}`"
        raise Fault(message, text, code=LoadCode.ERR_YAML_VALIDATE, chain=fields.chain)
    _warn_unknown_keys(fields, key, diagnostics)
    return EngineRequirement(version, text, fields.chain)


def _read_plugin_versions(
    fields: Fields, diagnostics: list[Diagnostic]
) -> Iterator[PluginRequirement]:
    key = "required_plugin_versions"
    node = fields.get(key)
    assert node is not None
    span = fields.file.span(node)
    chain: Chain = (Context(ItemKind.PLUGIN_VERSIONS, span=span),)
    fields = Fields(fields.file, fields.node, chain)
    if not isinstance(node, SequenceNode):
        raise fields.fail(f"`{key}` needs a sequence of names and versions", node)
    _warn_unknown_keys(fields, key, diagnostics)
    fields.file.count(len(node.items), chain)
    for entry in node.items:
        yield _read_plugin(fields.file, entry, chain)


def _read_plugin(file: File, node: Node, chain: Chain) -> PluginRequirement:
    main, entry = _read_plugin_version(file, node, chain, ItemKind.PLUGIN_ENTRY)
    choices = [main]
    alternatives = entry.get("alternatives")
    if alternatives is not None:
        if not isinstance(alternatives, SequenceNode):
            raise entry.fail("`alternatives` needs a sequence of names and versions", alternatives)
        file.count(len(alternatives.items), entry.chain)
        for other in alternatives.items:
            kind = ItemKind.PLUGIN_ALTERNATIVE
            choices.append(_read_plugin_version(file, other, entry.chain, kind)[0])
    return PluginRequirement(tuple(choices), entry.chain)


def _read_plugin_version(
    file: File, node: Node, chain: Chain, kind: ItemKind
) -> tuple[PluginVersion, Fields]:
    span = file.span(node)
    nameless = (*chain, Context(kind, span=span))
    if not isinstance(node, MappingNode):
        message = "a plugin version is a mapping of `name` and `version`"
        raise Fault(message, span, code=LoadCode.ERR_YAML_VALIDATE, chain=nameless)
    name = Fields(file, node, nameless).text("name")
    fields = Fields(file, node, (*chain, Context(kind, name.text, span)))
    return PluginVersion(name, fields.text("version")), fields


def _read_list(fields: Fields, diagnostics: list[Diagnostic]) -> ListItem:
    fields = _named(fields, "list", ItemKind.LIST)
    name = fields.text("list")
    if not _LIST_NAME.fullmatch(name.text):
        message = f"`{name.text}` is not a good name for a list: no blanks, quotes, brackets, `=`"
        diagnostics.append(_warning(LoadCode.INVALID_LIST_NAME, message, name, fields.chain))
    items = fields.texts("items")
    is_append = _read_append(fields, "items", diagnostics)
    _warn_unknown_keys(fields, "list", diagnostics)
    return ListItem(name, items, is_append, fields.chain)


def _read_macro(fields: Fields, diagnostics: list[Diagnostic]) -> MacroItem:
    fields = _named(fields, "macro", ItemKind.MACRO)
    name = fields.text("macro")
    if not _MACRO_NAME.fullmatch(name.text):
        message = f"`{name.text}` can never be used: a macro's name has letters, digits and `_`"
        diagnostics.append(_warning(LoadCode.INVALID_MACRO_NAME, message, name, fields.chain))
    condition = fields.text("condition")
    is_append = _read_append(fields, "condition", diagnostics)
    _warn_unknown_keys(fields, "macro", diagnostics)
    return MacroItem(name, condition, is_append, fields.chain)


def _read_append(fields: Fields, key: str, diagnostics: list[Diagnostic]) -> bool:
    """Tell whether a list or macro adds to another, in either way to say so."""
    is_append = bool(fields.optional_flag("append"))
    if is_append:
        warn_append(fields, diagnostics)
    overrides = read_overrides(fields, frozenset({key}), frozenset({key}))
    if is_append and overrides:
        raise fields.fail("`append` and `override` cannot stand in one item")
    return is_append or overrides.get(key) == "append"


def warn_append(fields: Fields, diagnostics: list[Diagnostic]) -> None:
    """Warn about the old way to append."""
    node = fields.get("append")
    assert node is not None
    diagnostics.append(
        _warning(
            LoadCode.DEPRECATED_ITEM,
            "`append: true` is deprecated",
            fields.file.span(node),
            fields.chain,
            "write `override: {condition: append}`",
        )
    )


def _warning(
    code: LoadCode, message: str, span: Span | None, chain: Chain, help_text: str | None = None
) -> Diagnostic:
    return Diagnostic(code, Severity.WARNING, message, span, chain, help_text)
