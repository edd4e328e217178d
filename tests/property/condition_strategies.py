"""Random events, and random conditions about them, small enough to collide often."""

from collections.abc import Mapping

from hypothesis import strategies as st

TEXTS = ["", "a", "b", "ab", "A", "/etc", "/etc/a", "/etc/b/a", "etc", "ä", "5", "10", "a\nb"]
NUMBERS = [-1, 0, 1, 5, 22, 443, 65535, 2**40]
ADDRESSES = ["10.0.0.1", "10.1.2.3", "192.168.0.9", "::1", "2001:db8::5", "0.0.0.0"]
NETWORKS = ["10.0.0.0/8", "10.0.0.0/16", "0.0.0.0/0", '"2001:db8::/32"', '"::1/128"']
WORDS = ["a", "b", "ab", "/etc", "etc", "5", '""', '"a b"', '"/etc/a"']

TEXT_FIELDS = ("proc.name", "fd.name", "proc.pname")
NUMBER_FIELDS = ("fd.num", "proc.vpid")


def _lists(values: list[str] | list[int], size: int = 3) -> st.SearchStrategy[object]:
    return st.lists(st.sampled_from(values), max_size=size)


EVENTS: st.SearchStrategy[Mapping[str, object]] = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(TEXT_FIELDS, st.sampled_from([None, *TEXTS])),
        **dict.fromkeys(NUMBER_FIELDS, st.sampled_from([None, *NUMBERS])),
        "proc.is_exe_writable": st.sampled_from([None, True, False]),
        "fd.sip": st.sampled_from([None, *ADDRESSES]),
        "fd.snet": st.sampled_from([None, *ADDRESSES]),
        "proc.aname": st.none() | _lists(TEXTS),
        "fd.sip.name": st.none() | _lists(TEXTS),
        "proc.apid": st.none() | _lists(NUMBERS),
        "fd.types": st.none() | _lists(TEXTS),
        "fd.ip": st.none() | _lists(ADDRESSES, 2),
        "fd.port": st.none() | _lists([22, 443, 65535], 2),
        "fd.net": st.none() | _lists(ADDRESSES, 2),
        "evt.buffer": st.sampled_from([None, "", "a", "ab", "a\0b"]),
    },
)


def _one(values: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


def _several(values: list[str]) -> st.SearchStrategy[str]:
    return st.lists(_one(values), max_size=3).map(lambda items: f"({', '.join(items)})")


def _check(fields: list[str], tails: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda field, tail: f"{field} {tail}", _one(fields), tails)


def _tails(
    single: list[str], many: list[str], values: list[str], *, quantified: bool = False
) -> st.SearchStrategy[str]:
    choices = [
        st.just("exists"),
        st.builds(lambda op, value: f"{op} {value}", _one(single), _one(values)),
        st.builds(lambda op, value: f"{op} {value}", _one(many), _several(values)),
    ]
    if quantified:
        choices.append(
            st.builds(
                lambda op, how, value: f"{op} {how} {value}",
                _one(single),
                _one(["anyof", "allof", "oneof"]),
                _several(values),
            )
        )
    return st.one_of(choices)


_TEXT_OPERATORS = ["=", "!=", "contains", "icontains", "startswith", "endswith"]
_INTEGERS = [str(number) for number in NUMBERS]
_GLOBS = ["*", "a*", "?", '"/etc/*"', '"[a-c]*"', '"[!a]*"', '"*b*"', '"A*"']
_REGEXES = ["a.*", '"[a-z]+"', '"/etc/(a|b).*"', '"a?b"']

CHECKS: st.SearchStrategy[str] = st.one_of(
    _check(
        [*TEXT_FIELDS, "proc.aname", "fd.sip.name", "tolower(proc.name)", "basename(fd.name)"],
        _tails(_TEXT_OPERATORS, ["in", "intersects", "pmatch"], WORDS, quantified=True),
    ),
    _check([*TEXT_FIELDS, "proc.aname", "fd.sip.name"], _one([f"glob {g}" for g in _GLOBS])),
    _check([*TEXT_FIELDS], _one([f"iglob {g}" for g in _GLOBS])),
    _check([*TEXT_FIELDS, "proc.aname", "fd.sip.name"], _one([f"regex {r}" for r in _REGEXES])),
    _check([*TEXT_FIELDS], _one([f"{op} {n}" for op in ("<", "<=", ">", ">=") for n in (5, 10)])),
    _check(
        [*NUMBER_FIELDS, "proc.apid"],
        _tails(["=", "!=", "<", "<=", ">", ">="], ["in", "intersects"], _INTEGERS),
    ),
    _check(["fd.port"], _tails(["=", "!=", "<", ">="], ["in"], ["22", "443", "65535"])),
    _check(["len(proc.name)", "len(fd.types)"], _tails(["=", "!=", ">"], ["in"], ["0", "1", "2"])),
    _check(["proc.is_exe_writable"], _tails(["=", "!="], ["in"], ["true", "false"])),
    _check(["fd.sip", "fd.ip"], _tails(["=", "!="], ["in"], [f'"{a}"' for a in ADDRESSES])),
    _check(["fd.snet", "fd.net"], _tails(["=", "!="], ["in"], NETWORKS)),
    _check(
        ["fd.types"],
        st.just("exists") | st.builds("{} {}".format, _one(["in", "intersects"]), _several(WORDS)),
    ),
    _check(["evt.buffer"], _tails(["=", "!=", "contains", "startswith"], ["in"], ["a", "b", "ab"])),
    _check(["evt.buffer"], _one(["bcontains 6100", "bstartswith 61", "bcontains 00"])),
    st.builds(
        lambda left, op, right: f"{left} {op} val({right})",
        _one(list(TEXT_FIELDS)),
        _one(["=", "!=", "contains", "startswith", "in"]),
        _one(list(TEXT_FIELDS)),
    ),
    st.builds(lambda op: f"fd.num {op} val(proc.vpid)", _one(["=", "!=", "<", ">="])),
)

CONDITIONS: st.SearchStrategy[str] = st.recursive(
    CHECKS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: f"({' and '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: f"({' or '.join(parts)})"),
        inner.map(lambda part: f"not {part}"),
    ),
    max_leaves=12,
)
