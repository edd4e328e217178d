"""Trees of lines: drawn by rich on a terminal, indented plain text in a pipe.

In: lines made of recorded text. Out: the same, escaped; a text that is too long for a line is cut
at its end, which JSON never does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from falcotrace.outputs.escape import for_terminal

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

LONGEST_TEXT = 200
"""Characters of a recorded text on one line."""


@dataclass(slots=True)
class Branch:
    """One line, and those below it.

    Attributes:
        pieces: texts, each with the style that rich gives it.
        children: lines below.
    """

    pieces: tuple[tuple[str, str], ...]
    children: "list[Branch]" = field(default_factory=list)

    @property
    def text(self) -> str:
        """The line without styles."""
        return "".join(text for text, _ in self.pieces)


def shown(text: str) -> str:
    r"""A recorded text, safe to show and of bearable length.

    Example:
        >>> shown("a\x1b[2J" + "b" * 300)[:9], len(shown("b" * 300))
        ('a\\x1b[2Jb', 200)
    """
    # What is cut off need not be escaped first.
    safe = for_terminal(text[: LONGEST_TEXT + 1])
    return safe if len(safe) <= LONGEST_TEXT else f"{safe[: LONGEST_TEXT - 1]}…"


def draw_branches(roots: Sequence[Branch]) -> None:
    """Print trees."""
    from falcotrace.cli.render import is_terminal

    if not is_terminal():
        for depth, branch in _in_order(roots):
            print("  " * depth + branch.text)
        return
    from rich.console import Console

    console = Console(highlight=False)
    for root in roots:
        console.print(_tree(root))


def _in_order(roots: Sequence[Branch]) -> Iterator[tuple[int, Branch]]:
    waiting = [(0, root) for root in reversed(roots)]
    while waiting:
        depth, branch = waiting.pop()
        yield depth, branch
        waiting += [(depth + 1, child) for child in reversed(branch.children)]


def _tree(root: Branch) -> "Tree":
    """Branches as a tree of rich; nothing recurses."""
    from rich.tree import Tree

    tree = Tree(_label(root), guide_style="dim")
    waiting = [(root, tree)]
    while waiting:
        branch, node = waiting.pop()
        waiting += [(child, node.add(_label(child))) for child in branch.children]
    return tree


def _label(branch: Branch) -> "Text":
    from rich.text import Text

    label = Text()
    for text, style in branch.pieces:
        label.append(text, style=style)
    return label
