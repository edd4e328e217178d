"""Sigma's values, wildcards and modifiers by hand: what they match and how they are spelled."""

import pytest

from falcotrace.sigma.convert import Ending
from property.sigma_events import process_events
from sigma_by_hand import CONNECTION, condition, convert, holds

TEXTS = [
    # item of a selection, images that match, images that do not
    ("Image: /bin/Ls", ["/bin/ls", "/BIN/LS"], ["/bin/lsx", "", None]),
    ("Image: ''", [""], ["a", None]),
    ("Image: 'null'", ["null"], ["", None]),
    ("Image: null", [None], ["", "a"]),
    ("Image: '*'", ["", "a"], [None]),
    ("Image: '?'", ["a", "ä"], ["", "ab", None]),
    ("Image: '/a/*'", ["/a/", "/A/b/c"], ["/a", "x/a/"]),
    ("Image: '*/nc'", ["/bin/nc", "/NC"], ["nc", "/nc1"]),
    ("Image: '*x*'", ["x", "aXb"], ["ab"]),
    ("Image: 'a*b?c'", ["axxbyc", "Ab1C", "a\nb\nc"], ["abc", "ab12c"]),
    (r"Image: 'a\*b'", ["a*b", "A*B"], ["axb"]),
    (r"Image: 'a\?b'", ["a?b"], ["axb"]),
    (r"Image: 'a\\*'", ["a\\", "a\\b"], ["a*"]),
    (r"Image: 'a\b'", ["a\\b"], ["ab"]),
    (r"Image: 'a\\b'", ["a\\b"], ["a\\\\b"]),
    ("Image: '[a]?'", ["[a]x", "[A]1"], ["ax"]),
    ("Image: 'a[b*'", ["a[bc"], ["ab"]),
    ("Image: [/a, /b]", ["/a", "/B"], ["/c", None]),
    ("Image: 7", ["7"], ["07"]),
    ("Image|contains: Bc", ["abcd", "ABCD"], ["acb", None]),
    ("Image|contains: 'b*d'", ["abxd1"], ["bcx"]),
    ("Image|contains|all: [a, B]", ["ab", "xBxA"], ["a", "b"]),
    ("Image|startswith: /Tmp", ["/tmp", "/TMP/a"], ["a/tmp"]),
    ("Image|startswith|all: [a, ab]", ["abc"], ["ac"]),
    ("Image|endswith: .Sh", ["a.sh", ".SH"], ["a.sh1"]),
    ("Image|cased: aB", ["aB"], ["ab", "AB"]),
    ("Image|contains|cased: aB", ["xaBx"], ["xabx"]),
    ("Image|startswith|cased: aB", ["aBx"], ["abx"]),
    ("Image|endswith|cased: 'a?B'", ["xa1B"], ["xa1b"]),
    ("Image|re: b+c", ["abbcd", "bc"], ["aBC", "ac"]),
    ("Image|re: ^a.c$", ["abc"], ["xabc", "abcd", "a\nc"]),
    (r"Image|re: '\d{2}\s'", ["a12 "], ["1 2"]),
    ("Image|re|i: ^AbC", ["abcd", "ABC"], ["xabc"]),
    ("Image|re|s: ^a.c$", ["a\nc"], ["ac"]),
    ("Image|re|m: ^b$", ["a\nb\nc", "b"], ["ab"]),
    ("Image|exists: true", ["", "a"], [None]),
    ("Image|exists: false", [None], ["", "a"]),
    ("Image|neq: /a", ["/b", "", None], ["/a", "/A"]),
    ("Image|windash|contains: ' -x'", ["a -x", "a /x", "a \N{EN DASH}x"], ["a x"]),
    ("Image|base64: foo", ["Zm9v"], ["foo"]),
    ("Image|base64|contains: foo", ["echo Zm9v|"], ["echo foo"]),
    ("Image|base64offset|contains: foobar", ["Zm9vYmFy", "IGZvb2Jhcg", "ICBmb29iYXI"], ["foobar"]),
    ("Image|wide|base64offset|contains: ab", ["YQBiA", "EAYg", "hAGIA"], ["YWI="]),
]


@pytest.mark.parametrize(("item", "matching", "others"), TEXTS, ids=[each[0] for each in TEXTS])
def test_texts(item: str, matching: list[str | None], others: list[str | None]) -> None:
    """Each wildcard, escape and modifier matches what the specification says, missing or not."""
    images = [*matching, *others]
    events = [process_events(["x"], image)[1] for image in images]
    found = holds(f"a: {{{item}}}, condition: a", events)
    assert [image for image, is_found in zip(images, found, strict=True) if is_found] == matching


COMMANDS = [
    ("ls", [["ls"], ["LS"]], [["ls", ""], ["/bin/ls"], ["ls", "-l"]]),
    ("ls -l", [["ls", "-l"], ["ls -l"]], [["ls"], ["ls", "-l", "x"]]),
    ("'*ls'", [["ls"], ["x", "ls"]], [["ls", "x"], ["x", "ls", ""]]),
    ("'ls *'", [["ls", ""], ["ls", "x"]], [["ls"]]),
    ("'* -l *'", [["ls", "-l", "x"], ["ls", "-l", ""]], [["ls", "-l"]]),
]


@pytest.mark.parametrize(("value", "matching", "others"), COMMANDS)
def test_command_lines(value: str, matching: list[list[str]], others: list[list[str]]) -> None:
    """The blank that Falco leaves behind a program without arguments is not there for Sigma."""
    commands = [*matching, *others]
    events = [process_events(argv, "/x")[1] for argv in commands]
    found = holds(f"a: {{CommandLine: {value}}}, condition: a", events)
    assert [argv for argv, is_found in zip(commands, found, strict=True) if is_found] == matching


