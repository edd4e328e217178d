"""The tree of a process: who it came from, what it started, and where alerts are.

In: a process, alerts. Out: lines in the order in which a reader goes through them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from falcotrace.investigate.process import Process
from falcotrace.rules.plan import Priority

BRANCHES_MAX = 200
"""More descendants than these are counted, not listed."""


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One process in a tree.

    Attributes:
        process: the process.
        depth: how far it is below the first line.
        is_asked: whether the tree was asked for it.
        rules: rules that alerted on it, and how often.
    """

    process: Process
    depth: int
    is_asked: bool = False
    rules: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ProcessTree:
    """A process between its ancestors and its descendants.

    Attributes:
        lines: from the eldest ancestor down; children follow their parents.
        left_out_count: descendants that are not listed.
        priorities: how severe the rules are that lines name, as far as anybody said.
    """

    lines: tuple[TreeLine, ...]
    left_out_count: int = 0
    priorities: Mapping[str, Priority] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """The tree as JSON has it."""
        return {
            "processes": [
                {
                    "depth": line.depth,
                    "pid": line.process.pid,
                    "start_ns": line.process.start_ns,
                    "programs": [p.cmdline or p.name for p in line.process.programs],
                    "exepath": line.process.exepath,
                    "user": line.process.user,
                    "container": line.process.container_id,
                    "is_asked": line.is_asked,
                    "is_recorded": line.process.is_recorded,
                    "rules": dict(line.rules),
                }
                for line in self.lines
            ],
            "left_out": self.left_out_count,
        }

    def _repr_html_(self) -> str:
        from falcotrace.investigate.pictures import tree_svg  # noqa: PLC0415 - Jupyter's

        return tree_svg(self)


def tree_of(
    process: Process,
    rules: Mapping[Process, Mapping[str, int]] | None = None,
    *,
    limit: int = BRANCHES_MAX,
) -> ProcessTree:
    """The tree of one process.

    Args:
        process: the process that is asked for.
        rules: rules that alerted, by process.
        limit: at most so many descendants; where there are more, those with alerts come first.
    """
    return tree_of_several([process], rules, limit=limit)


def tree_of_several(
    asked: Sequence[Process],
    rules: Mapping[Process, Mapping[str, int]] | None = None,
    *,
    limit: int = BRANCHES_MAX,
) -> ProcessTree:
    """One tree of several processes: ancestors that they share stand in it once.

    Args:
        asked: the processes that are asked for.
        rules: rules that alerted, by process.
        limit: at most so many of their descendants, as for `tree_of`.
    """
    alerted = rules or {}
    wanted = frozenset(asked)
    below: dict[Process, None] = {}
    for process in asked:
        below.update(dict.fromkeys(child for _, child in process.home.descendants(process)))
    # What is asked for is listed anyway.
    further = [child for child in below if child not in wanted]
    chosen = _chosen(further, alerted, limit)
    children = _children_of((*asked, *(child for child in further if child in chosen)))
    lines = tuple(
        TreeLine(one, depth, one in wanted, alerted.get(one, {}))
        for depth, one in _in_order(children)
    )
    return ProcessTree(lines, len(further) - len(chosen))


def _children_of(members: Iterable[Process]) -> dict[Process | None, list[Process]]:
    """By parent, those who lead to members; the eldest ones are None's."""
    children: dict[Process | None, list[Process]] = {}
    seen: set[Process] = set()
    for member in members:
        way = (member, *member.ancestors)
        for process, parent in zip(way, (*way[1:], None), strict=True):
            if process in seen:
                break
            seen.add(process)
            children.setdefault(parent, []).append(process)
    for siblings in children.values():
        siblings.sort(key=lambda one: (one.start_ns, one.number))
    return children


def _in_order(
    children: Mapping[Process | None, list[Process]],
) -> Iterator[tuple[int, Process]]:
    """Each process with its depth, before those that it started."""
    waiting = [(0, one) for one in reversed(children.get(None, []))]
    while waiting:
        depth, process = waiting.pop()
        yield depth, process
        waiting += [(depth + 1, child) for child in reversed(children.get(process, []))]


def tree_of_alerts(
    rules: Mapping[Process, Mapping[str, int]], *, limit: int = BRANCHES_MAX
) -> ProcessTree:
    """The processes that rules alerted on, below what they came from.

    Args:
        rules: rules that alerted, by process.
        limit: at most so many processes; those that began first come first.
    """
    ordered = sorted(rules, key=lambda one: (one.start_ns, one.number))
    found: set[Process] = set()
    roots: dict[Process, None] = {}
    below: dict[Process, dict[Process, None]] = {}
    left_out = 0
    for process in ordered:
        line = (process, *process.ancestors)
        if len(found.union(line)) > limit:
            left_out += 1
            continue
        found.update(line)
        roots[line[-1]] = None
        for child, parent in pairwise(line):
            below.setdefault(parent, {})[child] = None
    return ProcessTree(tuple(_lines_from(roots, below, rules)), left_out)


def _lines_from(
    roots: Iterable[Process],
    below: Mapping[Process, Iterable[Process]],
    rules: Mapping[Process, Mapping[str, int]],
) -> Iterator[TreeLine]:
    waiting = [(root, 0) for root in reversed(list(roots))]
    seen: set[Process] = set()
    while waiting:
        process, depth = waiting.pop()
        if process in seen:
            continue
        seen.add(process)
        yield TreeLine(process, depth, rules=rules.get(process, {}))
        children = sorted(below.get(process, ()), key=lambda one: (one.start_ns, one.number))
        waiting += [(child, depth + 1) for child in reversed(children)]


def _chosen(
    below: Sequence[Process], alerted: Mapping[Process, Mapping[str, int]], limit: int
) -> set[Process]:
    """The descendants that are listed: those that lead to alerts, then the first ones."""
    if len(below) <= limit:
        return set(below)
    members = frozenset(below)
    wanted = [child for child in below if child in alerted]
    found: set[Process] = set()
    for child in (*wanted, *below):
        new = {child, *(one for one in child.ancestors if one in members)} - found
        if len(found) + len(new) <= limit:
            found |= new
        if len(found) == limit:
            break
    return found
