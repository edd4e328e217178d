"""Draws a resolved condition as an indented tree, for people.

In: a formula over atoms. Out: lines, one for each atom and each bracket. The canonical one-line
    form is `printer.py`'s.
"""

from typing import assert_never

from falcotrace.rules.plan import AllOf, AnyOf, Atom, Formula, NotOf, Value


def pretty_formula(formula: Formula, indent: int = 0) -> str:
    """Draw a formula; nothing recurses, however deep it is."""
    lines: list[str] = []
    pending: list[tuple[Formula | str, int, str]] = [(formula, indent, "")]
    while pending:
        node, depth, prefix = pending.pop()
        blank = " " * depth
        match node:
            case str():
                lines.append(blank + node)
            case Atom():
                lines.append(f"{blank}{prefix}{atom_text(node)}")
            case NotOf(child=Atom() as child):
                lines.append(f"{blank}{prefix}not {atom_text(child)}")
            case NotOf(child=child):
                pending.append((child, depth, f"{prefix}not "))
            case AllOf(children=children) | AnyOf(children=children):
                word = "and" if isinstance(node, AllOf) else "or"
                lines.append(f"{blank}{prefix}(")
                pending.append((")", depth, ""))
                pending += [
                    (child, depth + 2, f"{word} " if place else "")
                    for place, child in reversed(list(enumerate(children)))
                ]
            case _:
                assert_never(node)
    return "\n".join(lines)


def atom_text(atom: Atom) -> str:
    """One check as rules write it; long lists are cut for reading."""
    words = [atom.left.text, str(atom.operator)]
    if atom.quantifier:
        words.append(str(atom.quantifier))
    if atom.right is not None:
        words.append(f"val({atom.right.text})")
    elif atom.operator in {"in", "intersects", "pmatch"} or atom.quantifier:
        words.append(f"({', '.join(map(value_text, atom.values))})")
    elif atom.values:
        words.append(value_text(atom.values[0]))
    return " ".join(words)


def value_text(value: Value) -> str:
    """A literal, quoted where a rule would need quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.hex() if isinstance(value, bytes) else str(value)
    needs_quotes = not text or any(char in " \t\n\r()\"'=," for char in text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if needs_quotes else text
