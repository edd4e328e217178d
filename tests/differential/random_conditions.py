"""Random events and random conditions over every field, for tests that compare engines.

Events hold few distinct values, so that conditions are sometimes true: missing values, bytes that
are no UTF-8, both ends of connections, empty and long lists, numbers at the limits.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence

from differential.rows import Row, with_bytes
from falcotrace.events.columns import COLUMNS, Column, params_by_name
from falcotrace.events.event_types import current_events
from falcotrace.events.fields import FIELDS, Field, FieldType, Storage
from falcotrace.events.operators import (
    OPERATOR_RULES,
    Multiplicity,
    Operator,
    Quantifier,
    ValueKind,
    is_allowed,
    kind_of,
)
from falcotrace.events.text import to_text
from falcotrace.rules.faults import Fault
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.plan import FieldOperand

_TEXTS = [
    *(b"", b"cat", b"CAT", b"bash", b"/etc/passwd", b"/etc/", b"/etc//ssh/sshd_config", b"/", b"x"),
    *(b"/home/a/.ssh/id_rsa", b"a\nb", b"aGVsbG8=", b"aGVsbG8", b"*", b"[x]", b"10", b"5", b"-1"),
    *(b"FOO=bar", b"FOO= b ", b"a:b,c:d", b"cpu=/x mem=/y", b"O_RDONLY|O_CREAT", b"ENOENT"),
    *(
        "größe".encode(),
        "é".encode(),
        b"\xff",
        b"gr\xc3\xb6\xdfe",
        b"\xe2\x82",
        b"a\xffb",
        b"%_\\ ",
    ),
    *(b"host", b"SUCCESS", b"/a/./b/../c", b"../x", "KELVIN \u212a".encode(), b'it\'s "q"'),
]
_NUMBERS = [
    0,
    1,
    2,
    3,
    5,
    7,
    22,
    53,
    80,
    443,
    1000,
    4096,
    33188,
    65535,
    1 << 31,
    (1 << 32) - 1,
    -1,
    -2,
]
_ADDRESSES = ["10.0.0.1", "192.168.1.7", "127.0.0.1", "8.8.8.8", "::1", "fe80::1", "2001:db8::5"]
_NETWORKS = [
    *("10.0.0.0/8", "192.168.0.0/16", "127.0.0.0/8", "0.0.0.0/0", "8.8.8.8/32"),
    *("::1/128", "fe80::/10"),
]
_FD_TYPES = ["file", "directory", "ipv4", "ipv6", "unix", "pipe", "memfd", "odd"]
_EVENT_TYPES = [
    *("open", "openat", "openat2", "creat", "open_by_handle_at", "execve", "connect", "accept4"),
    *("read", "write", "sendto", "recvfrom", "mmap", "rename", "renameat", "linkat", "unlinkat"),
    *("procexit", "switch", "signaldeliver", "procinfo", "container", "swapon", "dup", "close"),
    *("mkdirat", "symlinkat", "fchmodat", "ptrace", "socket", "setuid", "chmod", "mount", "poll"),
]


def random_events(rng: random.Random, count: int) -> list[Row]:
    """Make events; a column has a value in some of them."""
    used = [column for column in COLUMNS.values() if not column.path.startswith("evt.arg")]
    rows = []
    for _ in range(count):
        kind = rng.choice(_EVENT_TYPES)
        row: Row = {"evt.type": kind}
        for column in used:
            if column.path in {"evt.num", "evt.type", "proc.key"} or rng.random() < 0.3:
                continue
            row[column.path] = random_value(rng, column)
        event = current_events().get(kind)
        for param in event.params if event else ():
            for path in (f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"):
                if path in COLUMNS and rng.random() < 0.8:
                    row[path] = random_value(rng, COLUMNS[path])
        rows.append(with_bytes(row))
    return rows


def random_value(rng: random.Random, column: Column) -> object:
    """A value of a column."""
    path = column.path
    if path == "evt.time":
        return 1_700_000_000_000_000_000 + rng.choice([0, 1, 999_999_999, 86_400_000_000_000])
    if f"{path}_bytes" in COLUMNS:
        return rng.choice(_ADDRESSES)
    if path in {"fd.type", "proc.stdin.type", "proc.stdout.type", "proc.stderr.type"}:
        return rng.choice(_FD_TYPES)
    if path == "fd.types":
        return rng.sample(_FD_TYPES, rng.randint(0, 3))
    if path.endswith(("port", "port_left", "port_right")):
        return rng.choice([22, 53, 80, 443, 9, 40000, 65535])
    match column.type:
        case "string":
            return to_text(rng.choice(_TEXTS))
        case "binary":
            return rng.choice([*_TEXTS, b"\x00abc", b"\x80\x00\xff", b"GET / HTTP"])
        case "bool":
            return rng.random() < 0.5
        case "list<string>":
            return [to_text(rng.choice(_TEXTS)) for _ in range(rng.randint(0, 4))]
        case "list<int64>":
            return [rng.choice(_NUMBERS) for _ in range(rng.randint(0, 4))]
        case "uint64":
            return rng.choice([abs(number) for number in _NUMBERS] + [(1 << 64) - 1])
        case "int32":
            return rng.choice([number for number in _NUMBERS if number < 1 << 31])
        case _:
            return rng.choice(_NUMBERS)


_ARGUMENTS: Mapping[str, Callable[[random.Random], str]] = {
    "evt.arg": lambda rng: rng.choice(
        [f".{rng.choice(sorted(params_by_name()))}", f"[{rng.randint(0, 4)}]", ".flags", ".path"]
    ),
    "evt.rawarg": lambda rng: f".{rng.choice(sorted(params_by_name()))}",
    "evt.type.is": lambda rng: f".{rng.choice(_EVENT_TYPES)}",
    "evt.around": lambda _: "[1700000000000000005]",
    "thread.cgroup": lambda rng: rng.choice([".cpu", ".mem"]),
    "container.label": lambda rng: rng.choice([".a", "[c]"]),
    "k8s.pod.label": lambda rng: rng.choice([".a", "[c]"]),
}
_OPTIONAL: Mapping[str, Callable[[random.Random], str]] = {
    "evt.abspath": lambda rng: rng.choice(["", ".src", ".dst"]),
    "proc.args": lambda rng: rng.choice(["", "[0]", "[2]"]),
    "proc.env": lambda rng: rng.choice(["", "[NO]"]),
}
_ANCESTORS = frozenset({"proc.aname", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.apid"})
_SUPPORTED = frozenset(
    {Storage.COLUMN, Storage.DERIVED, Storage.BOTH_ENDS, Storage.SAME, Storage.CONSTANT}
    | {Storage.CAPTURE, Storage.NEVER}
)


def usable_fields() -> list[Field]:
    """Fields that a condition can ask of a capture."""
    return [
        field
        for field in FIELDS.values()
        if (
            field.storage in _SUPPORTED
            and field.usable_in in {"both", "filter"}
            and field.name not in {"evt.type", "syscall.type"}
            and "required" not in field.argument
        )
        or field.name in _ARGUMENTS
        or field.name.startswith("container.mount")
    ]


def reference(rng: random.Random, field: Field) -> str:
    """A field as a rule spells it, with an argument where it takes one."""
    if field.name in _ARGUMENTS:
        return field.name + _ARGUMENTS[field.name](rng)
    if field.name in _OPTIONAL:
        return field.name + _OPTIONAL[field.name](rng)
    if field.name in _ANCESTORS:
        return field.name + rng.choice(["", "[0]", "[1]", "[2]", "[7]"])
    if field.name.startswith("container.mount") and field.argument:
        return field.name + rng.choice(["[0]", "[1]", "[/etc*]", "[*]", "[cat]"])
    return field.name


class Conditions:
    """Makes random conditions.

    Args:
        rng: where chance comes from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._fields = usable_fields()

    def condition(self, depth: int = 2) -> str:
        """A condition of a few checks."""
        choice = self._rng.random()
        if depth == 0 or choice < 0.3:
            return self.check()
        if choice < 0.5:
            return f"not ({self.condition(depth - 1)})"
        operator = self._rng.choice([" and ", " or "])
        parts = [f"({self.condition(depth - 1)})" for _ in range(self._rng.randint(2, 3))]
        return operator.join(parts)

    def check(self) -> str:
        """One comparison."""
        rng = self._rng
        if rng.random() < 0.15:
            names = rng.sample(_EVENT_TYPES, rng.randint(1, 4))
            field = rng.choice(["evt.type", "evt.type", "syscall.type"])
            if rng.random() < 0.3:
                return f"{field} {rng.choice(['=', '!=', 'startswith'])} {names[0]}"
            return f"{field} in ({', '.join(names)})"
        while True:
            operand = self._operand()
            if operand is not None:
                return self._comparison(*operand)

    def _operand(self) -> tuple[str, FieldType, Multiplicity] | None:
        text = reference(self._rng, self._rng.choice(self._fields))
        name, bracket, argument = text.partition("[")
        try:
            field = find_field(name, argument.removesuffix("]") if bracket else None)
        except Fault:
            return None
        if field.field.name == "evt.around":
            return text, field.type, field.multiplicity
        if field.type in {FieldType.MIXED, FieldType.DYNAMIC}:
            return None
        if self._rng.random() < 0.15 and self._can_transform(field):
            return self._transformed(text, field)
        return text, field.type, field.multiplicity

    def _can_transform(self, field: FieldOperand) -> bool:
        return (
            "no_transformer" not in field.field.restrictions
            and kind_of(field.type) is ValueKind.TEXT
            and field.multiplicity is Multiplicity.SINGLE
        )

    def _transformed(self, text: str, field: FieldOperand) -> tuple[str, FieldType, Multiplicity]:
        function = self._rng.choice(["tolower", "toupper", "basename", "b64", "len", "concat"])
        if function == "len":
            return f"len({text})", FieldType.UINT64, Multiplicity.SINGLE
        if function == "concat":
            return f'concat({text}, "-", {text})', field.type, Multiplicity.SINGLE
        return f"{function}({text})", field.type, Multiplicity.SINGLE

    def _comparison(self, text: str, field_type: FieldType, multiplicity: Multiplicity) -> str:
        rng = self._rng
        if text.startswith("evt.around"):
            return f"{text} = {rng.choice([0, 1, 1000, 86400000])}"
        kind = kind_of(field_type)
        allowed = [op for op in OPERATOR_RULES if is_allowed(op, kind, multiplicity)]
        operator = rng.choice(allowed)
        if operator is Operator.EXISTS:
            return f"{text} exists"
        if operator in {Operator.IN, Operator.INTERSECTS, Operator.PMATCH}:
            return f"{text} {operator} ({self._list(field_type, operator)})"
        quantifiable = operator not in {
            *(Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL)
        }
        if quantifiable and rng.random() < 0.1:
            values = self._list(field_type, operator)
            return f"{text} {operator} {rng.choice(list(Quantifier))} ({values})"
        return f"{text} {operator} {self._literal(field_type, operator)}"

    def _list(self, field_type: FieldType, operator: Operator) -> str:
        size = self._rng.choice([0, 1, 1, 2, 3, 4])
        return ", ".join(self._literal(field_type, operator) for _ in range(size))

    def _literal(self, field_type: FieldType, operator: Operator) -> str:
        rng = self._rng
        match kind_of(field_type):
            case ValueKind.NUMBER:
                # A port is no negative number.
                number = rng.choice(_NUMBERS)
                return str(abs(number) if field_type is FieldType.PORT else number)
            case ValueKind.BOOL:
                return rng.choice(["true", "false"])
            case ValueKind.ADDRESS:
                return rng.choice(_ADDRESSES)
            case ValueKind.NETWORK:
                return rng.choice(_NETWORKS)
            case ValueKind.TEXT | ValueKind.BYTES:
                return self._text(operator)

    def _text(self, operator: Operator) -> str:
        rng = self._rng
        if operator in {Operator.BCONTAINS, Operator.BSTARTSWITH}:
            return rng.choice(['""', "61", "ff", "0061", "2f", "474554"])
        if operator in {
            Operator.LESS,
            Operator.LESS_EQUAL,
            Operator.GREATER,
            Operator.GREATER_EQUAL,
        }:
            return str(rng.choice(_NUMBERS))
        if operator in {Operator.GLOB, Operator.IGLOB}:
            return _quoted(rng.choice(_GLOBS))
        if operator is Operator.REGEX:
            return _quoted(rng.choice(_REGEXES))
        if operator is Operator.PMATCH:
            return _quoted(rng.choice(_PREFIXES))
        raw = rng.choice([*_TEXTS, *_FD_TEXTS])
        if operator not in {Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN} and rng.random() < 0.7:
            text = raw.decode(errors="ignore")
            start = rng.randint(0, len(text))
            raw = text[start : start + rng.randint(0, 5)].rstrip("\\").encode()
        return _quoted(raw)


