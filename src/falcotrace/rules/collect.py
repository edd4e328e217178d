"""Items of all files put together: definitions, additions, replacements, in Falco's order.

In come items one after another, out comes what each list, macro and rule says now. Texts are joined
later; here they are kept as the pieces that were written. Nothing is parsed except the fields and
operators of exceptions, which Falco judges at this point.

A redefinition keeps the place of the first definition but may refer to more (its *visibility*).

Source: falco 13074749 userspace/engine/rule_loader_collector.cpp.
"""

import dataclasses
from collections.abc import Collection
from typing import assert_never

from falcotrace.errors import Context, Diagnostic, Severity, Span
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.exceptions import RuleExceptionState, add_exception, define_exception
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.items import (
    Chain,
    CorrelationItem,
    EngineRequirement,
    Item,
    ListItem,
    MacroItem,
    PluginRequirement,
    RuleAppend,
    RuleDefinition,
    RuleKeys,
    RuleReplace,
    RuleSwitch,
)
from falcotrace.rules.plan import Priority
from falcotrace.rules.requirements import check_engine, check_plugin_syntax

SYSCALL_SOURCE = "syscall"


@dataclasses.dataclass(slots=True)
class ListState:
    """A list as it stands: its items, its place, and before which place lists may be named."""

    name: Span
    items: list[Span]
    index: int
    visibility: int
    chain: Chain


@dataclasses.dataclass(slots=True)
class MacroState:
    """A macro as it stands: the pieces of its condition, its place and its visibility."""

    name: Span
    condition: list[Span]
    index: int
    visibility: int
    chain: Chain
    condition_chain: Chain


@dataclasses.dataclass(slots=True)
class RuleState:
    """A rule as it stands; texts as the pieces that were written."""

    name: Span
    index: int
    source: str
    has_known_source: bool
    condition: list[Span]
    output: list[Span]
    description: list[Span]
    priority: Priority
    tags: frozenset[str]
    exceptions: list[RuleExceptionState]
    enabled: bool
    warn_evttypes: bool
    skip_if_unknown_filter: bool
    capture: bool
    capture_duration_ms: int
    chain: Chain
    condition_chain: Chain
    output_chain: Chain
    correlation: CorrelationItem | None = None
    is_converted: bool = False

    @property
    def names_lists(self) -> bool:
        """Whether words of the condition may be names of lists.

        Not those of a converted rule, unless somebody added to it.
        """
        is_as_converted = len(self.condition) == 1 and not self.exceptions
        return not (self.is_converted and is_as_converted)


