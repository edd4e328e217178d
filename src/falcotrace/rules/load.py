"""Rules from files to a plan: the way in.

    read_source -> read_items -> Collector -> Compiler -> Plan

Files are loaded one after another and each, with those before it, must be complete in itself. The
first error ends the load, as in Falco. Nothing is raised for bad rules: the rule set carries what
there is to say about them, and `raise_if_invalid` is for callers who want an exception.

Source: falco 13074749 userspace/engine/falco_engine.cpp (load_rules) and
userspace/falco/app/actions/load_rules_files.cpp.
"""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import assert_never

from falcotrace.errors import Diagnostic, RulesError, Severity
from falcotrace.rules.check import Checker
from falcotrace.rules.codes import LoadCode
from falcotrace.rules.collect import SYSCALL_SOURCE, Collector
from falcotrace.rules.compile import Compiler, OutputAddition, Settings
from falcotrace.rules.faults import Fault, diagnose
from falcotrace.rules.items import RuleDefinition
from falcotrace.rules.lists import ExpandedList
from falcotrace.rules.output import suggested_output
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.plan import CONDITION_NAME, Formula, Plan, Priority
from falcotrace.rules.read import read_items
from falcotrace.rules.requirements import missing_plugins
from falcotrace.rules.resolve import NO_MACROS, MacroResolver, MacroScope
from falcotrace.rules.select import Selection, select_rules
from falcotrace.rules.source import TextSource, read_source

_UNUSED = frozenset({LoadCode.UNUSED_MACRO, LoadCode.UNUSED_LIST})
SUFFIXES = frozenset({".yaml", ".yml"})
"""How the names of rules files end."""


@dataclasses.dataclass(frozen=True, slots=True)
class RulesText:
    """Rules given as a text instead of a file.

    Args:
        text: YAML, as in a rules file.
        name: what messages call it.
    """

    text: str
    name: str = "<rules>"


@dataclasses.dataclass(frozen=True, slots=True)
class ConvertedRules:
    """Rules that were made from those of another language.

    Their conditions say what they say: words in them are never taken for names of lists, and none
    of them takes the place of a rule that is there.

    Args:
        text: YAML, as in a rules file; knows where the rules were written.
    """

    text: TextSource


RulesSource = Path | RulesText | ConvertedRules


