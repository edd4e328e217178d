"""Output templates: tokens, widths, missing values, functions."""

import pytest

from falcotrace.rules.faults import Fault
from falcotrace.rules.output import (
    fit_width,
    parse_template,
    render_template,
    suggested_output,
    template_fields,
)
from falcotrace.rules.plan import Operand, Template, TemplateField
from falcotrace.rules.source import TextSource


def parse(text: str) -> Template:
    """Parse a rule's output."""
    return parse_template(TextSource("t", text))


def render(text: str, **values: str) -> str | None:
    """Fill in a template by the spelling of its operands, `_` for a dot."""

    def text_of(operand: Operand) -> str | None:
        return values.get(operand.text.replace(".", "_"))

    return render_template(parse(text), text_of)


def tokens(text: str) -> list[str]:
    """The tokens of a template as written."""
    return [part.text for part in parse(text).parts if isinstance(part, TemplateField)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%proc.name.", ["proc.name"]),
        ("%proc.names", ["proc.name"]),
        ("(%proc.name)", ["proc.name"]),
        ("%proc.name%proc.pname", ["proc.name", "proc.pname"]),
        ("%evt.arg.flags %evt.arg[1]", ["evt.arg.flags", "evt.arg[1]"]),
        ("%proc.name[1]", ["proc.name"]),
        ("%proc.aname[2]", ["proc.aname[2]"]),
        ('%proc.env["MY KEY"]x', ['proc.env["MY KEY"]']),
        ("%toupper(proc.name)x", ["toupper(proc.name)"]),
        ('%join("-",(proc.name,proc.pname))', ['join("-",(proc.name,proc.pname))']),
        ("%evt.argsx", ["evt.args"]),
        ("no token", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    """A token is the longest beginning that is a field or a function."""
    assert tokens(text) == expected


@pytest.mark.parametrize(
    "text", ["100%", "100% sure", "%%", "%no.such", "%evt.arg", "%fd.ip", "%frob(proc.name)", "%5"]
)
def test_refused(text: str) -> None:
    """A percent sign cannot be escaped, and not every field can be printed."""
    with pytest.raises(Fault):
        parse(text)


def test_only_unknown_tokens_are_skippable() -> None:
    """`skip-if-unknown-filter` covers fields that do not exist, nothing else."""
    for text, skippable in (("%no.such", True), ("100%", False), ("%evt.arg", False)):
        with pytest.raises(Fault) as caught:
            parse(text)
        assert caught.value.skippable is skippable


def test_missing_values() -> None:
    """A rule's output prints `<NA>`; a raw template without star prints nothing at all."""
    assert render("a %proc.name b") == "a <NA> b"
    raw = parse_template(TextSource("t", "a %proc.name"), prints_missing=False)
    assert render_template(raw, lambda _: None) is None
    starred = parse_template(TextSource("t", "*a %proc.name"), prints_missing=False)
    assert render_template(starred, lambda _: None) == "a <NA>"


def test_widths() -> None:
    """A width pads and cuts bytes, in the middle of a character if need be."""
    assert render("[%4proc.name][%1proc.name]", proc_name="ab") == "[ab  ][a]"
    assert fit_width("äb", 1) == "\U0010fec3"


def test_fields_of_a_template() -> None:
    """Fields inside functions count, and each once."""
    fields = template_fields(parse("%proc.name %toupper(proc.exe) %proc.name"))
    assert [field.text for field in fields] == ["proc.name", "proc.exe"]


def test_suggested_output() -> None:
    """The text that Falco's default configuration appends."""
    assert suggested_output() == (
        "container_id=%container.id container_name=%container.name "
        "container_image_repository=%container.image.repository "
        "container_image_tag=%container.image.tag "
        "k8s_pod_name=%k8s.pod.name k8s_ns_name=%k8s.ns.name"
    )