class Collector:
    """Takes items in order and keeps the state of everything defined so far."""

    def __init__(self, sources: Collection[str]) -> None:
        self._sources = sources
        self._next_index = 0
        self.lists: dict[str, ListState] = {}
        self.macros: dict[str, MacroState] = {}
        self.rules: dict[str, RuleState] = {}
        self.plugins: list[PluginRequirement] = []

    def add(self, item: Item, diagnostics: list[Diagnostic]) -> None:
        """Apply an item.

        Raises:
            Fault: it contradicts what is there, or needs something that is not.
        """
        match item:
            case EngineRequirement():
                check_engine(item)
            case PluginRequirement():
                check_plugin_syntax(item)
                self.plugins.append(item)
            case ListItem():
                self._add_list(item)
            case MacroItem():
                self._add_macro(item)
            case RuleDefinition():
                self._define_rule(item, diagnostics)
            case RuleAppend():
                self._append_to_rule(item)
            case RuleReplace():
                self._replace_in_rule(item)
            case RuleSwitch():
                self._known_rule(item.name, item.chain, "switch").enabled = item.enabled
            case _:
                assert_never(item)

    def add_converted(self, item: RuleDefinition, diagnostics: list[Diagnostic]) -> None:
        """Define a rule that was made from one of another language.

        Raises:
            Fault: there is a rule of that name.
        """
        if item.name.text in self.rules:
            raise Fault(
                f"there is a rule `{item.name.text}` already",
                item.name,
                code=LoadCode.ERR_VALIDATE,
                chain=item.chain,
                help_text="give one of the two another name",
            )
        self._define_rule(item, diagnostics)
        self.rules[item.name.text].is_converted = True

    def _take_index(self) -> int:
        self._next_index += 1
        return self._next_index - 1

    def _add_list(self, item: ListItem) -> None:
        previous = self.lists.get(item.name.text)
        if item.is_append:
            if previous is None:
                raise _missing("list", item.name, self.lists, item.chain)
            # A new list, because an earlier one may be shared with what was compiled from it.
            previous.items = [*previous.items, *item.items]
            previous.visibility = self._take_index()
            return
        index = self._take_index()
        first = index if previous is None else previous.index
        self.lists[item.name.text] = ListState(
            item.name, list(item.items), first, index, item.chain
        )

    def _add_macro(self, item: MacroItem) -> None:
        previous = self.macros.get(item.name.text)
        if item.is_append:
            if previous is None:
                raise _missing("macro", item.name, self.macros, item.chain)
            previous.condition = [*previous.condition, item.condition]
            previous.visibility = self._take_index()
            return
        index = self._take_index()
        first = index if previous is None else previous.index
        condition_chain = (*item.chain, Context(ItemKind.MACRO_CONDITION, span=item.condition))
        self.macros[item.name.text] = MacroState(
            item.name, [item.condition], first, index, item.chain, condition_chain
        )

    def _define_rule(self, item: RuleDefinition, diagnostics: list[Diagnostic]) -> None:
        keys, name = item.keys, item.name.text
        previous = self.rules.get(name)
        source = keys.source.text if keys.source else SYSCALL_SOURCE
        if previous is not None and previous.source != source:
            raise _source_mismatch(item.name, previous.source, source, item.chain)
        has_known_source = source in self._sources
        if not has_known_source:
            message = f"no events come from source `{source}`; the rule is left out"
            code = LoadCode.UNKNOWN_SOURCE
            diagnostics.append(Diagnostic(code, Severity.WARNING, message, keys.source, item.chain))
        assert keys.condition
        assert keys.output
        assert keys.description
        assert keys.priority is not None
        exceptions = [
            define_exception(exception, is_checked=has_known_source)
            for exception in keys.exceptions or ()
        ]
        index = self._take_index()
        self.rules[name] = RuleState(
            name=item.name,
            index=index if previous is None else previous.index,
            source=source,
            has_known_source=has_known_source,
            condition=[keys.condition],
            output=[trim(keys.output)],
            description=[keys.description],
            priority=keys.priority,
            tags=frozenset(keys.tags or ()),
            exceptions=exceptions,
            enabled=keys.enabled is not False,
            warn_evttypes=keys.warn_evttypes is not False,
            skip_if_unknown_filter=bool(keys.skip_if_unknown_filter),
            capture=bool(keys.capture),
            capture_duration_ms=keys.capture_duration_ms or 0,
            chain=item.chain,
            condition_chain=(*item.chain, Context(ItemKind.RULE_CONDITION, span=keys.condition)),
            output_chain=(*item.chain, Context(ItemKind.OUTPUT, span=keys.output)),
            correlation=keys.correlation,
        )

    def _append_to_rule(self, item: RuleAppend) -> None:
        keys = item.keys
        rule = self._known_rule(item.name, item.chain, "append to", keys)
        if all(
            part is None
            for part in (
                keys.condition,
                keys.output,
                keys.description,
                keys.tags,
                keys.exceptions,
            )
        ):
            message = f"nothing is appended to rule `{item.name.text}`"
            help_text = "append a condition or exceptions"
            raise Fault(
                message,
                item.name,
                code=LoadCode.ERR_VALIDATE,
                chain=item.chain,
                help_text=help_text,
            )
        if keys.condition:
            rule.condition = [*rule.condition, keys.condition]
        if keys.output:
            rule.output = [*rule.output, trim(keys.output)]
        if keys.description:
            rule.description = [*rule.description, keys.description]
        rule.tags |= frozenset(keys.tags or ())
        for exception in keys.exceptions or ():
            rule.exceptions = add_exception(
                rule.exceptions, exception, is_checked=rule.has_known_source
            )
        self._take_index()

    def _replace_in_rule(self, item: RuleReplace) -> None:
        keys = item.keys
        rule = self._known_rule(item.name, item.chain, "replace parts of", keys)
        if keys.condition:
            rule.condition = [keys.condition]
        if keys.output:
            rule.output = [trim(keys.output)]
        if keys.description:
            rule.description = [keys.description]
        if keys.exceptions is not None:
            rule.exceptions = [
                define_exception(exception, is_checked=rule.has_known_source)
                for exception in keys.exceptions
            ]
        if keys.tags is not None:
            rule.tags = frozenset(keys.tags)
        _replace_settings(rule, keys)
        self._take_index()

    def _known_rule(
        self, name: Span, chain: Chain, action: str, keys: RuleKeys | None = None
    ) -> RuleState:
        rule = self.rules.get(name.text)
        if rule is None:
            raise Fault(
                f"there is no rule `{name.text}` yet to {action}",
                name,
                code=LoadCode.ERR_VALIDATE,
                chain=chain,
                help_text=suggest(name.text, self.rules),
            )
        if keys is not None and keys.source and keys.source.text != rule.source:
            raise _source_mismatch(name, rule.source, keys.source.text, chain)
        return rule


def trim(text: Span) -> Span:
    """Return a span without the blanks at its ends."""
    whole = text.text
    lead = len(whole) - len(whole.lstrip(" \t\n\v\f\r"))
    kept = len(whole.rstrip(" \t\n\v\f\r"))
    return Span(text.source, text.start + lead, text.start + max(lead, kept))


def _replace_settings(rule: RuleState, keys: RuleKeys) -> None:
    if keys.priority is not None:
        rule.priority = keys.priority
    if keys.enabled is not None:
        rule.enabled = keys.enabled
    if keys.warn_evttypes is not None:
        rule.warn_evttypes = keys.warn_evttypes
    if keys.skip_if_unknown_filter is not None:
        rule.skip_if_unknown_filter = keys.skip_if_unknown_filter
    if keys.capture is not None:
        rule.capture = keys.capture
    if keys.capture_duration_ms is not None:
        rule.capture_duration_ms = keys.capture_duration_ms
    if keys.correlation is not None:
        rule.correlation = keys.correlation


def _missing(kind: str, name: Span, known: Collection[str], chain: Chain) -> Fault:
    return Fault(
        f"there is no {kind} `{name.text}` yet to append to",
        name,
        code=LoadCode.ERR_VALIDATE,
        chain=chain,
        help_text=suggest(name.text, known),
    )


def _source_mismatch(name: Span, old: str, new: str, chain: Chain) -> Fault:
    message = f"rule `{name.text}` has the source `{old}`, not `{new}`"
    return Fault(message, name, code=LoadCode.ERR_VALIDATE, chain=chain)
