"""Log sources, conditions, and what is left out: which rules run, on which events."""

import pytest

from falcotrace.sigma.convert import Ending
from sigma_by_hand import AUDIT, CONNECTION, FILE, PROCESS, condition, convert, holds

EXECUTED = {"evt.type": "execve", "evt.rawres": 0, "evt.failed": False}


def started(*argv: str, **fields: object) -> dict[str, object]:
    """The start of a program as Falco sees it."""
    return {
        **EXECUTED,
        "proc.exe": argv[0],
        "proc.exeline": f"{argv[0]} {' '.join(argv[1:])}",
        "proc.cmdnargs": len(argv) - 1,
        **{f"proc.args[{place}]": text for place, text in enumerate(argv[1:])},
        **{f"proc.args[{place}]": "" for place in range(len(argv) - 1, 8)},
        **fields,
    }


CONDITIONS = [
    ("a and b", [3]),
    ("a or b", [1, 2, 3]),
    ("not a", [0, 2]),
    ("a and not b", [1]),
    ("a or b and not a", [1, 2, 3]),
    ("(a or b) and not a", [2]),
    ("1 of them", [1, 2, 3]),
    ("any of them", [1, 2, 3]),
    ("all of them", [3]),
    ("not 1 of them", [0]),
    ("1 of a*", [1, 3]),
    ("not all of them", [0, 1, 2]),
]


@pytest.mark.parametrize(("text", "matching"), CONDITIONS)
def test_conditions(text: str, matching: list[int]) -> None:
    """Operators, precedence and `1 of`, `all of` mean what the specification says."""
    events = [
        started("x", **{"proc.exepath": name, "proc.pexepath": parent})
        for parent in ("no", "b")
        for name in ("no", "a")
    ]
    detection = f"a: {{Image: a}}, b: {{ParentImage: b}}, condition: '{text}'"
    found = holds(detection, events)
    assert [place for place, is_found in enumerate(found) if is_found] == matching


def test_a_list_of_mappings_is_any_of_them() -> None:
    """Items of a mapping stand under `and`, mappings of a list under `or`."""
    detection = "a: [{Image: a, User: root}, {Image: b}], condition: a"
    events = [
        started("x", **{"proc.exepath": image, "user.name": user})
        for image, user in [("a", "root"), ("a", "x"), ("b", "x"), ("c", "root")]
    ]
    assert holds(detection, events) == [True, False, True, False]


def test_several_conditions_are_alternatives() -> None:
    """A list of conditions holds where one of them does."""
    detection = "a: {Image: a}, b: {Image: b}, condition: [a, b]"
    events = [started("x", **{"proc.exepath": image}) for image in ("a", "b", "c")]
    assert holds(detection, events) == [True, True, False]


def test_an_unknown_user_is_no_value() -> None:
    """Where Falco shows <NA> for a user, Sigma sees none."""
    events = [started("x", **{"user.name": name}) for name in ("root", "<NA>")]
    assert holds("a: {User: null}, condition: a", events) == [False, True]
    assert holds("a: {User|contains: a}, condition: a", events) == [False, False]
    assert holds("a: {User: '*'}, condition: a", events) == [True, False]


@pytest.mark.parametrize(
    ("log_source", "reason"),
    [
        ("{product: windows, category: process_creation}", "about windows"),
        ("{product: linux, service: sshd}", "`sshd`"),
        ("{product: linux, category: dns_query}", "`dns_query`"),
        ("{product: linux}", "messages of any log"),
        ("{product: linux, category: process_creation, service: x}", "`x`"),
    ],
)
def test_other_log_sources_do_not_run(log_source: str, reason: str) -> None:
    """A rule about something that captures do not hold says so."""
    converted = convert("a: {Image: a}, condition: a", log_source)
    assert converted.ending is Ending.NOT_RUN
    assert reason in converted.reasons[0]


def test_a_rule_for_every_product_runs() -> None:
    """A category without a product is Linux's, too."""
    assert convert("a: {Image: a}, condition: a", "{category: process_creation}").condition


PARTS = [
    # what is left out of a rule about an unknown field U and a known one K
    ("a or u", Ending.IN_PART),
    ("a and u", Ending.NOT_RUN),
    ("u", Ending.NOT_RUN),
    ("not u", Ending.NOT_RUN),
    ("a and not u", Ending.NOT_RUN),
    ("a and not (b and u)", Ending.IN_PART),
    ("a and (b or u)", Ending.IN_PART),
    ("a and not (b or u)", Ending.NOT_RUN),
    ("(a and u) or b", Ending.IN_PART),
]


@pytest.mark.parametrize(("text", "ending"), PARTS)
def test_leaving_out_never_widens(text: str, ending: Ending) -> None:
    """An alternative may be left out; a part under `and`, or one that excludes, may not."""
    detection = f"a: {{Image: a}}, b: {{User: b}}, u: {{Hashes|contains: x}}, condition: '{text}'"
    converted = convert(detection)
    assert converted.ending is ending
    assert converted.reasons == ("`Hashes` needs the file's contents",)


