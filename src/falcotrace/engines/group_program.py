"""A plan as replay runs it, over one row group at a time.

In: a plan, and a row group as a source. Out: which rows match which rules. No event is looked at by
    itself.

    rows of the rule's event types -> process parts -> cheap parts -> texts -> matches
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from falcotrace.engines.base import MatchBatch, ScanOptions, order_matches, runs_on_captures
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.field_columns import is_process_operand
from falcotrace.engines.formula import FormulaCompiler, Node
from falcotrace.engines.literals import Literals
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.vectors import Bools, Rows, TextVector
from falcotrace.rules.plan import Plan

EventSet: TypeAlias = frozenset[str] | None
"""Types of events; None for every type."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A plan compiled for replay.

    Attributes:
        rules: for each set of event types, the places in the plan and the nodes of its rules.
        event_names: all types of events that some rule looks at; None for every type.
    """

    rules: dict[EventSet, list[tuple[int, Node]]]
    event_names: EventSet


def compile_plan(plan: Plan) -> Program:
    """Compile the enabled rules of a plan; those about other event sources are left out."""
    literals = Literals(plan.atoms)
    compiler = FormulaCompiler(literals, is_process_operand)
    rules: dict[EventSet, list[tuple[int, Node]]] = {}
    for place, rule in enumerate(plan.rules):
        if rule.correlation is not None:
            continue
        if runs_on_captures(rule) and rule.event_names != frozenset():
            entry = (place, compiler.compile(rule.condition))
            rules.setdefault(rule.event_names, []).append(entry)
    names: set[str] = set().union(*(events or () for events in rules))
    return Program(rules, None if None in rules else frozenset(names))


def match_row_group(program: Program, source: RowGroupSource, options: ScanOptions) -> MatchBatch:
    """Run all rules over one row group."""
    rows_of = _rows_by_type(program, source, options)
    processes = source.process_set()
    places: list[int] = []
    found: list[Rows] = []
    for events, rules in program.rules.items():
        rows = _rows_of_events(rows_of, events)
        if not len(rows):
            continue
        row_set = RowSet(source, rows, processes, source.places.take)
        for place, node in rules:
            selected = row_set.select(node)
            if len(selected):
                places.append(place)
                found.append(rows[selected])
    return _batch(source, places, found, options)


def _batch(
    source: RowGroupSource, places: list[int], found: list[Rows], options: ScanOptions
) -> MatchBatch:
    if not found:
        empty = np.zeros(0, np.int64)
        return MatchBatch(np.zeros(0, np.int32), empty, empty, empty)
    rows = np.concatenate(found)
    rules = np.repeat(np.array(places, np.int32), [len(part) for part in found])
    nums, times = source.integers("evt.num").take(rows), source.integers("evt.time").take(rows)
    return order_matches(MatchBatch(rules, rows, nums, times), first_match=options.first_match)


def _rows_by_type(
    program: Program, source: RowGroupSource, options: ScanOptions
) -> dict[str, Rows]:
    """The rows of each type of event that some rule looks at."""
    events = source.column("evt.type")
    assert isinstance(events, TextVector)
    names = events.domain.values.to_pylist()
    wanted = [program.event_names is None or name in program.event_names for name in names]
    # Codes fit into 16 bits (there are some hundred types), which sorts by radix.
    is_small = len(names) < 1 << 15
    codes = events.codes.astype(np.int16) if is_small else events.codes
    meant = np.append(np.array(wanted, np.bool_), np.False_).take(codes)
    meant &= _in_time(source, options)
    rows = np.flatnonzero(meant)
    of_rows = codes.take(rows)
    order = np.argsort(of_rows, kind="stable")
    ends = np.cumsum(np.bincount(of_rows, minlength=len(names)))
    sorted_rows = rows.take(order)
    return {
        name: sorted_rows[start:end]
        for name, start, end in zip(names, (0, *ends[:-1]), ends, strict=True)
        if end > start
    }


def _rows_of_events(rows_of: dict[str, Rows], events: EventSet) -> Rows:
    names = rows_of if events is None else events & rows_of.keys()
    parts = [rows_of[name] for name in sorted(names)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _in_time(source: RowGroupSource, options: ScanOptions) -> Bools | np.bool_:
    """Which rows lie between the limits; times are read only where a limit cuts."""
    truth: Bools | np.bool_ = np.True_
    first, last = source.time_span
    if options.since_ns is not None and first < options.since_ns:
        truth = truth & (source.integers("evt.time") >= options.since_ns)
    if options.until_ns is not None and last >= options.until_ns:
        truth = truth & (source.integers("evt.time") < options.until_ns)
    return truth
