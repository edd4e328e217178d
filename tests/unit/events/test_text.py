"""The mapping between bytes and the text of captures."""

from hypothesis import given
from hypothesis import strategies as st

from falcotrace.events.text import RAW_BYTE_BASE, to_bytes, to_text

_NASTY = st.lists(
    st.sampled_from(
        [b"\xf4\x8f\xb8\x80", b"\xf4\x8f\xbb\xbf", b"\xf4", b"\x8f", b"\xff", b"a", b"\xc3\xa9"]
    )
).map(b"".join)


@given(st.binary() | _NASTY)
def test_every_byte_string_survives(raw: bytes) -> None:
    """No byte is lost or changed by going through a capture."""
    text = to_text(raw)
    assert to_bytes(text) == raw
    text.encode()  # what is stored is valid UTF-8


@given(st.text(st.characters(max_codepoint=0x10FDFF, exclude_categories=["Cs"])))
def test_valid_text_stays_as_it_is(text: str) -> None:
    """Analysts see ordinary names as they are."""
    assert to_text(text.encode()) == text


@given(st.binary(), st.binary())
def test_different_bytes_stay_different(left: bytes, right: bytes) -> None:
    """Two names never collide, so equality in a rule means equality of bytes."""
    assert (to_text(left) == to_text(right)) == (left == right)


def test_characters_of_the_reserved_range_are_spelled_as_bytes() -> None:
    """A genuine character of the private range cannot be confused with an escaped byte."""
    genuine = chr(RAW_BYTE_BASE + 0x41).encode()
    assert to_text(genuine) == "".join(chr(RAW_BYTE_BASE + byte) for byte in genuine)
    assert to_text(b"\x41") == "A"
