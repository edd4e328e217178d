"""Everything collected so far, compiled: conditions assembled, parsed, resolved and checked.

In comes the state of the collector, out come the plans of its rules and Falco's warnings. Falco
compiles everything again after each file; what has not changed since is taken from memory.

Source: falco 13074749 userspace/engine/rule_loader_compiler.cpp.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from falcotrace.errors import Context, Diagnostic, Severity, Source, Span
from falcotrace.rules.asked import fields_of
from falcotrace.rules.ast import Condition
from falcotrace.rules.check import (
    DEPRECATED_FIELDS,
    Checker,
    Hint,
    once_per_field,
    unsafe_na_checks,
)
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.collect import SYSCALL_SOURCE, Collector, ListState, MacroState, RuleState
from falcotrace.rules.compile_sequences import compile_correlation, step_chain
from falcotrace.rules.event_set import MANY_CODES, EventSet, find_events
from falcotrace.rules.exceptions import RuleExceptionState, condition_pieces
from falcotrace.rules.faults import Fault, diagnose
from falcotrace.rules.items import Chain, StepItem
from falcotrace.rules.lists import ExpandedList, expand_lists
from falcotrace.rules.output import parse_template, template_fields
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.plan import (
    FieldOperand,
    Formula,
    Priority,
    RuleException,
    RulePlan,
    Template,
)
from falcotrace.rules.printer import print_condition
from falcotrace.rules.resolve import MacroResolver, MacroScope
from falcotrace.rules.sequences import Correlation, Key, Step
from falcotrace.rules.texts import JoinedSource, Piece, join, spaced, without
from falcotrace.rules.written import WrittenCondition

_CONTAINER_INFO = "%container.info"


@dataclasses.dataclass(frozen=True, slots=True)
class OutputAddition:
    """A text that the configuration appends to the outputs of some rules.

    Args:
        text: an output template.
        source: only rules of this source; empty for all.
        tags: only rules with all of these tags.
        rule: only the rule of this name; empty for all.
    """

    text: str
    source: str = ""
    tags: frozenset[str] = frozenset()
    rule: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says about rules.

    Args:
        min_priority: rules less severe than this are compiled but not run.
        additions: texts appended to outputs, in order.
    """

    min_priority: Priority = Priority.DEBUG
    additions: tuple[OutputAddition, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Checked:
    """What became of a condition; the tree is kept because its identity is the key."""

    tree: Condition
    formula: Formula
    hints: list[Hint]
    text: str
    events: EventSet
    fields: tuple[FieldOperand, ...]


class Compiler:
    """Compiles a collector's state, again after each file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._checker = Checker()
        self._parsed: dict[tuple[str, str], tuple[str, Sequence[Span], Condition]] = {}
        self._used_lists: set[str] = set()
        self._used_macros: set[str] = set()
        self._resolver = MacroResolver()
        self._written_macros: Mapping[str, Condition] = {}
        self._templates: dict[str, Template] = {}
        self._checked: dict[int, _Checked] = {}

    def compile(self, collector: Collector, diagnostics: list[Diagnostic]) -> tuple[RulePlan, ...]:
        """Compile all rules.

        Args:
            collector: what is defined.
            diagnostics: receives warnings.

        Raises:
            Fault: the first thing that cannot be compiled.
        """
        self._used_lists = set()
        self._used_macros = set()
        lists = self._expand_lists(collector)
        macros = self._compile_macros(collector, lists)
        plans: list[RulePlan] = []
        for rule in sorted(collector.rules.values(), key=_index_of):
            if rule.has_known_source:
                plan = self._compile_rule(rule, len(plans), lists, macros, diagnostics)
                plans += [plan] if plan is not None else []
        self._warn_unused(collector, diagnostics)
        return tuple(plans)

    def definitions(self, collector: Collector) -> tuple[list[ExpandedList], MacroScope]:
        """The lists and macros that a condition behind everything collected may name.

        Raises:
            Fault: the first of them that cannot be compiled.
        """
        lists = self._expand_lists(collector)
        return lists, self._compile_macros(collector, lists)

    def _expand_lists(self, collector: Collector) -> list[ExpandedList]:
        """Open lists inside lists, one level deep, where they may be seen."""
        expanded: list[ExpandedList] = []
        for name, state in sorted(collector.lists.items(), key=lambda pair: pair[1].index):
            items = self._open_inner(state, collector.lists)
            expanded.append(ExpandedList.of(name, items, state.name))
        return expanded

    def _open_inner(self, state: ListState, lists: Mapping[str, ListState]) -> Iterator[Span]:
        for item in state.items:
            inner = lists.get(item.text)
            if inner is not None and inner.index < state.visibility:
                self._used_lists.add(item.text)
                yield from inner.items
            else:
                yield item

    def _compile_macros(self, collector: Collector, lists: Sequence[ExpandedList]) -> MacroScope:
        states = sorted(collector.macros.items(), key=lambda pair: pair[1].index)
        indexes = {name: state.index for name, state in states}
        trees: dict[str, Condition] = {}
        for name, state in states:
            context = Context(ItemKind.MACRO, name, state.name)
            source = JoinedSource(spaced(state.condition), context)
            chain = (*state.condition_chain, Context(ItemKind.CONDITION))
            trees[name] = self._parse(("macro", name), source, state.condition, lists, chain)
        self._written_macros = dict(trees)
        for name, state in states:
            scope = MacroScope(trees, indexes, state.visibility)
            chain = (*state.chain, Context(ItemKind.CONDITION))
            trees[name] = self._resolve(trees[name], scope, chain)
        return MacroScope(trees, indexes)

    def _parse(
        self,
        key: tuple[str, str],
        source: Source,
        pieces: Sequence[Span],
        lists: Sequence[ExpandedList],
        chain: Chain,
    ) -> Condition:
        try:
            expanded, used = expand_lists(source, lists)
            self._used_lists.update(used)
            known = self._parsed.get(key)
            if known is not None and known[0] == expanded.text and known[1] == pieces:
                return known[2]
            tree = parse_condition(expanded)
        except Fault as fault:
            raise _placed(fault, LoadCode.ERR_COMPILE_CONDITION, chain) from fault
        self._parsed[key] = (expanded.text, list(pieces), tree)
        return tree

    def _resolve(self, tree: Condition, macros: MacroScope, chain: Chain) -> Condition:
        try:
            return self._resolver.resolve(tree, macros, self._used_macros)
        except Fault as fault:
            raise _placed(fault, LoadCode.ERR_VALIDATE, chain) from fault

    def _compile_rule(
        self,
        rule: RuleState,
        index: int,
        lists: Sequence[ExpandedList],
        macros: MacroScope,
        diagnostics: list[Diagnostic],
    ) -> RulePlan | None:
        pieces = condition_pieces(join(spaced(rule.condition)), rule.exceptions)
        chain = (*rule.condition_chain, Context(ItemKind.CONDITION))
        key = ("rule", rule.name.text)
        origins = [piece.origin for piece in pieces]
        tree = self._parse(key, join(pieces), origins, lists if rule.names_lists else (), chain)
        written = self._written(tree, rule)
        tree = self._resolve(tree, macros, (*rule.chain, Context(ItemKind.CONDITION)))
        try:
            template = self._compile_output(rule, diagnostics)
            checked = self._check(tree, chain, diagnostics)
            correlation = self._correlation(rule, lists, macros, diagnostics)
        except Fault as fault:
            if not (rule.skip_if_unknown_filter and fault.skippable):
                raise
            code = LoadCode.UNKNOWN_FILTER
            diagnostics.append(
                dataclasses.replace(
                    diagnose(fault, code, rule.chain, Severity.WARNING),
                    code=code,
                    help="the rule is left out, as `skip-if-unknown-filter` asks",
                )
            )
            return None
        plan = self._plan(rule, index, checked, template, written, diagnostics)
        return dataclasses.replace(plan, correlation=correlation)

    def _correlation(
        self,
        rule: RuleState,
        lists: Sequence[ExpandedList],
        macros: MacroScope,
        diagnostics: list[Diagnostic],
    ) -> Correlation | None:
        def compile_step(item: StepItem, number: int, key: Key) -> Step:
            chain, texts = step_chain(item), [item.condition]
            place = (f"step {number}", rule.name.text)
            tree = self._parse(place, join(spaced(texts)), texts, lists, chain)
            found = self._check(self._resolve(tree, macros, chain), chain, diagnostics)
            return Step(found.formula, found.text, found.events.names, found.fields, key)

        return compile_correlation(rule.correlation, compile_step)

    def _written(self, tree: Condition, rule: RuleState) -> WrittenCondition:
        names = tuple(exception.name.text for exception in rule.exceptions if exception.values)
        return WrittenCondition(tree, self._written_macros, names)

    def _check(self, tree: Condition, chain: Chain, diagnostics: list[Diagnostic]) -> _Checked:
        spans = unsafe_na_checks(tree)
        if spans:
            message = "`<NA>` is not what a missing value compares with"
            code = LoadCode.UNSAFE_NA_CHECK
            help_text = "use `exists`"
            diagnostics.append(
                Diagnostic(code, Severity.WARNING, message, spans[0], chain, help_text)
            )
        known = self._checked.get(id(tree))
        if known is None:
            try:
                formula, hints = self._checker.check(tree)
            except Fault as fault:
                raise _placed(fault, LoadCode.ERR_COMPILE_CONDITION, chain) from fault
            known = _Checked(
                tree,
                formula,
                hints,
                print_condition(tree),
                find_events(formula),
                fields_of(formula),
            )
            self._checked[id(tree)] = known
        diagnostics += [
            Diagnostic(hint.code, Severity.WARNING, hint.message, hint.span, chain, hint.help)
            for hint in once_per_field(known.hints)
        ]
        return known

    def _compile_output(self, rule: RuleState, diagnostics: list[Diagnostic]) -> Template:
        source = self._assemble_output(rule, diagnostics)
        text = source.text
        template = self._templates.get(text)
        if template is None:
            try:
                template = self._templates[text] = parse_template(source)
            except Fault as fault:
                raise _placed(fault, LoadCode.ERR_COMPILE_OUTPUT, rule.output_chain) from fault
        diagnostics += [
            Diagnostic(
                LoadCode.DEPRECATED_ITEM,
                Severity.WARNING,
                f"field `{name}` is deprecated",
                Span(source, text.index(name), text.index(name) + len(name)),
                rule.output_chain,
            )
            for name in DEPRECATED_FIELDS
            if name in text
        ]
        return template

    def _assemble_output(self, rule: RuleState, diagnostics: list[Diagnostic]) -> Source:
        """Join what was written, and what the configuration adds."""
        pieces = spaced(rule.output)
        for addition in self._settings.additions:
            if _applies(addition, rule):
                pieces.append(Piece(f" {addition.text}", rule.output[0], is_verbatim=False))
        source = join(pieces)
        if _CONTAINER_INFO not in source.text:
            return source
        message = f"`{_CONTAINER_INFO}` is deprecated and prints nothing"
        code = LoadCode.DEPRECATED_ITEM
        diagnostics.append(Diagnostic(code, Severity.WARNING, message, rule.output[0], rule.chain))
        return join(without(source, _CONTAINER_INFO))

    def _plan(
        self,
        rule: RuleState,
        index: int,
        checked: _Checked,
        template: Template,
        written: WrittenCondition,
        diagnostics: list[Diagnostic],
    ) -> RulePlan:
        events = checked.events
        is_syscall = rule.source == SYSCALL_SOURCE
        if is_syscall and rule.warn_evttypes and events.code_count > MANY_CODES:
            code = LoadCode.NO_EVTTYPE
            message = f"rule `{rule.name.text}` looks at {events.code_count} of all event types"
            help_text = "restrict it with `evt.type in (..)`"
            diagnostics.append(
                Diagnostic(code, Severity.WARNING, message, rule.name, rule.chain, help_text)
            )
        return RulePlan(
            name=rule.name.text,
            index=index,
            source=rule.source,
            priority=rule.priority,
            tags=tuple(sorted(rule.tags)),
            enabled=rule.enabled and rule.priority <= self._settings.min_priority,
            description=join(spaced(rule.description)).text,
            condition=checked.formula,
            condition_text=checked.text,
            event_names=events.names if is_syscall else None,
            event_code_count=events.code_count,
            output=template,
            condition_fields=checked.fields,
            output_fields=template_fields(template),
            exceptions=tuple(map(_describe_exception, rule.exceptions)),
            capture=rule.capture,
            capture_duration_ms=rule.capture_duration_ms,
            span=rule.name,
            written=written,
        )

    def _warn_unused(self, collector: Collector, diagnostics: list[Diagnostic]) -> None:
        def warn(code: LoadCode, kind: str, state: ListState | MacroState) -> None:
            message = f"{kind} `{state.name.text}` is not used"
            diagnostics.append(Diagnostic(code, Severity.WARNING, message, state.name, state.chain))

        for macro in sorted(collector.macros.values(), key=_index_of):
            if macro.name.text not in self._used_macros:
                warn(LoadCode.UNUSED_MACRO, "macro", macro)
        for item in sorted(collector.lists.values(), key=_index_of):
            if item.name.text not in self._used_lists:
                warn(LoadCode.UNUSED_LIST, "list", item)


def _describe_exception(state: RuleExceptionState) -> RuleException:
    fields = tuple(field.text for field in state.fields)
    return RuleException(
        state.name.text, fields, state.comparisons, len(state.values), state.is_tuple
    )


def _index_of(state: ListState | MacroState | RuleState) -> int:
    return state.index


def _applies(addition: OutputAddition, rule: RuleState) -> bool:
    return (
        addition.source in {"", rule.source}
        and addition.tags <= rule.tags
        and addition.rule in {"", rule.name.text}
    )


def _placed(fault: Fault, code: LoadCode, chain: Chain) -> Fault:
    """Give a fault the chain and the code of the stage, unless it has its own."""
    fault.code = fault.code or code
    fault.chain = fault.chain or chain
    return fault
