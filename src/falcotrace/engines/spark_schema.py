"""The schema that Spark reads captures with: only the columns that a query asks for.

In: paths of columns. Out: Spark's schema. It is fixed, so that a capture without one of the columns
has missing values there, whichever file Spark looks at first.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from falcotrace.events.columns import COLUMNS

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "string": "string",
        "int64": "bigint",
        "int32": "int",
        "uint64": "decimal(20, 0)",
        "bool": "boolean",
        "binary": "binary",
        "list<string>": "array<string>",
        "list<int64>": "array<bigint>",
    }
)


def spark_schema(paths: Sequence[str]) -> str:
    """Columns in Spark's own words.

    Example:
        >>> spark_schema(["evt.num", "evt.arg.fd", "proc.aname"])
        '`evt` struct<`num`: bigint, `arg`: struct<`fd`: bigint>>, `proc` struct<`aname`: ...
    """
    return ", ".join(f"`{name}` {kind}" for name, kind in _members(paths, ""))


def _members(paths: Sequence[str], prefix: str) -> list[tuple[str, str]]:
    inside: dict[str, list[str]] = {}
    for path in paths:
        inside.setdefault(path.removeprefix(prefix).split(".")[0], []).append(path)
    return [(name, _type(prefix + name, some)) for name, some in inside.items()]


def _type(path: str, inside: Sequence[str]) -> str:
    if list(inside) == [path]:
        return _TYPES[COLUMNS[path].type]
    members = ", ".join(f"`{name}`: {kind}" for name, kind in _members(inside, f"{path}."))
    return f"struct<{members}>"
