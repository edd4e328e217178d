"""YAML to nodes: what is a text, what is null, and what is refused."""

from pathlib import Path

import pytest

from falcotrace.rules.codes import LoadCode
from falcotrace.rules.faults import Fault
from falcotrace.rules.nodes import File
from falcotrace.rules.source import (
    MAX_FILE_BYTES,
    MappingNode,
    Node,
    Scalar,
    ScalarSource,
    SequenceNode,
    TextSource,
    compose_documents,
    read_source,
)


def roots(text: str) -> list[Node | None]:
    """The roots of all documents of a text."""
    return list(compose_documents(TextSource("t.yaml", text)).roots)


def test_scalars_stay_what_was_written() -> None:
    """No word becomes a boolean, a number or a date."""
    (root,) = roots("[yes, 0x10, 017, 2001-01-01, 1.50]")
    assert isinstance(root, SequenceNode)
    values = [item.value for item in root.items if isinstance(item, Scalar)]
    assert values == ["yes", "0x10", "017", "2001-01-01", "1.50"]


@pytest.mark.parametrize("text", ["~", "null", "Null", "NULL", ""])
def test_plain_null_is_null(text: str) -> None:
    """The spellings of null that yaml-cpp knows are null, in quotes they are texts."""
    plain = Scalar(text, "", 0, 0)
    quoted = Scalar(text, '"', 0, 0)
    assert plain.is_null
    assert not quoted.is_null


def test_first_of_two_equal_keys_wins() -> None:
    """A repeated key does not replace the first, as in yaml-cpp."""
    (root,) = roots("{a: 1, a: 2}")
    assert isinstance(root, MappingNode)
    value = root.get("a")
    assert isinstance(value, Scalar)
    assert value.value == "1"


def test_aliases_share_their_node() -> None:
    """An alias is the anchor's node itself, so a bomb of aliases needs no memory."""
    (root,) = roots("[&a [x], *a, *a]")
    assert isinstance(root, SequenceNode)
    assert root.items[0] is root.items[1] is root.items[2]


def test_unclosed_quote_ends_with_the_file() -> None:
    """A quote that is never closed is closed at the end, and remembered."""
    documents = compose_documents(TextSource("t", 'a: "b\n  c'))
    assert isinstance(documents.roots[0], MappingNode)
    assert documents.unclosed is not None
    assert documents.unclosed.locate().column == 4


@pytest.mark.parametrize("text", ["[" * 200, "- " * 200, "{a: " * 200])
def test_deep_nesting_is_refused(text: str) -> None:
    """Nesting is bounded before libyaml or Python run into their own limits."""
    with pytest.raises(Fault, match="nested deeper"):
        roots(text)


@pytest.mark.parametrize("text", ["[a", "a: b: c", "*nothing", "\t- a", "- \x01"])
def test_broken_yaml_names_the_place(text: str) -> None:
    """What is not YAML is one fault with Falco's code and a place."""
    with pytest.raises(Fault) as caught:
        roots(text)
    assert caught.value.code is LoadCode.ERR_YAML_PARSE
    assert caught.value.span is not None


def test_large_files_are_refused_unread(tmp_path: Path) -> None:
    """A file beyond the limit is refused by size, and the message says the limit."""
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(Fault, match="16 MiB") as caught:
        read_source(path)
    assert caught.value.code is LoadCode.ERR_FILE_READ


def test_unreadable_files_are_a_fault(tmp_path: Path) -> None:
    """A missing file is not an exception of the operating system."""
    with pytest.raises(Fault, match="No such file") as caught:
        read_source(tmp_path / "none.yaml")
    assert caught.value.code is LoadCode.ERR_FILE_READ


def test_bytes_that_are_no_text_are_a_fault(tmp_path: Path) -> None:
    """A file that is not UTF-8 names the byte and points at it."""
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"- rule: gr\xfcn\n")
    with pytest.raises(Fault, match="byte 10") as caught:
        read_source(path)
    assert caught.value.span is not None
    assert caught.value.span.locate().column == 11


def test_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """A mark at the beginning does not shift columns."""
    path = tmp_path / "bom.yaml"
    path.write_bytes("\ufeff- a".encode())
    assert read_source(path).text == "- a"


@pytest.mark.parametrize(
    ("text", "word", "line", "column"),
    [
        ("k: >\n  aa bb\n  cc dd\n", "dd", 3, 6),
        ("k: |\n  aa\n    bb\n", "bb", 3, 5),
        ("k: >-\n\n  aa\n\n  bb\n", "bb", 5, 3),
        ("k: 'it''s here'\n", "here", 1, 11),
        ('k: "a\\tb\\x41 word"\n', "word", 1, 14),
        ('k: "aa \\\n   bb"\n', "bb", 2, 4),
        ("k: aa\n   bb\n", "bb", 2, 4),
        ("k: &x !!str aa bb\n", "bb", 1, 16),
        ("k: aa\r\n   bb\r\n", "bb", 2, 4),
    ],
)
def test_words_are_found_where_they_stand(text: str, word: str, line: int, column: int) -> None:
    """A word of a folded, quoted or escaped value leads back to its line and column."""
    file = TextSource("t", text)
    root = compose_documents(file).roots[0]
    assert isinstance(root, MappingNode)
    value = root.get("k")
    assert isinstance(value, Scalar)
    span = File(file).text_span(value)
    assert isinstance(span.source, ScalarSource)
    start = span.text.index(word)
    place = span.source.locate(start, start + len(word))
    assert (place.line, place.column, place.length) == (line, column, len(word))
