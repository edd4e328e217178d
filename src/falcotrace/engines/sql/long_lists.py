"""Long lists of texts as relations: 10,000 names are looked up, not compared one after the other.

In: a condition. Out: the same with `IN (SELECT value FROM list_0)`, and what these relations hold.
"""

from dataclasses import dataclass, field

from sqlglot import exp

LONG_LIST = 100
"""Shorter lists are compared as quickly as they are looked up."""


@dataclass(slots=True)
class LongLists:
    """Lists by their texts; equal ones share a relation."""

    names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def name_of(self, texts: tuple[str, ...]) -> str:
        """The relation that holds some texts, in its column `value`."""
        return self.names.setdefault(texts, f"list_{len(self.names)}")


def with_relations(condition: exp.Expr, lists: LongLists) -> exp.Expr:
    """Put relations in the place of long lists; the condition is changed in place."""
    for node in list(condition.find_all(exp.In)):
        items = node.expressions
        if len(items) >= LONG_LIST and all(_is_text(item) for item in items):
            table = exp.Table(this=exp.to_identifier(lists.name_of(tuple(i.name for i in items))))
            query = exp.Select(expressions=[exp.column("value")], from_=exp.From(this=table))
            node.set("expressions", None)
            node.set("query", query)
    return condition


def _is_text(item: exp.Expr) -> bool:
    return isinstance(item, exp.Literal) and item.is_string