@dataclasses.dataclass(frozen=True, slots=True)
class FileResult:
    """What there was to say when a file had been loaded, about it and all before it."""

    name: str
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether the file could be used."""
        return not any(item.severity is Severity.ERROR for item in self.diagnostics)


@dataclasses.dataclass(frozen=True, slots=True)
class Ruleset:
    """Loaded rules.

    Args:
        plan: what engines run; without rules if anything is wrong.
        files: the files that were looked at, in order; the last one may be the one that failed.
    """

    plan: Plan
    files: tuple[FileResult, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What makes the rules unusable."""
        return self._distinct(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is worth a second look, said once."""
        return self._distinct(Severity.WARNING)

    @property
    def lasting_warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings that still hold after all files.

        Falco judges after each file, and calls a macro unused that only a later file uses.
        """
        last = {_key(item) for file in self.files[-1:] for item in file.diagnostics}
        return tuple(
            item for item in self.warnings if item.code not in _UNUSED or _key(item) in last
        )

    @property
    def ok(self) -> bool:
        """Whether the rules can be used."""
        return not self.errors

    def raise_if_invalid(self) -> None:
        """Raise what is wrong with the rules.

        Raises:
            RulesError: there is an error.
        """
        if self.errors:
            raise RulesError(self.errors)

    def _distinct(self, severity: Severity) -> tuple[Diagnostic, ...]:
        """Each message once: Falco judges everything again after each file."""
        seen: dict[tuple[str, ...], Diagnostic] = {}
        for file in self.files:
            for item in file.diagnostics:
                if item.severity is severity:
                    seen.setdefault(_key(item), item)
        return tuple(seen.values())


def _key(diagnostic: Diagnostic) -> tuple[str, ...]:
    """What makes two messages the same."""
    where = str(diagnostic.span.locate()) if diagnostic.span else ""
    return (diagnostic.code, diagnostic.message, where, *map(str, diagnostic.chain))


def load_rules(
    sources: Iterable[Path | str | RulesText | ConvertedRules],
    *,
    min_priority: Priority = Priority.DEBUG,
    extra_sources: Collection[str] = (),
    selections: Sequence[Selection] = (),
    additions: Sequence[OutputAddition] = (),
    append_suggested: bool = False,
    verify_plugins: bool = True,
) -> Ruleset:
    """Load rules.

    Args:
        sources: files, folders of files, or texts, in order.
        min_priority: rules less severe than this are compiled but not run.
        extra_sources: event sources besides `syscall` whose rules are compiled.
        selections: rules to enable and disable, in order, after all files.
        additions: texts to append to outputs.
        append_suggested: append the container and Kubernetes fields to every output, as Falco's
            default configuration does.
        verify_plugins: require the plugins that the files name; `container` is always there.

    Example:
        >>> text = "- {rule: r, desc: d, condition: evt.type=open, output: o, priority: INFO}"
        >>> [rule.name for rule in load_rules([RulesText(text)]).plan.rules]
        ['r']
    """
    suggested = (OutputAddition(suggested_output(), SYSCALL_SOURCE),) if append_suggested else ()
    settings = Settings(min_priority, (*suggested, *additions))
    loader = _Loader(settings, {SYSCALL_SOURCE, *extra_sources})
    for source in sources:
        for file in expand_source(source):
            if not loader.load(file):
                return Ruleset(Plan(()), tuple(loader.files))
    if verify_plugins and not loader.verify_plugins():
        return Ruleset(Plan(()), tuple(loader.files))
    plan = select_rules(loader.plan, selections, min_priority)
    return Ruleset(plan, tuple(loader.files))


def parse_formula(text: str) -> Formula:
    """Compile one condition by itself.

    Raises:
        RulesError: it is none, or uses a macro.
    """
    source = TextSource(CONDITION_NAME, text)
    try:
        tree = MacroResolver().resolve(parse_condition(source), NO_MACROS, set())
        return Checker().check(tree)[0]
    except Fault as fault:
        raise RulesError([diagnose(fault, LoadCode.ERR_COMPILE_CONDITION, ())]) from fault


def load_definitions(
    sources: Iterable[Path | str | RulesText],
) -> tuple[list[ExpandedList], MacroScope]:
    """The lists and macros of rules files, for a condition that stands behind them.

    Rules in the files are passed over: whether they can be used does not matter here.

    Raises:
        RulesError: a file cannot be read, or a list or macro of it cannot be used.
    """
    loader = _Loader(Settings(), {SYSCALL_SOURCE})
    for source in sources:
        for file in expand_source(source):
            if not loader.collect(file):
                last = loader.files[-1].diagnostics
                raise RulesError(item for item in last if item.severity is Severity.ERROR)
    try:
        return loader.definitions()
    except Fault as fault:
        raise RulesError([diagnose(fault, LoadCode.ERR_VALIDATE, ())]) from fault


class _Loader:
    """The state of one load."""

    def __init__(self, settings: Settings, sources: Collection[str]) -> None:
        self._collector = Collector(sources)
        self._compiler = Compiler(settings)
        self.plan = Plan(())
        self.files: list[FileResult] = []

    def load(self, source: RulesSource) -> bool:
        """Load one file on top of those before it; tell whether to go on."""
        if not self.collect(source):
            return False
        file = self.files.pop()
        diagnostics = [*file.diagnostics]
        try:
            self.plan = Plan(self._compiler.compile(self._collector, diagnostics))
        except Fault as fault:
            diagnostics.append(diagnose(fault, LoadCode.ERR_VALIDATE, ()))
        self.files.append(FileResult(file.name, tuple(diagnostics)))
        return self.files[-1].ok

    def collect(self, source: RulesSource) -> bool:
        """Take in the items of one file; tell whether to go on."""
        name = _name(source)
        diagnostics: list[Diagnostic] = []
        is_complete = False
        try:
            for item in read_items(_read(source), diagnostics):
                if isinstance(source, ConvertedRules) and isinstance(item, RuleDefinition):
                    self._collector.add_converted(item, diagnostics)
                else:
                    self._collector.add(item, diagnostics)
            is_complete = True
        except Fault as fault:
            diagnostics.append(diagnose(fault, LoadCode.ERR_YAML_VALIDATE, ()))
        self.files.append(FileResult(name, tuple(diagnostics)))
        return is_complete

    def definitions(self) -> tuple[list[ExpandedList], MacroScope]:
        """The lists and macros of everything collected."""
        return self._compiler.definitions(self._collector)

    def verify_plugins(self) -> bool:
        """Say which required plugins are missing; tell whether none is."""
        faults = missing_plugins(self._collector.plugins)
        if faults:
            diagnostics = [diagnose(fault, LoadCode.ERR_VALIDATE, ()) for fault in faults]
            self.files.append(FileResult("", tuple(diagnostics)))
        return not faults


def expand_source(source: Path | str | RulesText | ConvertedRules) -> list[RulesSource]:
    """The rules files of a folder, sorted; anything else is one source."""
    if isinstance(source, RulesText | ConvertedRules):
        return [source]
    path = Path(source)
    if not path.is_dir():
        return [path]
    try:
        entries = sorted(path.iterdir())
    except OSError:
        return [path]
    return [entry for entry in entries if entry.suffix in SUFFIXES and entry.is_file()]


def _name(source: RulesSource) -> str:
    match source:
        case RulesText(name=name):
            return name
        case ConvertedRules(text=text):
            return text.name
        case Path():
            return str(source)
        case _:
            assert_never(source)


def _read(source: RulesSource) -> TextSource:
    if isinstance(source, ConvertedRules):
        return source.text
    if isinstance(source, RulesText):
        return TextSource(source.name, source.text.removeprefix("\ufeff"))
    if source.is_file() and source.suffix not in SUFFIXES:
        # DIFFERS: Falco ignores the file without a word, and its rules are missed by nobody.
        message = f"{source} is no rules file: the name must end in .yaml or .yml"
        raise Fault(message, code=LoadCode.ERR_FILE_READ)
    return read_source(source)
