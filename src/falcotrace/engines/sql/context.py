"""What a translation knows about the query around it: its table, and the events left in it.

In: a rule's event names. Out: tests of `evt.type`, as short as the query's own restriction allows.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.errors import UnsupportedError

ENGINE = "SQL"
"""Name of this engine in errors."""


@dataclass(frozen=True, slots=True)
class Context:
    """The query around a condition.

    Args:
        paths: the captures, for fields that need more than their own row.
        event_names: names that `evt.type` can have where the condition is asked; None: any.
        joins_gates: whether the query has the relation `gates`, which says of each capture what is
            the same for all of its events (`batch`).
    """

    paths: tuple[str, ...] = ()
    event_names: frozenset[str] | None = None
    joins_gates: bool = False

    def is_event(self, names: Collection[str]) -> exp.Expr:
        """Whether the event is one of `names`, given the query's restriction; never missing."""
        wanted = frozenset(names)
        if self.event_names is not None:
            wanted &= self.event_names
            if wanted == self.event_names:
                return build.truth(True)
        if not wanted:
            return build.truth(False)
        return build.among(build.column("evt.type"), [build.text(name) for name in sorted(wanted)])

    def is_other_event(self, names: Collection[str]) -> exp.Expr:
        """Whether the event is none of `names`; never missing."""
        if self.event_names is not None:
            return self.is_event(self.event_names.difference(names))
        if not names:
            return build.truth(True)
        column = build.column("evt.type")
        listed = [build.text(name) for name in sorted(names)]
        if len(listed) == 1:
            return build.compare(exp.NEQ, column, listed[0])
        return exp.Not(this=build.among(column, listed))

    def table(self) -> exp.Expr:
        """The captures' rows."""
        return build.capture_table(self.paths)

    def only_capture(self, what: str) -> str:
        """The one capture around the condition, for fields that belong to a whole capture.

        Raises:
            UnsupportedError: there is none, or there may be several.
        """
        if len(self.paths) != 1 or set(self.paths[0]) & set("*?["):
            raise UnsupportedError(f"{what} without the one capture that it stands in", ENGINE)
        return self.paths[0]
