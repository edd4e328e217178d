"""`falcotrace fields`: the fields that conditions and outputs can name."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from falcotrace.events.fields import Field


def fields(
    *,
    search: Annotated[
        str, typer.Option("--search", help="Show only fields whose name or meaning has this text.")
    ] = "",
    hidden: Annotated[
        bool, typer.Option("--all", help="Show hidden, deprecated and removed fields too.")
    ] = False,
) -> None:
    """List the fields of rules: name, type, where the value comes from, meaning."""
    from falcotrace.cli.render import table
    from falcotrace.events.fields import FIELDS

    wanted = search.lower()
    table(
        ("field", "type", "from", "meaning"),
        [
            (_name(field), _type(field), _origin(field), field.meaning)
            for field in FIELDS.values()
            if (hidden or search or field.status == "active")
            and wanted in f"{field.name} {field.meaning}".lower()
        ],
    )


def _name(field: "Field") -> str:
    forms = field.argument.partition(": ")[2]
    return f"{field.name} {forms}".rstrip()


def _type(field: "Field") -> str:
    return f"list of {field.type}" if field.is_list else str(field.type)


def _origin(field: "Field") -> str:
    """Where a capture has the value, in a word or two."""
    match field.storage:
        case "column":
            return f"column {field.path}"
        case "derived" | "both_ends" | "same":
            return "computed"
        case "constant":
            return f"always {field.source}"
        case "capture":
            return "footer"
        case "never":
            return "never has a value"
        case "unsupported":
            return f"not supported: {field.source}"
        case _:
            return field.status