def test_what_only_the_unknown_part_could_tell_is_left_out() -> None:
    """Events that `not (known and unknown)` might exclude are not alerted."""
    detection = "a: {Image: a}, f: {User: b, Hashes|contains: x}, condition: a and not f"
    events = [started("x", **{"proc.exepath": "a", "user.name": user}) for user in "bc"]
    assert holds(detection, events) == [False, True]


def test_arguments_of_programs() -> None:
    """`a0` is the program's name, `a1` its first argument; a missing one is no value."""
    events = [started("tar"), started("Tar", "-czf", "x"), started("tar", "x", "-c"), started("t")]
    both = "a: {type: EXECVE, a0: tar, a1|contains: '-c'}, condition: a"
    assert holds(both, events, AUDIT) == [False, True, False, False]
    assert holds("a: {type: EXECVE, a1: null}, condition: a", events, AUDIT) == [
        True,
        *[False] * 2,
        True,
    ]
    assert holds("a: {type: EXECVE, a2: '*'}, condition: a", events, AUDIT) == [
        False,
        True,
        True,
        False,
    ]
    assert holds("a: {type: EXECVE, a1: ''}, condition: a", [*events, started("t", "")], AUDIT) == [
        *[False] * 4,
        True,
    ]


@pytest.mark.parametrize(
    ("item", "matching"),
    [
        ("auid: 4294967295", [-1]),
        ("auid|neq: 4294967295", [0, 1000, 2000]),
        ("auid|gte: 1000", [-1, 1000, 2000]),
        ("auid|lt: 1000", [0]),
    ],
)
def test_an_unset_login_is_the_largest_number(item: str, matching: list[int]) -> None:
    """Auditd writes 4294967295 where nobody logged in, Falco -1."""
    logins = [-1, 0, 1000, 2000]
    events = [started("x", **{"user.loginuid": login}) for login in logins]
    found = holds(f"a: {{type: EXECVE, {item}}}, condition: a", events, AUDIT)
    assert [each for each, is_found in zip(logins, found, strict=True) if is_found] == matching


def test_words_of_executed_programs() -> None:
    """Words without a field are looked for in the arguments of the record."""
    events = [started("grep", "-r", "Password"), started("grep", "x"), started("x", "password")]
    detection = "a: {type: EXECVE}, k: {'|all': [grep, password]}, condition: a and k"
    assert holds(detection, events, AUDIT) == [True, False, False]


def test_calls_by_name() -> None:
    """A system call of SYSCALL records is the event's type, in any case, with wildcards."""
    assert (
        condition("a: {type: SYSCALL, SYSCALL: MKNOD}, condition: a", AUDIT) == "evt.type = mknod"
    )
    found = condition("a: {type: SYSCALL, SYSCALL|startswith: memfd}, condition: a", AUDIT)
    assert found == "evt.type in (memfd_create, memfd_secret)"


def test_calls_that_nobody_names_are_starts() -> None:
    """A SYSCALL rule without a call's name is asked when programs start, and says so."""
    converted = convert("a: {type: SYSCALL, comm: split}, condition: a", AUDIT)
    assert converted.ending is Ending.IN_PART
    assert "execve" in converted.reasons[0]
    assert "evt.type in (execve, execveat)" in condition(
        "a: {type: SYSCALL, comm: split}, condition: a", AUDIT
    )


PATH_EVENTS: list[dict[str, object]] = [
    {"evt.type": "openat", "evt.res": "SUCCESS", "evt.rawres": 3, "fs.path.name": "/etc/x"},
    {"evt.type": "openat", "evt.res": "ENOENT", "evt.rawres": -2, "fs.path.name": "/etc/x"},
    {"evt.type": "openat", "evt.res": "EACCES", "evt.rawres": -13, "fs.path.name": "/etc/x"},
    {
        "evt.type": "rename",
        "evt.res": "SUCCESS",
        "fs.path.source": "/a",
        "fs.path.target": "/etc/x",
    },
    {
        "evt.type": "rename",
        "evt.res": "SUCCESS",
        "fs.path.source": "/etc/x",
        "fs.path.target": "/a",
    },
    {"evt.type": "unlink", "evt.res": "SUCCESS", "evt.rawres": 0, "fs.path.name": "/etc/x"},
    {**EXECUTED, "proc.exepath": "/etc/x"},
    {"evt.type": "read", "evt.res": "SUCCESS", "fd.name": "/etc/x"},
]


