"""What the Elastic Common Schema says of fields, and whether a document keeps to it."""

import functools
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIELDS = Path(__file__).parent / "exports" / "ecs_fields.tsv"

_TYPES = {
    "keyword": lambda value: isinstance(value, str),
    "wildcard": lambda value: isinstance(value, str),
    "match_only_text": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "long": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "ip": lambda value: bool(ipaddress.ip_address(value)),
    "date": lambda value: bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", value)),
}


@functools.cache
def ecs_fields() -> dict[str, tuple[str, bool, list[str]]]:
    """Fields by name: the type, whether it has several values, and which are allowed."""
    rows = [row.split("\t") for row in FIELDS.read_text().splitlines()[1:]]
    return {name: (kind, bool(several), allowed.split()) for name, kind, several, allowed in rows}


def ecs_leaves(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a document by their dotted names; our own are left out."""
    for name, one in document.items():
        if isinstance(one, dict) and name != "falcotrace":
            yield from ecs_leaves(one, f"{prefix}{name}.")
        elif name != "falcotrace":
            yield f"{prefix}{name}", one


def ecs_problems(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """Fields that ECS does not have, or not with this value."""
    return [(name, value) for name, value in ecs_leaves(document) if not _is_right(name, value)]


def _is_right(name: str, value: Any) -> bool:
    if name not in ecs_fields():
        return False
    kind, several, allowed = ecs_fields()[name]
    if isinstance(value, list) != several:
        return False
    values = value if several else [value]
    return all(_TYPES[kind](one) and (not allowed or one in allowed) for one in values)
