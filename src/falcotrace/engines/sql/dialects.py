"""The dialects that rules print as: for each its printer, its tables, and whether we run it.

sqlglot's printers spell each engine's syntax; ours differ from them in layout, and in what sqlglot
leaves to chance: escapes in literals.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from sqlglot import Dialect as SqlglotDialect
from sqlglot import exp
from sqlglot.dialects import ClickHouse, DuckDB, Spark, Trino
from sqlglot.generator import Generator

from falcotrace.engines.sql.clickhouse_functions import CLICKHOUSE
from falcotrace.engines.sql.spark_functions import SPARK
from falcotrace.engines.sql.trino_functions import TRINO

INDENT = 2


class _Layout(Generator):
    """Short groups on one line, and full lists."""

    def is_sql(self, expression: exp.Is) -> str:
        negated = isinstance(expression.expression, exp.Not)
        what = expression.expression.this if negated else expression.expression
        return f"{self.sql(expression, 'this')} IS {'NOT ' * negated}{self.sql(what)}"

    def order_sql(self, expression: exp.Order, flat: bool = False) -> str:  # noqa: FBT001, FBT002
        del flat
        return self.seg(f"ORDER BY {', '.join(map(self.sql, expression.expressions))}")

    def ordered_sql(self, expression: exp.Ordered) -> str:
        # Where missing values go does not matter: every event has a number.
        return str(self.sql(expression, "this"))

    def not_sql(self, expression: exp.Not) -> str:
        inside = expression.this
        match inside:
            case exp.In():
                return f"{self.sql(inside, 'this')} NOT IN ({self.listed(inside)})"
            case exp.Is(expression=exp.Null()):
                return f"{self.sql(inside, 'this')} IS NOT NULL"
            case _:
                return str(super().not_sql(expression))

    def paren_sql(self, expression: exp.Paren) -> str:
        inside = self.sql(expression, "this")
        if "\n" not in inside and len(inside) <= self.max_text_width:
            return f"({inside})"
        # Not by the inherited method: it would print what is inside once more, at every level.
        indented = self.seg(self.indent(inside), sep="")
        return f"({indented}{self.seg(')', sep='')}"

    def in_sql(self, expression: exp.In) -> str:
        return f"{self.sql(expression, 'this')} IN ({self.listed(expression)})"

    def listed(self, expression: exp.In) -> str:
        """What stands behind IN: items, or a query for them."""
        query = expression.args.get("query")
        return self.sql(query) if query else self.filled(expression.expressions)

    def filled(self, items: list[exp.Expr]) -> str:
        """Items on as few lines as they fit on."""
        lines = [""]
        for index, item in enumerate(items):
            sql = self.sql(item) + ("," if index < len(items) - 1 else "")
            if not lines[-1]:
                lines[-1] = sql
            elif len(lines[-1]) + 1 + len(sql) <= self.max_text_width:
                lines[-1] += f" {sql}"
            else:
                lines.append(sql)
        if len(lines) == 1 or not self.pretty:
            return " ".join(lines)
        inner = "\n".join(f"{' ' * INDENT}{line}" for line in lines)
        return f"\n{inner}\n"


class _DuckdbPrinter(_Layout, DuckDB.Generator):  # type: ignore[misc]
    RESERVED_KEYWORDS: ClassVar[set[str]] = set()

    def array_sql(self, expression: exp.Array) -> str:
        return f"[{self.filled(expression.expressions)}]"

    def lambda_sql(self, expression: exp.Lambda, *_: object, **__: object) -> str:
        names = ", ".join(self.sql(name) for name in expression.expressions)
        return f"lambda {names}: {self.sql(expression, 'this')}"


class _SparkPrinter(_Layout, Spark.Generator):  # type: ignore[misc]
    RESERVED_KEYWORDS: ClassVar[set[str]] = set()

    def array_sql(self, expression: exp.Array) -> str:
        return f"array({self.filled(expression.expressions)})"

    def lambda_sql(self, expression: exp.Lambda, *_: object, **__: object) -> str:
        names = ", ".join(self.sql(name) for name in expression.expressions)
        arguments = names if len(expression.expressions) == 1 else f"({names})"
        return f"{arguments} -> {self.sql(expression, 'this')}"

    def literal_sql(self, expression: exp.Literal) -> str:
        if not expression.is_string:
            return str(expression.this)
        return f"'{spark_text(expression.this)}'"

    def struct_sql(self, expression: exp.Struct) -> str:
        return f"struct({self.filled(expression.expressions)})"

    def rawstring_sql(self, expression: exp.RawString) -> str:
        if set(expression.this) & set("'$") or not expression.this.isprintable():
            return f"'{spark_text(expression.this)}'"
        return f"r'{expression.this}'" if "\\" in expression.this else f"'{expression.this}'"


def spark_text(value: str) -> str:
    r"""The inside of a literal of Spark, of printable characters.

    A backslash escapes; `${name}` would be replaced by a setting of the session.

    Example:
        >>> print(spark_text("it's \\ ${x}\n\U0010FE41"))
        it\'s \\ \u0024{x}\u000A\U0010FE41
    """
    return "".join(map(_spark_char, value))


def _spark_char(char: str) -> str:
    if char in "'\\":
        return "\\" + char
    if char == "$" or not char.isprintable():
        code = ord(char)
        return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
    return char


class _TrinoPrinter(_Layout, Trino.Generator):  # type: ignore[misc]
    RESERVED_KEYWORDS: ClassVar[set[str]] = set()

    def array_sql(self, expression: exp.Array) -> str:
        return f"ARRAY[{self.filled(expression.expressions)}]"

    def dpipe_sql(self, expression: exp.DPipe) -> str:
        return f"{self.sql(expression, 'this')} || {self.sql(expression, 'expression')}"

    def lambda_sql(self, expression: exp.Lambda, *_: object, **__: object) -> str:
        (name,) = map(self.sql, expression.expressions)
        return f"{name} -> {self.sql(expression, 'this')}"


class _ClickhousePrinter(_Layout, ClickHouse.Generator):  # type: ignore[misc]
    RESERVED_KEYWORDS: ClassVar[set[str]] = set()

    def literal_sql(self, expression: exp.Literal) -> str:
        if not expression.is_string:
            return str(expression.this)
        return "'" + "".join(map(_clickhouse_char, expression.this)) + "'"

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        # Names of functions have capitals there.
        return f"{expression.name}({', '.join(map(self.sql, expression.expressions))})"


def _clickhouse_char(char: str) -> str:
    if char in "'\\":
        return "\\" + char
    return char if char.isprintable() else "".join(f"\\x{byte:02X}" for byte in char.encode())


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine's SQL is printed.

    Attributes:
        name: as people give it.
        printer: sqlglot's generator with our layout.
        syntax: sqlglot's dialect.
        lower: makes the engine's tree of ours; None: ours is the engine's.
        is_run: our tests run what is printed, and compare it with replay.
    """

    name: str
    printer: type[Generator]
    syntax: type[SqlglotDialect]
    lower: Callable[[exp.Expr], exp.Expr] | None = None
    is_run: bool = True


DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "duckdb": Dialect("duckdb", _DuckdbPrinter, DuckDB),
        "spark": Dialect("spark", _SparkPrinter, Spark, SPARK),
        "trino": Dialect("trino", _TrinoPrinter, Trino, TRINO, is_run=False),
        "clickhouse": Dialect(
            "clickhouse", _ClickhousePrinter, ClickHouse, CLICKHOUSE, is_run=False
        ),
    }
)
"""Every dialect that a rule can print as, by its name."""