@pytest.mark.parametrize(
    ("item", "matching"),
    [
        ("name: /etc/x", [0, 2, 3, 4, 5, 6]),
        ("name: /etc/x, nametype: DELETE", [4, 5]),
        ("name: /etc/x, nametype: CREATE", [3]),
        ("name: /etc/x, success: 'yes'", [0, 3, 4, 5, 6]),
    ],
)
def test_paths(item: str, matching: list[int]) -> None:
    """PATH records are about each path of a call, and about what it does to it."""
    events = [{**event, "evt.failed": event.get("evt.rawres", 0) < 0} for event in PATH_EVENTS]  # type: ignore[operator]
    found = holds(f"a: {{type: PATH, {item}}}, condition: a", events, AUDIT)
    assert [place for place, is_found in enumerate(found) if is_found] == matching


def test_paths_of_a_call_are_apart() -> None:
    """What excludes one path of a rename does not exclude the other."""
    event = {
        "evt.type": "rename",
        "evt.rawres": 0,
        "fs.path.source": "/.a",
        "fs.path.target": "/.b/x",
    }
    detection = (
        "a: {type: PATH, name|contains: /.}, f: {name|contains: /.b/}, condition: a and not f"
    )
    assert holds(detection, [event], AUDIT) == [True]


def test_kinds_of_records_are_put_together() -> None:
    """A rule about two kinds of records holds for either; a foreign kind is left out and named."""
    detection = (
        "a: {type: EXECVE, a0: x}, b: {type: SYSCALL, SYSCALL: mknod}, c: {type: ADD_USER}, "
        "condition: 1 of them"
    )
    converted = convert(detection, AUDIT)
    assert converted.ending is Ending.IN_PART
    assert converted.reasons == ("type ADD_USER is written by programs, not by a system call",)
    assert holds(detection, [started("x"), {"evt.type": "mknod"}], AUDIT) == [True, True]


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        ("a: {key: x}, condition: a", "audit rule"),
        ("a: {type: SYSCALL, SYSCALL: syslog, a0: 4}, condition: a", "register"),
        ("a: {type: SERVICE_STOP, unit: x}, condition: a", "SERVICE_STOP"),
        ("a: {type: EXECVE, name: /etc}, condition: a", "no event has all"),
        ("a: {type: SYSCALL, SYSCALL: nothing}, condition: a", "names no system call"),
    ],
)
def test_audit_rules_that_do_not_run(detection: str, reason: str) -> None:
    """What auditd knows and captures do not is the reason."""
    converted = convert(detection, AUDIT)
    assert converted.ending is Ending.NOT_RUN
    assert reason in "; ".join(converted.reasons)


FILES: list[dict[str, object]] = [
    {"evt.type": "openat", "evt.arg.flags": "O_CREAT|O_WRONLY"},
    {"evt.type": "open", "evt.arg.flags": "O_TRUNC|O_WRONLY"},
    {"evt.type": "openat2", "evt.arg.flags": "O_RDONLY"},
    {"evt.type": "creat"},
    {"evt.type": "openat", "evt.arg.flags": "O_CREAT|O_WRONLY", "evt.rawres": -13},
    {"evt.type": "openat", "evt.arg.flags": "O_CREAT|O_WRONLY", "fd.typechar": "d"},
    {"evt.type": "write"},
]


def test_files_that_are_made_or_overwritten() -> None:
    """`file_event` is about files that are created or emptied, not about reading."""
    events = [{"evt.rawres": 3, "fd.typechar": "f", "fd.name": "/tmp/X", **each} for each in FILES]
    found = holds("a: {TargetFilename|startswith: /tmp/}, condition: a", events, FILE)
    assert found == [True, True, False, True, False, False, False]


CONNECTIONS: list[dict[str, object]] = [
    {"evt.type": "connect", "evt.rawres": 0},
    {"evt.type": "connect", "evt.rawres": -115, "evt.res": "EINPROGRESS"},
    {"evt.type": "connect", "evt.rawres": -111, "evt.res": "ECONNREFUSED"},
    {"evt.type": "accept4", "evt.rawres": 5},
    {"evt.type": "connect", "evt.rawres": 0, "fd.typechar": "u"},
    {"evt.type": "connect", "evt.rawres": 0, "fd.sport": 0},
]


@pytest.mark.parametrize(
    ("item", "matching"),
    [
        ("DestinationPort: 4444", [0, 1, 3]),
        ("Initiated: 'true'", [0, 1]),
        ("Initiated: false", [3]),
    ],
)
def test_connections(item: str, matching: list[int]) -> None:
    """`network_connection` is a connection that was made or accepted over TCP or UDP."""
    base = {"fd.typechar": "4", "fd.l4proto": "tcp", "fd.sport": 4444}
    found = holds(f"a: {{{item}}}, condition: a", [{**base, **e} for e in CONNECTIONS], CONNECTION)
    assert [place for place, is_found in enumerate(found) if is_found] == matching


def test_what_comes_near_is_noted() -> None:
    """A field that is read otherwise than Sigma means is named in a note."""
    converted = convert("a: {ParentCommandLine|contains: x}, condition: a", PROCESS)
    assert converted.ending is Ending.RUN
    assert "ParentCommandLine" in converted.notes[0]
