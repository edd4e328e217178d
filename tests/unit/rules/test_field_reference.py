"""References to fields: where the name ends, which arguments there are, how many values."""

import pytest

from falcotrace.events.fields import FieldType
from falcotrace.events.operators import Multiplicity
from falcotrace.rules.faults import Fault
from falcotrace.rules.field_reference import find_field, is_field, longest_field


@pytest.mark.parametrize(
    ("name", "argument", "field", "found"),
    [
        ("proc.name", None, "proc.name", None),
        ("proc.pid.ts", None, "proc.pid.ts", None),
        ("evt.arg.flags", None, "evt.arg", "flags"),
        ("evt.arg", "0", "evt.arg", 0),
        ("evt.abspath.src", None, "evt.abspath", "src"),
        ("evt.type.is.open", None, "evt.type.is", "open"),
        ("thread.cgroup.cpu", None, "thread.cgroup", "cpu"),
        ("container.label.io.x.y", None, "container.label", "io.x.y"),
        ("container.label", "io.x/y", "container.label", "io.x/y"),
        ("container.mount.dest", "/host*", "container.mount.dest", "/host*"),
        ("container.mount", "0", "container.mount", 0),
        ("proc.aname", "2", "proc.aname", 2),
        ("proc.aenv", "PATH", "proc.aenv", "PATH"),
        ("proc.aenv", "3", "proc.aenv", 3),
        ("proc.env", "5", "proc.env", "5"),
    ],
)
def test_found(name: str, argument: str | None, field: str, found: object) -> None:
    """The longest field name wins, and the argument has the type that the field takes."""
    operand = find_field(name, argument)
    assert (operand.field.name, operand.argument) == (field, found)


@pytest.mark.parametrize(
    ("name", "argument", "message", "skippable"),
    [
        ("proc.nam", None, "unknown field `proc.nam`", True),
        ("proc.name", "1", "unknown field `proc.name[1]`", True),
        ("proc.name.x", None, "unknown field", True),
        ("evt.arg", None, "needs an argument", False),
        ("evt.arg.nonsense", None, "no event has an argument `nonsense`", False),
        ("evt.abspath.up", None, "unknown field", True),
        ("evt.type.is.nothing", None, "unknown field", True),
        ("proc.aname", "x", "takes a number", False),
        ("evt.arg.flags", "1", "unknown field", True),
        ("evtin.span.id", None, "unknown field", True),
    ],
)
def test_not_found(name: str, argument: str | None, message: str, skippable: object) -> None:
    """Only fields that do not exist are skippable; arguments that do not fit are not."""
    with pytest.raises(Fault, match=message.replace("[", r"\[")) as caught:
        find_field(name, argument)
    assert caught.value.skippable == skippable


def test_removed_fields_say_so() -> None:
    """An old rule learns that its field is gone, not that it is mistyped."""
    with pytest.raises(Fault) as caught:
        find_field("evtin.span.id", None)
    assert "removed" in (caught.value.help or "")


@pytest.mark.parametrize(
    ("name", "argument", "multiplicity"),
    [
        ("proc.name", None, Multiplicity.SINGLE),
        ("proc.aname", None, Multiplicity.ANY_ANCESTOR),
        ("proc.aname", "1", Multiplicity.SINGLE),
        ("proc.aargs", None, Multiplicity.SINGLE),
        ("fd.ip", None, Multiplicity.BOTH_ENDS),
        ("fd.sip.name", None, Multiplicity.ANY_NAME),
        ("fd.proto", None, Multiplicity.BOTH_ENDS),
        ("fd.sip", None, Multiplicity.SINGLE),
        ("fd.types", None, Multiplicity.LIST),
        ("fd.types", "0", Multiplicity.LIST),
    ],
)
def test_multiplicity(name: str, argument: str | None, multiplicity: Multiplicity) -> None:
    """Engines are told how many values a reference stands for."""
    assert find_field(name, argument).multiplicity is multiplicity


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("proc.name", 9),
        ("proc.names", 9),
        ("proc.name.x", 9),
        ("evt.arg.flagsx", 13),
        ("a.b", None),
    ],
)
def test_longest_beginning(text: str, length: int | None) -> None:
    """In an output the longest beginning that is a field is the field."""
    found = longest_field(text)
    assert (found and found[1]) == length


def test_raw_arguments_have_the_type_of_the_argument() -> None:
    """`evt.rawarg.NAME` compares as the first event's argument of that name does."""
    assert find_field("evt.rawarg.uid", None).type is FieldType.UINT32
    assert find_field("evt.rawarg.res", None).type is FieldType.INT64


def test_equal_references_are_equal_whatever_their_spelling() -> None:
    """The text is for printing; equality is about field and argument."""
    assert find_field("container.label.x", None) == find_field("container.label", "x")
    assert not is_field("no.such")
