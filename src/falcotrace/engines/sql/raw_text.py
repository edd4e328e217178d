"""Between text as captures hold it and the bytes that it stands for.

A byte that is no UTF-8 is stored as one code point (`falcotrace.events.text`). Most operators need
not know; lengths, orders of two texts, and text made from bytes do.
"""

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.events.text import RAW_BYTE_BASE

STAND_INS = rf"[\x{{{RAW_BYTE_BASE:X}}}-\x{{{RAW_BYTE_BASE + 0xFF:X}}}]"
"""A pattern for the characters that stand for bytes."""

# Unicode 16, table 3-7, in hexadecimal digits; F48F[B8-BB].. would be taken for stand-ins.
_CHARACTERS = (
    "[0-7].|C[2-9A-F][89AB].|D.[89AB].|E0[AB].[89AB].|E[1-9A-CEF][89AB].[89AB].|ED[89].[89AB].|"
    "F0[9AB].[89AB].[89AB].|F[1-3][89AB].[89AB].[89AB].|F48[0-9A-E][89AB].[89AB].|"
    "F48F(?:[89A].|B[0-7C-F])[89AB]."
)


def byte_length(value: exp.Expr) -> exp.Expr:
    """How many bytes a text stands for: a stand-in takes four and counts as one."""
    found = build.call("regexp_extract_all", value, build.text(STAND_INS))
    stand_ins = exp.Mul(this=build.number(3), expression=build.call("len", found))
    return exp.Sub(this=build.call("strlen", value), expression=stand_ins)


def byte_digits(value: exp.Expr) -> exp.Expr:
    """The bytes that a text stands for, as hexadecimal digits: they sort as the bytes do."""

    def digits(char: exp.Expr) -> exp.Expr:
        code = build.call("unicode", char)
        low, high = build.number(RAW_BYTE_BASE), build.number(RAW_BYTE_BASE + 0xFF)
        byte = exp.Sub(this=code.copy(), expression=low.copy())
        return build.call(
            "if",
            build.between(code, low, high),
            build.call("printf", build.text("%02X"), byte),
            build.call("hex", char),
        )

    chars = build.call("string_split", value, build.text(""))
    spelled = build.call("list_transform", chars, build.each(digits))
    return build.call("array_to_string", spelled, build.text(""))


def text_of_bytes(value: exp.Expr) -> exp.Expr:
    """The text form of bytes, up to the first NUL."""

    def character(digits: exp.Expr) -> exp.Expr:
        is_character = build.call("regexp_full_match", digits, build.text(_CHARACTERS))
        prefixed = build.concatenate(build.text("0x"), digits.copy())
        byte = exp.Cast(this=prefixed, to=exp.DataType.build("int"))
        stand_in = exp.Add(this=byte, expression=build.number(RAW_BYTE_BASE))
        return build.call(
            "if",
            is_character,
            build.call("try", build.call("decode", build.call("unhex", digits))),
            build.call("chr", stand_in),
        )

    digits = build.call("hex", value)
    ended = build.call("regexp_extract", digits, build.text("^((?:..)*?)(?:00|$)"), build.number(1))
    parts = build.call("regexp_extract_all", ended, build.text(f"{_CHARACTERS}|.."))
    spelled = build.call("list_transform", parts, build.each(character))
    return build.call("array_to_string", spelled, build.text(""))


def printable_bytes(value: exp.Expr) -> exp.Expr:
    r"""Bytes as text with a dot for each that is not printable ASCII.

    DuckDB shows such bytes as `\xHH` when it casts, and `"`, `'` and the backslash as well.
    """
    shown: exp.Expr = exp.Cast(this=value.copy(), to=exp.DataType.build("text"))
    hidden = r"\\x(?:[018-9A-F][0-9A-F]|7F)"
    shown = build.call(
        "regexp_replace", shown, build.text(hidden), build.text("."), build.text("g")
    )
    for char in "\"'\\":
        shown = build.call("replace", shown, build.text(f"\\x{ord(char):X}"), build.text(char))
    return build.meant(shown, "printable_bytes", value)
