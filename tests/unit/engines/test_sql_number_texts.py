"""Numbers of arguments in SQL: the texts that `events.numbers` defines, and back."""

from pathlib import Path

import duckdb
import pytest

from falcotrace.engines.checks import make_check
from falcotrace.engines.literals import Literals
from falcotrace.engines.sql.number_texts import number_text, numbers_of
from falcotrace.engines.sql.printer import print_sql
from falcotrace.engines.sql.stand_ins import satisfies
from falcotrace.engines.vectors import text_vector
from falcotrace.events.event_types import Param
from falcotrace.events.numbers import condition_text, raw_text, width_of
from falcotrace.events.operators import Operator
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.plan import Atom
from small_captures import write_capture

NUMBERS = [
    *(0, 1, 8, 64, 493, 65535, 20_000, 1_500_000_000, (1 << 31) - 1, 1 << 31, (1 << 32) - 1),
    *(1 << 32, 140355142443008, (1 << 63) - 1),
]
NEGATIVE = [-1, -2, -100, -(1 << 31), -(1 << 63)]
FORMS = [
    *(("INT32", "DEC"), ("INT64", "DEC"), ("UINT8", "DEC"), ("UINT32", "DEC"), ("UINT64", "DEC")),
    *(("UINT32", "HEX"), ("UINT64", "HEX"), ("UINT32", "OCT"), ("MODE", "OCT"), ("UID", "DEC")),
    *(("ERRNO", "HEX"), ("FLAGS32", "HEX"), ("RELTIME", "DEC"), ("ABSTIME", "DEC")),
]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers in a signed and in an unsigned column."""
    path = tmp_path_factory.mktemp("numbers") / "c.parquet"
    signed = [{"evt.type": "read", "evt.arg.size": number} for number in (*NUMBERS, *NEGATIVE)]
    high = (*NUMBERS, 1 << 63, (1 << 64) - 1)
    unsigned = [{"evt.type": "openat", "evt.arg.ino": number} for number in high]
    write_capture(path, [[*signed, *unsigned]])
    return path


@pytest.mark.parametrize(("kind", "form"), FORMS)
@pytest.mark.parametrize("path", ["evt.arg.size", "evt.arg.ino"])
def test_texts_are_those_of_the_table(capture: Path, path: str, kind: str, form: str) -> None:
    """Raw and resolved forms of every width, of both kinds of columns, times in local time."""
    param = Param("x", kind, form, "")
    raw = print_sql(number_text(path, param))
    resolved = print_sql(number_text(path, param, resolved=True))
    query = f"SELECT {path}, {raw}, {resolved} FROM '{capture}' WHERE {path} IS NOT NULL"
    for number, shown, seen in duckdb.connect().execute(query).fetchall():
        assert shown == raw_text(param, number)
        if kind in {"RELTIME", "INT64"}:
            assert seen == condition_text(param, number)


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_numbers_are_found_by_their_text(kind: str, form: str) -> None:
    """A text that a number prints as leads back to it; other texts lead nowhere."""
    param = Param("x", kind, form, "")
    read = numbers_of(param, is_signed=True)
    if read is None:
        assert kind in {"RELTIME", "ABSTIME"}
        return
    for number in (*NUMBERS, *NEGATIVE):
        if width_of(param) == 64 or abs(number) <= 1 << 31:
            assert number in read(raw_text(param, number))
    assert read("x") == read(" 1") == read("+1") == read("") == []


@pytest.mark.parametrize("text", ["<NA>", "NULL"])
@pytest.mark.parametrize(
    ("operator", "literals"),
    [
        *((operator, ("<NA>",)) for operator in (Operator.EQUAL, Operator.NOT_EQUAL)),
        *((Operator.IN, ("a", "NULL")), (Operator.CONTAINS, ("A",)), (Operator.ICONTAINS, ("na",))),
        *((Operator.STARTSWITH, ("<",)), (Operator.ENDSWITH, ("L",)), (Operator.GLOB, ("/etc/*",))),
        *((Operator.GLOB, ("*",)), (Operator.PMATCH, ("/etc",)), (Operator.REGEX, (".*",))),
    ],
)
def test_verdicts_on_known_texts_are_the_engine_s(
    text: str, operator: Operator, literals: tuple[str, ...]
) -> None:
    """What is decided beforehand is what the other engine decides."""
    verdict = satisfies(text, operator, literals)
    atom = Atom(find_field("proc.name", None), operator, None, literals, None)
    check = make_check(atom, Literals([atom]))
    assert verdict is None or [verdict] == check.rows(text_vector([text])).tolist()
