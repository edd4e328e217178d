"""`falcotrace fields`: the fields that conditions and outputs can name."""

from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.rule_sources import RulesOption

if TYPE_CHECKING:
    from falcotrace.events.fields import Field
    from falcotrace.rules.field_coverage import FieldCoverage


def fields(
    *,
    search: Annotated[
        str, typer.Option("--search", help="Show only fields whose name or meaning has this text.")
    ] = "",
    hidden: Annotated[
        bool, typer.Option("--all", help="Show hidden, deprecated and removed fields too.")
    ] = False,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage",
            help="Show every field: whether it is supported, why not, how many rules need it.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --coverage: print JSON.")] = False,
    rules: RulesOption = None,
) -> None:
    """List the fields of rules: name, type, where the value comes from, meaning."""
    from falcotrace.cli.render import table
    from falcotrace.events.fields import FIELDS

    if coverage:
        _show_coverage(_coverage(rules, search.lower()), as_json=as_json)
        return
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


def _coverage(rules: RulesOption, wanted: str) -> list["FieldCoverage"]:
    from falcotrace.cli.rule_sources import load_for_use
    from falcotrace.events.fields import FIELDS
    from falcotrace.rules.field_coverage import field_coverage

    return [
        entry
        for entry in field_coverage(load_for_use(rules).plan.rules)
        if wanted in f"{entry.name} {FIELDS[entry.name].meaning}".lower()
    ]


def _show_coverage(entries: list["FieldCoverage"], *, as_json: bool) -> None:
    from falcotrace.cli.render import table
    from falcotrace.rules.field_coverage import Coverage, coverage_counts

    counts = coverage_counts(entries)
    if as_json:
        import msgspec

        document = {"counts": counts, "fields": entries}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    table(
        ("field", "coverage", "how", "conditions", "outputs"),
        [
            (
                entry.name,
                str(entry.coverage),
                entry.how,
                str(entry.condition_rules),
                str(entry.output_rules),
            )
            for entry in entries
        ],
        right=("conditions", "outputs"),
    )
    needed = sum(e.condition_rules for e in entries if e.coverage is Coverage.UNSUPPORTED)
    shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    print(f"{len(entries)} fields: {shown}; {needed} conditions ask for one that is not supported")


def _name(field: "Field") -> str:
    forms = field.argument.partition(": ")[2]
    return f"{field.name} {forms}".rstrip()


def _type(field: "Field") -> str:
    return f"list of {field.type}" if field.is_list else str(field.type)


def _origin(field: "Field") -> str:
    """Where a capture has the value, in a word or two."""
    from falcotrace.rules.field_coverage import Coverage, coverage_of, how

    kind = coverage_of(field)
    if kind is Coverage.SUPPORTED:
        return how(field)
    return str(field.status) if kind is Coverage.REMOVED else f"{kind}: {how(field)}"
