"""What of Sigma's log sources and fields is supported, as the README has it.

python -m falcotrace.sigma.reference
"""

import sys
from collections.abc import Iterator, Mapping
from typing import assert_never

from falcotrace.sigma.forms import (
    Absent,
    Address,
    Argument,
    CallName,
    Choice,
    CommandLine,
    EitherText,
    Folder,
    Form,
    LogSource,
    Number,
    Register,
    Text,
    Unanswerable,
    View,
)
from falcotrace.sigma.taxonomy import LOG_SOURCES, UNBOUND_EVENTS


def support_markdown() -> str:
    """One row for each kind of record: the events that stand for it, and the fields."""
    lines = ["| Sigma | events of Falco | fields |", "|---|---|---|"]
    said: dict[str, str] = {}
    for (category, service), source in LOG_SOURCES.items():
        for view in source.views:
            name = f"`{category or service}`{_record(source, view)}"
            events = f"`{view.events or UNBOUND_EVENTS}`"
            if not view.events:
                events = f"those that the rule names, otherwise {events}"
            fields = _spelled(view.fields)
            own = {field: text for field, text in fields.items() if said.get(field) != text}
            said |= own
            listed = ", ".join(f"`{field}`: {text}" for field, text in own.items())
            lines.append(f"| {name} | {events} | {listed} |")
    lines.append(f"| cannot be asked | | {', '.join(_unanswerable())} |")
    return "\n".join(lines) + "\n"


def _record(source: LogSource, view: View) -> str:
    form = view.fields.get(source.record_field)
    return f" {', '.join(form.conditions)}" if isinstance(form, Choice) else ""


def _spelled(fields: Mapping[str, Form]) -> dict[str, str]:
    """Each field that can be asked, and how; of arguments only the first."""
    return {
        field: text
        for field, form in fields.items()
        if field != "type" and (text := _how(form)) and not _is_further(form)
    }


def _is_further(form: Form) -> bool:
    return isinstance(form, Argument) and form.index > 1


def _how(form: Form) -> str:
    match form:
        case Text(field=field) | Number(field=field) | Folder(field=field) | Address(address=field):
            return f"`{field}`"
        case EitherText(fields=fields):
            return " or ".join(f"`{field}`" for field in fields)
        case CommandLine():
            return "`proc.exeline`"
        case Argument():
            return "`proc.args[0]` ..."
        case CallName():
            return "`evt.type`"
        case Choice(conditions=conditions):
            return " / ".join(conditions)
        case Register() | Absent() | Unanswerable():
            return ""
        case _:
            assert_never(form)


def _unanswerable() -> Iterator[str]:
    """Fields that cannot be asked, together by their reason."""
    by_reason: dict[str, list[str]] = {}
    for source in LOG_SOURCES.values():
        for view in source.views:
            for field, form in view.fields.items():
                if isinstance(form, Unanswerable):
                    names = by_reason.setdefault(form.why, [])
                    names += [] if field in names else [field]
    for reason, names in by_reason.items():
        yield f"{', '.join(f'`{name}`' for name in names)} ({reason})"


if __name__ == "__main__":
    sys.stdout.write(support_markdown())
