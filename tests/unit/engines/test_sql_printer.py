"""Printing SQL: unknown functions are refused, deep conditions are not, long lists stay short."""

import sys
from pathlib import Path

import duckdb
import pytest
from sqlglot import exp

from falcotrace.engines.sql import build, condition_sql, rule_sql
from falcotrace.engines.sql.printer import print_sql
from falcotrace.errors import UnsupportedError
from falcotrace.rules.load import RulesText, load_rules, parse_formula
from falcotrace.rules.plan import AllOf, AnyOf, Formula, NotOf, fold_formula, iter_atoms
from small_captures import write_capture

RULE = "- {rule: r, desc: d, output: o, priority: INFO, condition: evt.type = open}"


def test_unlisted_function_is_refused() -> None:
    """A function that nobody listed for DuckDB never reaches a query."""
    with pytest.raises(UnsupportedError, match="function pg_sleep"):
        build.call("pg_sleep", build.number(1))
    with pytest.raises(UnsupportedError, match="function pg_sleep"):
        print_sql(exp.Anonymous(this="pg_sleep", expressions=[build.number(1)]))
    with pytest.raises(UnsupportedError, match="function levenshtein"):
        print_sql(exp.Levenshtein(this=build.text("a"), expression=build.text("b")))


def test_unknown_dialect_is_refused() -> None:
    """A dialect without a list of functions is refused by name."""
    rule = load_rules([RulesText(RULE)]).plan.rules[0]
    with pytest.raises(UnsupportedError, match="the dialect 'oracle'"):
        rule_sql(rule, dialect="oracle")


def test_literals_cannot_end_a_text() -> None:
    """Quotes, comments and control characters of a rule stay inside their literal."""
    hostile = "x'); DROP TABLE t; -- */ \x1b[2J\u202e"
    printed = print_sql(build.text(hostile))
    assert printed.isprintable()
    assert duckdb.connect().execute(f"SELECT {printed}").fetchall() == [(hostile,)]


def deep_formula(levels: int) -> Formula:
    """A condition of so many groups inside each other."""
    texts = ("proc.name = a", "proc.pname startswith b", "fd.num > 3", "proc.name != c")
    atoms = [parse_formula(text) for text in texts]
    formula = atoms[0]
    for level in range(levels):
        atom = atoms[level % len(atoms)]
        if level % 3 == 0 and not isinstance(formula, NotOf):
            formula = NotOf(formula)
        elif isinstance(formula, AllOf):
            formula = AnyOf((atom, formula))
        else:
            formula = AllOf((atom, formula))
    return formula


def test_deepest_condition_prints() -> None:
    """As many levels as Falco allows print, far beyond Python's stack limit, and leave it alone."""
    limit = sys.getrecursionlimit()
    assert condition_sql(deep_formula(1000)).count("coalesce") > 300
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("levels", [70, 250])
def test_deep_condition(tmp_path: Path, levels: int) -> None:
    """Groups inside groups mean in DuckDB what they say, also where they are printed flat."""
    formula = deep_formula(levels)
    sql = condition_sql(formula)
    rows: list[dict[str, object]] = [
        {"proc.name": "a", "fd.num": 4},
        {"proc.name": "c"},
        {"proc.pname": "b"},
    ]
    write_capture(tmp_path / "c.parquet", [[{"evt.type": "open", **row} for row in rows]])
    connection = duckdb.connect()
    connection.execute("SET max_expression_depth TO 100000")

    def ask(condition: str) -> list[bool]:
        query = f"SELECT {condition} FROM '{tmp_path / 'c.parquet'}' ORDER BY evt.num"
        return [value for (value,) in connection.execute(query).fetchall()]

    truths = {atom: ask(condition_sql(atom)) for atom in set(iter_atoms(formula))}
    wanted = [
        fold_formula(
            formula,
            atom={atom: found[row] for atom, found in truths.items()}.__getitem__,
            all_of=all,
            any_of=any,
            not_of=lambda value: not value,
        )
        for row in range(len(rows))
    ]
    assert ask(sql) == wanted


def test_long_list_fills_lines() -> None:
    """A list of hundreds of names takes as few lines as it fits on."""
    names = ", ".join(f"name{number}" for number in range(300))
    lines = condition_sql(parse_formula(f"proc.name in ({names})")).splitlines()
    assert len(lines) < 50
    assert max(map(len, lines)) <= 100
