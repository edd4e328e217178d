"""Long lists of texts as relations: 10,000 names are looked up, not compared one after the other.

In: a condition. Out: the same with `IN (SELECT value FROM list_0)`, and what these relations hold.
Where one of an event's several values shall be among them, distinct lists of values are looked up
first, and the event's own is looked for among those that were found.
"""

from dataclasses import dataclass, field

from sqlglot import exp

from falcotrace.engines.sql.build import template

_LONG = 100
"""Shorter lists are compared as quickly as they are looked up."""

_FOUND = """
SELECT found
FROM (
    SELECT found, unnest(found) AS item
    FROM (SELECT DISTINCT :items AS found FROM :relation)
)
WHERE :is_listed
"""
"""A subquery for each event, `EXISTS (SELECT .. FROM (SELECT unnest(fd.sip_name) ..))`, takes 60 s
for 1.2 M events: DuckDB takes it apart by the distinct values of all of `fd`."""


@dataclass(slots=True)
class LongLists:
    """Lists by their texts; equal ones share a relation."""

    names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def name_of(self, texts: tuple[str, ...]) -> str:
        """The relation that holds some texts, in its column `value`."""
        return self.names.setdefault(texts, f"list_{len(self.names)}")


def with_relations(condition: exp.Expr, lists: LongLists, asked: str) -> exp.Expr:
    """Put relations in the place of long lists; the condition is changed.

    Args:
        condition: of SQL.
        lists: where the relations are kept.
        asked: the relation that the condition is asked of.
    """

    def looked_up(node: exp.Expr) -> exp.Expr:
        match node:
            case exp.In() if _is_long(node.expressions):
                return _among(node.this, node.expressions, lists)
            case exp.Anonymous(this="list_has_any", expressions=[items, exp.Array() as listed]) if (
                _is_long(listed.expressions)
            ):
                is_listed = _among(exp.column("item"), listed.expressions, lists)
                relation = exp.to_table(asked)
                found = template(_FOUND, items=items, relation=relation, is_listed=is_listed)
                return exp.In(this=items.copy(), query=found)
            case _:
                return node

    return condition.transform(looked_up, copy=False)


def _among(value: exp.Expr, items: list[exp.Expr], lists: LongLists) -> exp.Expr:
    table = exp.Table(this=exp.to_identifier(lists.name_of(tuple(item.name for item in items))))
    query = exp.Select(expressions=[exp.column("value")], from_=exp.From(this=table))
    return exp.In(this=value.copy(), query=query)


def _is_long(items: list[exp.Expr]) -> bool:
    return len(items) >= _LONG and all(
        isinstance(item, exp.Literal) and item.is_string for item in items
    )