_FD_TEXTS = [
    name.encode() for name in (*_FD_TYPES, "<", ">", "f", "o", "ip", "net", "unknown", "4")
]
_GLOBS = [
    *(
        b"*",
        b"/etc/*",
        b"*a*",
        b"?",
        b"c?t",
        b"[a-z]*",
        b"[!a-z]*",
        b"*[[:digit:]]",
        b"a?b",
        b"gr*",
    ),
    *(
        b"\\\\*",
        b"[[]x]",
        b"*_*",
        b"%*",
        b"C*",
        b"*ETC*",
        b"[X]*",
        b"",
        b"*s*h*",
        b"[]-a]*",
        b"[z-a]",
    ),
]
_REGEXES = [
    *(b".*", b"/etc/.*", b"[a-z]+", b"c(a|b)+t?", b"a.b", b"^cat$", b".*\\\\.ssh.*", b"[^/]*", b""),
    *(b"(/[^/]*)*", b"a+?.*", b"[[:alpha:]]*", b".{3}", b"[^a]*b", b"a(^b|\\n^b)", b"gr.+e"),
]
_PREFIXES = [
    *(b"/", b"/etc", b"etc/", b"/home/*/.ssh", b"/etc/ssh", b"//etc//ssh//", b"/e?c", b"cat"),
    *(b"/[a-e]tc", b"/a/*/b", b"", b"/h*/a", b"/home/*a*"),
]


def _quoted(raw: bytes) -> str:
    """A literal in quotes; bytes that are no ASCII are spelled."""
    pieces = []
    for byte in raw:
        char = chr(byte)
        if char in '"\\' and not raw.count(b"\\\\"):
            pieces.append("\\" + char)
        elif 0x20 <= byte < 0x7F:
            pieces.append(char)
        else:
            pieces.append(f"\\x{byte:02x}")
    return '"' + "".join(pieces) + '"'


def rules_text(conditions: Sequence[str]) -> str:
    """A rules file with one rule for each condition, named by its place."""
    return "\n".join(
        f"- {{rule: r{number}, desc: x, output: x, priority: INFO, condition: {json.dumps(text)}}}"
        for number, text in enumerate(conditions)
    )
