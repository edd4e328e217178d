"""Macro references replaced by the macros' trees.

In comes the tree of a condition and the trees of all macros that it may see, out comes a tree
without references. Sub-trees are shared, never copied; the size that a condition would have if they
were copied is bounded, as is its depth, so a few macros that double each other cannot fill the
memory.

Source: falco 13074749 userspace/engine/filter_macro_resolver.cpp.
"""

import dataclasses
from collections.abc import Mapping
from typing import assert_never

from falcotrace.rules.ast import And, Check, Condition, MacroReference, Not, Or
from falcotrace.rules.codes import LoadCode
from falcotrace.rules.faults import Fault, suggest

MAX_CHECKS = 200_000
MAX_DEPTH = 1_000
_MAX_CHAIN = 200
_CODE = LoadCode.ERR_VALIDATE


@dataclasses.dataclass(frozen=True, slots=True)
class _Extent:
    checks: int
    depth: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Resolved:
    condition: Condition
    macros: Mapping[str, Condition]
    result: Condition


@dataclasses.dataclass(frozen=True, slots=True)
class MacroScope:
    """The macros that a condition may refer to.

    Args:
        trees: of all macros, by name.
        indexes: the place of each in the order of definition.
        visibility: only macros before this place can be seen; None for all.
    """

    trees: Mapping[str, Condition]
    indexes: Mapping[str, int]
    visibility: int | None = None

    def find(self, name: str) -> Condition | None:
        """Return a macro's tree, if it can be seen."""
        tree = self.trees.get(name)
        if tree is None or self.visibility is None or self.indexes[name] < self.visibility:
            return tree
        return None

    def names(self) -> list[str]:
        """The names that can be seen."""
        return [name for name in self.trees if self.find(name) is not None]


NO_MACROS = MacroScope({}, {})
"""For conditions that stand alone."""


class MacroResolver:
    """Replaces references; remembers the extent of trees, which many conditions share."""

    def __init__(self) -> None:
        # Keyed by identity, and holding the node so that no other can take its place. What is in
        # here contains no reference any more.
        self._extents: dict[int, tuple[Condition, _Extent]] = {}
        self._visits = 0
        self._resolved: dict[int, _Resolved] = {}

    def resolve(self, condition: Condition, macros: MacroScope, used: set[str]) -> Condition:
        """Return the condition with every reference replaced.

        The same condition with the same macros gives the same tree, not an equal one.

        Args:
            condition: the tree.
            macros: the macros that it may refer to.
            used: receives the names of the macros that were put in.

        Raises:
            Fault: an unknown macro, a loop, or a condition beyond the limits.
        """
        known = self._resolved.get(id(condition))
        if known is not None and all(macros.find(n) is tree for n, tree in known.macros.items()):
            used.update(known.macros)
            return known.result
        self._visits = 0
        names: set[str] = set()
        result = self._substitute(condition, macros, names, ())
        self._measure(result)
        found = {name: tree for name in names if (tree := macros.find(name)) is not None}
        self._resolved[id(condition)] = _Resolved(condition, found, result)
        used.update(names)
        return result

    def _substitute(
        self,
        condition: Condition,
        macros: MacroScope,
        used: set[str],
        path: tuple[str, ...],
    ) -> Condition:
        results: list[Condition] = []
        pending: list[tuple[Condition, bool]] = [(condition, False)]
        while pending:
            node, children_done = pending.pop()
            self._count_visit(condition)
            match node:
                case Check():
                    results.append(node)
                case MacroReference():
                    results.append(self._open(node, macros, used, path))
                case Not(child=child):
                    if children_done:
                        new = results.pop()
                        results.append(node if new is child else Not(new, node.span))
                    else:
                        pending += [(node, True), (child, False)]
                case And(children=children) | Or(children=children):
                    if children_done:
                        parts = tuple(results[-len(children) :])
                        del results[-len(children) :]
                        same = all(a is b for a, b in zip(parts, children, strict=True))
                        results.append(node if same else type(node)(parts, node.span))
                    else:
                        pending.append((node, True))
                        pending += [(child, False) for child in reversed(children)]
                case _:
                    assert_never(node)
        return results.pop()

    def _open(
        self,
        reference: MacroReference,
        macros: MacroScope,
        used: set[str],
        path: tuple[str, ...],
    ) -> Condition:
        name = reference.name
        if name in path:
            loop = " -> ".join((*path[path.index(name) :], name))
            raise Fault(f"macros refer to each other: {loop}", reference.span, code=_CODE)
        tree = macros.find(name)
        if tree is None:
            raise Fault(
                f"macro `{name}` is not defined",
                reference.span,
                code=_CODE,
                help_text=suggest(name, macros.names()),
            )
        if len(path) > _MAX_CHAIN:
            message = f"macros refer to each other through more than {_MAX_CHAIN} others"
            raise Fault(message, reference.span, code=_CODE)
        used.add(name)
        if id(tree) in self._extents:
            return tree
        return self._substitute(tree, macros, used, (*path, name))

    def _count_visit(self, condition: Condition) -> None:
        self._visits += 1
        if self._visits > 4 * MAX_CHECKS:
            raise _too_large(condition)

    def _measure(self, condition: Condition) -> None:
        """Refuse a condition that is too large or too deep once its macros are written out."""
        pending: list[tuple[Condition, bool]] = [(condition, False)]
        while pending:
            node, children_done = pending.pop()
            if id(node) in self._extents:
                continue
            children: tuple[Condition, ...] = ()
            if isinstance(node, And | Or):
                children = node.children
            elif isinstance(node, Not):
                children = (node.child,)
            if children and not children_done:
                pending.append((node, True))
                pending += [(child, False) for child in children]
                continue
            parts = [self._extents[id(child)][1] for child in children]
            extent = _Extent(
                max(1, sum(part.checks for part in parts)),
                1 + max((part.depth for part in parts), default=0),
            )
            if extent.checks > MAX_CHECKS or extent.depth > MAX_DEPTH + 1:
                raise _too_large(condition)
            self._extents[id(node)] = (node, extent)


def _too_large(condition: Condition) -> Fault:
    return Fault(
        f"with its macros the condition has more than {MAX_CHECKS:,} checks "
        f"or nests more than {MAX_DEPTH:,} levels deep",
        condition.span,
        code=_CODE,
    )
