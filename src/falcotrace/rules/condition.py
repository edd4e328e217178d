"""A condition by itself as a plan of one rule, and the fields that are asked with it.

In: a condition, rules files whose macros and lists it may name, and columns such as
`proc.aname[2]`, `evt.arg.flags` or `toupper(proc.name)`. Out: a plan that any engine runs, and
operands. Which columns are of interest by default is decided here too; their values are not.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from falcotrace.errors import RulesError, Source, Span
from falcotrace.rules.asked import fields_of
from falcotrace.rules.check import Checker
from falcotrace.rules.check_parser import parse_operand
from falcotrace.rules.codes import LoadCode
from falcotrace.rules.collect import SYSCALL_SOURCE
from falcotrace.rules.event_set import EventSet, find_events
from falcotrace.rules.faults import Fault, diagnose
from falcotrace.rules.lexer import Lexer
from falcotrace.rules.lists import ExpandedList, expand_lists
from falcotrace.rules.load import RulesText, load_definitions
from falcotrace.rules.operands import build_operand
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.plan import (
    CONDITION_NAME,
    FieldOperand,
    Formula,
    Operand,
    Priority,
    RulePlan,
    Template,
    iter_fields,
)
from falcotrace.rules.printer import print_condition
from falcotrace.rules.resolve import MacroResolver, MacroScope
from falcotrace.rules.source import TextSource

COLUMNS_NAME = "<columns>"
"""What messages call columns, which stand in no file."""


def load_condition(text: str, sources: Iterable[Path | str | RulesText] = ()) -> RulePlan:
    """Compile a condition.

    Args:
        text: as in a rule.
        sources: rules files and folders whose macros and lists the condition may name.

    Raises:
        RulesError: the condition, or a definition in the files, cannot be used.

    Example:
        >>> load_condition("proc.name=vi or evt.type=open").condition_text
        '(proc.name = vi or evt.type = open)'
    """
    lists, macros = load_definitions(sources)
    try:
        return compile_condition(TextSource(CONDITION_NAME, text), lists, macros)
    except Fault as fault:
        raise RulesError([diagnose(fault, LoadCode.ERR_COMPILE_CONDITION, ())]) from fault


def compile_condition(text: Source, lists: Iterable[ExpandedList], macros: MacroScope) -> RulePlan:
    """Compile a condition behind definitions that were loaded before.

    Args:
        text: as in a rule; it knows where it was written.
        lists: from `load_definitions`, as are the macros.
        macros: those that the condition may name.

    Raises:
        Fault: it is none, or names what there is not.
    """
    source, _ = expand_lists(text, lists)
    tree = MacroResolver().resolve(parse_condition(source), macros, set())
    formula = Checker().check(tree)[0]
    return _plan(formula, print_condition(tree), find_events(formula))


def load_columns(columns: str | Sequence[str]) -> tuple[Operand, ...]:
    """Look up the columns of an answer: fields and functions of fields.

    Args:
        columns: separated by commas, or one a text; a repeated one counts once.

    Raises:
        RulesError: one of them is neither a field nor a function that outputs can print.

    Example:
        >>> [column.text for column in load_columns("proc.name, concat(proc.name, '-', fd.name)")]
        ['proc.name', 'concat(proc.name, "-", fd.name)']
    """
    texts = [columns] if isinstance(columns, str) else columns
    try:
        found = [operand for text in texts for operand in _read_columns(text)]
    except Fault as fault:
        raise RulesError([diagnose(fault, LoadCode.ERR_COMPILE_OUTPUT, ())]) from fault
    return tuple({operand.text: operand for operand in found}.values())


def _read_columns(text: str) -> list[Operand]:
    lexer = Lexer(TextSource(COLUMNS_NAME, text))
    found: list[Operand] = []
    while True:
        lexer.skip_blanks()
        start = lexer.position
        expression = parse_operand(lexer)
        if expression is None:
            message = f"expected a field or a function of fields, found {lexer.describe_here()}"
            raise Fault(message, lexer.here(), help_text="`falcotrace fields` lists the fields")
        operand = build_operand(expression)
        _require_printable(operand, lexer.span_from(start))
        found.append(operand)
        lexer.skip_blanks()
        if lexer.position == len(lexer.text):
            return found
        if not lexer.accept(","):
            message = f"expected `,` between columns, found {lexer.describe_here()}"
            raise Fault(message, lexer.here())


def _require_printable(operand: Operand, span: Span) -> None:
    for field in iter_fields(operand):
        if field.field.usable_in == "filter":
            raise Fault(f"field `{field.text}` can only stand in conditions", span)


_ALWAYS = ("evt.num", "evt.time.iso8601", "proc.pid", "proc.name", "evt.type")
_EXECUTIONS = frozenset({"execve", "execveat"})
_BEGINNINGS = _EXECUTIONS | {"clone", "clone3", "fork", "vfork"}
_BY_EVENTS = (
    (_EXECUTIONS, ("proc.cmdline", "proc.pname", "user.name")),
    (_BEGINNINGS | {"procexit"}, ("proc.cmdline", "proc.pname", "evt.res")),
    (
        frozenset({"open", "openat", "openat2", "creat", "open_by_handle_at"}),
        ("fd.name", "evt.arg.flags", "evt.res"),
    ),
    (
        frozenset({"connect", "accept", "accept4", "bind", "listen", "sendto", "recvfrom"}),
        ("fd.name", "evt.res"),
    ),
)
_OF_OTHERS = ("fd.name", "evt.args")
_OF_ALL = ("fd.name", "evt.res", "proc.cmdline")
"""What is shown where nobody says: who did what, what the condition asks for, and what events of
these types are about. All arguments of a process's beginning would fill a page."""

_MOST_ASKED = 6
"""More fields of a condition than these would not leave room for the others."""


def default_columns(rule: RulePlan, text: str) -> tuple[Operand, ...]:
    """The columns that show what a condition found.

    Args:
        rule: the condition.
        text: as it was written: what only its macros ask for is left out.

    Example:
        >>> text = "evt.type=execve and user.uid=0"
        >>> [column.text for column in default_columns(load_condition(text), text)][5:]
        ['user.uid', 'proc.cmdline', 'proc.pname', 'user.name']
    """
    events = rule.event_names
    otherwise = _OF_ALL if events is None or events & _BEGINNINGS else _OF_OTHERS
    about = next((names for kinds, names in _BY_EVENTS if events and events <= kinds), otherwise)
    asked = [field.text for field in rule.condition_fields if _is_telling(field, text)]
    return load_columns([*_ALWAYS, *asked[:_MOST_ASKED], *about])


def _is_telling(field: FieldOperand, text: str) -> bool:
    """Whether the value of a field in a condition says more than the other columns do."""
    names_of_events = {"evt.dir", "evt.type.is", "syscall.type"}
    return (
        field.text in text
        and field.field.usable_in != "filter"
        and field.field.name not in names_of_events
    )


def _plan(formula: Formula, text: str, events: EventSet) -> RulePlan:
    return RulePlan(
        name=CONDITION_NAME,
        index=0,
        source=SYSCALL_SOURCE,
        priority=Priority.DEBUG,
        tags=(),
        enabled=True,
        description="",
        condition=formula,
        condition_text=text,
        event_names=events.names,
        event_code_count=events.code_count,
        output=Template((), ""),
        condition_fields=fields_of(formula),
        output_fields=(),
        exceptions=(),
        capture=False,
        capture_duration_ms=0,
    )
