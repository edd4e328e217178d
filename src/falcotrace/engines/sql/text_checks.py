"""Operators on text, as SQL over the text form of captures.

In: a text and one literal, or the listed paths of `pmatch`. Out: a condition that is NULL where the
text is missing. Text is UTF-8 with stand-ins for raw bytes, so that prefixes, suffixes and
substrings work character by character; DuckDB orders text by its bytes.

Source: `falcotrace.events.operators`, `OPERATOR_RULES`.
"""

import string
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build, patterns
from falcotrace.engines.sql.posix import perl_pattern
from falcotrace.engines.sql.raw_text import STAND_INS
from falcotrace.events.operators import Operator

TextCheck = Callable[[exp.Expr, str], exp.Expr]

_ANY_CHAR = "s"
"""Option of DuckDB's regexp functions: the dot matches a newline too."""


def fold_case(value: exp.Expr, letters: str = string.ascii_lowercase) -> exp.Expr:
    """Fold capitals among `letters` and nothing else: `lower` would fold the whole of Unicode."""
    small = "".join(sorted({letter for letter in letters if letter in string.ascii_lowercase}))
    if not small:
        return value
    return build.call("translate", value, build.text(small.upper()), build.text(small))


def raise_case(value: exp.Expr) -> exp.Expr:
    """Turn a-z to A-Z and nothing else."""
    letters = string.ascii_lowercase
    return build.call("translate", value, build.text(letters), build.text(letters.upper()))


def fold_literal(text: str) -> str:
    """The same folding for a literal."""
    return text.translate({ord(letter): letter.lower() for letter in string.ascii_uppercase})


def _call(name: str) -> TextCheck:
    def check(value: exp.Expr, literal: str) -> exp.Expr:
        # Not by the function: in a WHERE, DuckDB 2.0.0 takes starts_with(CASE .., '') for true
        # where the CASE gives NULL.
        return build.call(name, value, build.text(literal)) if literal else build.is_present(value)

    return check


def _compare(kind: type[exp.Binary]) -> TextCheck:
    return lambda value, literal: build.compare(kind, value, build.text(literal))


def _icontains(value: exp.Expr, literal: str) -> exp.Expr:
    # Only letters that the literal has can make a difference.
    folded = fold_literal(literal)
    return _call("contains")(fold_case(value, folded), folded)


def _glob(value: exp.Expr, literal: str) -> exp.Expr:
    like = patterns.like_pattern(literal)
    if like is None:
        return full_match(value, patterns.set_pattern(literal), _ANY_CHAR)
    if not set(literal) & set("*?"):
        return build.compare(exp.EQ, value, build.text(literal))
    condition = exp.Like(this=build.wrapped(value), expression=build.text(like))
    if patterns.LIKE_ESCAPE not in like:
        return condition
    return exp.Escape(this=condition, expression=build.text(patterns.LIKE_ESCAPE))


def _iglob(value: exp.Expr, literal: str) -> exp.Expr:
    folded = fold_literal(literal)
    letters = string.ascii_lowercase if "[" in folded else folded
    return _glob(fold_case(value, letters), folded)


def _regex(value: exp.Expr, literal: str) -> exp.Expr:
    pattern = perl_pattern(literal)
    if not pattern.is_open:
        return full_match(value, pattern.text)

    def check(value: exp.Expr) -> exp.Expr:
        stand_in = build.call("regexp_matches", value, build.text(STAND_INS))
        stand_in.add_comments(["RE2 matches no byte that is not UTF-8"])
        return build.all_of([full_match(value, pattern.text), build.negate(stand_in)])

    return build.once(value, check)


def full_match(value: exp.Expr, pattern: str, *options: str) -> exp.Expr:
    """Whether a pattern of RE2's Perl syntax matches the whole value."""
    return build.call("regexp_full_match", value, *map(build.text, (pattern, *options)))


TEXT_CHECKS: Mapping[Operator, TextCheck] = MappingProxyType(
    {
        Operator.EQUAL: _compare(exp.EQ),
        Operator.NOT_EQUAL: _compare(exp.NEQ),
        Operator.LESS: _compare(exp.LT),
        Operator.LESS_EQUAL: _compare(exp.LTE),
        Operator.GREATER: _compare(exp.GT),
        Operator.GREATER_EQUAL: _compare(exp.GTE),
        Operator.CONTAINS: _call("contains"),
        Operator.ICONTAINS: _icontains,
        Operator.STARTSWITH: _call("starts_with"),
        Operator.ENDSWITH: _call("ends_with"),
        Operator.GLOB: _glob,
        Operator.IGLOB: _iglob,
        Operator.REGEX: _regex,
    }
)
"""Operators of one value and one literal."""


def path_prefix(value: exp.Expr, paths: Sequence[str]) -> exp.Expr:
    """`pmatch`: one of the paths is a prefix of the value, by whole components."""
    if not all(map(patterns.components, paths)):
        return build.is_present(value)
    plain = [path for path in paths if not _has_sets(path)]
    if len(plain) == len(paths):
        return full_match(value, patterns.prefix_pattern(plain), _ANY_CHAR)

    def check(value: exp.Expr) -> exp.Expr:
        conditions = [full_match(value, patterns.prefix_pattern(plain), _ANY_CHAR)] if plain else []
        conditions += [_component_by_component(value, path) for path in paths if _has_sets(path)]
        return build.any_of(conditions)

    return build.once(value, check)


def _has_sets(path: str) -> bool:
    return any(set(part) & set("?*[") and set(part) & set("[\\") for part in path.split("/"))


def _component_by_component(value: exp.Expr, path: str) -> exp.Expr:
    """A set of characters must not match a slash: ask the components one by one."""
    parts = build.call("string_split", value, build.text("/"))
    named = build.call(
        "list_filter", parts, build.each(lambda x: build.compare(exp.NEQ, x, build.text("")))
    )
    conditions = []
    for index, part in enumerate(patterns.components(path), start=1):
        found = build.element(named, build.number(index))
        if set(part) & set("?*["):
            conditions.append(full_match(found, patterns.set_pattern(part), _ANY_CHAR))
        else:
            conditions.append(build.compare(exp.EQ, found, build.text(part)))
    return build.all_of(conditions)