NUMBERS = [
    ("LogonId: 3", [3]),
    ("LogonId: '3'", [3]),
    ("LogonId: [1, 3]", [1, 3]),
    ("LogonId|gt: 2", [3, 4]),
    ("LogonId|gte: 3", [3, 4]),
    ("LogonId|lt: 2", [0, 1]),
    ("LogonId|lte: 1", [0, 1]),
    ("LogonId|neq: 3", [0, 1, 4, None]),
    ("LogonId: null", [None]),
    ("LogonId: [4294967297, 0]", [0]),
]


@pytest.mark.parametrize(("item", "matching"), NUMBERS)
def test_numbers(item: str, matching: list[int | None]) -> None:
    """Numbers are compared as such, and one beyond the field's width equals none."""
    numbers = [0, 1, 3, 4, None]
    events = [process_events(["x"], "/x", LogonId=number)[1] for number in numbers]
    found = holds(f"a: {{{item}}}, condition: a", events)
    assert [number for number, is_found in zip(numbers, found, strict=True) if is_found] == matching


ADDRESSES = [
    ("DestinationIp: 10.0.0.1", ["10.0.0.1"]),
    ("DestinationIp: ['::1', 10.0.0.1]", ["10.0.0.1", "::1"]),
    ("DestinationIp: 0:0::1", ["::1"]),
    ("DestinationIp|cidr: 10.0.0.0/8", ["10.0.0.1", "10.200.0.1"]),
    ("DestinationIp|cidr: ['fe80::/10', 192.168.0.0/16]", ["192.168.0.1", "fe80::1"]),
    ("DestinationIp|cidr: '::/0'", ["::1", "fe80::1"]),
    ("DestinationIp|startswith: '10.200.'", ["10.200.0.1"]),
    ("DestinationIp: '192.*'", ["192.168.0.1"]),
    ("DestinationIp: '*'", ["10.0.0.1", "10.200.0.1", "192.168.0.1", "::1", "fe80::1"]),
    ("DestinationIp: null", [None]),
    ("DestinationIsIpv6: 'true'", ["::1", "fe80::1"]),
]


@pytest.mark.parametrize(("item", "matching"), ADDRESSES)
def test_addresses(item: str, matching: list[str | None]) -> None:
    """Addresses and networks of both families, and texts of which an address is the beginning."""
    addresses = ["10.0.0.1", "10.200.0.1", "192.168.0.1", "::1", "fe80::1", None]
    events = [
        {
            "evt.type": "connect",
            "evt.rawres": 0,
            "fd.typechar": "6" if address and ":" in address else "4",
            "fd.l4proto": "tcp",
            "fd.sport": 443,
            "fd.sip": address,
            "fd.snet": address,
        }
        for address in addresses
    ]
    found = holds(f"a: {{{item}}}, condition: a", events, CONNECTION)
    assert [each for each, is_found in zip(addresses, found, strict=True) if is_found] == matching


def test_fields_are_compared() -> None:
    """`fieldref` compares two fields, as the whole or at an end, and a missing one with nothing."""
    events = [
        process_events(["x"], image, ParentImage=parent)[1]
        for image, parent in [("/a", "/A"), ("/ab", "/a"), ("/a", None), (None, None)]
    ]
    assert holds("a: {Image|fieldref: ParentImage}, condition: a", events) == [True, *[False] * 3]
    starts = "a: {Image|fieldref|startswith: ParentImage}, condition: a"
    assert holds(starts, events) == [True, True, False, False]


CANNOT = [
    ("Image|expand: '%admins%'", "placeholder %admins%"),
    ("Image|gt: 3", "is a text"),
    ("Image|cidr: 10.0.0.0/8", "is a text"),
    (r"Image|re: '\bx'", r"has \b"),
    ("Image|re: 'a^b'", "anchor within"),
    ("Image|re: '(?=a)'", ""),
    ("Image|unknown: a", "unknown"),
    ("LogonId|startswith: '3'", "is a number"),
    ("LogonId|hour: 3", "part of a time"),
    ("Hashes|contains: a", "file's contents"),
    ("Colour: red", "captures do not have"),
    ("Image|fieldref: Hashes", "compared with `Hashes`"),
    ("Image|fieldref: LogonId", "another kind"),
    ("Image|base64: 'a*'", "wildcards"),
]


@pytest.mark.parametrize(("item", "reason"), CANNOT)
def test_what_cannot_be_asked_is_said(item: str, reason: str) -> None:
    """A test without a like ends the rule as not run, with the reason, never as something else."""
    converted = convert(f"a: {{{item}}}, condition: a")
    assert converted.ending is Ending.NOT_RUN
    assert reason.lower() in "; ".join(converted.reasons).lower()


SPELLED = [
    ("a: {Image|endswith: [/at, /atd]}", "tolower(proc.exepath) endswith anyof (/at, /atd)"),
    ("a: {Image: [/a, /b]}", "tolower(proc.exepath) in (/a, /b)"),
    ("a: {Image: /1}", "proc.exepath = /1"),
    ("a: {CommandLine|contains: [a, b c]}", 'proc.exeline icontains anyof (a, "b c")'),
    ("a: {CommandLine|contains|all: [a, b]}", "proc.exeline icontains allof (a, b)"),
    ("a: {Image|re: 'abc'}", "proc.exepath contains abc"),
    ("a: {Image: 'a*\"b'}", 'proc.exepath iglob "a*\\"b"'),
]


@pytest.mark.parametrize(("detection", "spelled"), SPELLED)
def test_conditions_are_short(detection: str, spelled: str) -> None:
    """Values of one field become one check, as somebody would write it."""
    events = "evt.type in (execve, execveat) and evt.rawres >= 0"
    assert condition(f"{detection}, condition: a") == f"({events} and {spelled})"
