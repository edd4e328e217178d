"""What may be in the captures that ship: of each, the words of its tale and no others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.footer import encode_footer
from falcotrace.capture.reader import Capture
from falcotrace.events.columns import COLUMNS

CAPTURES = Path(__file__).parents[1] / "captures"
DEBIAN_WORDS = Path(__file__).with_name("debian_words.txt")
"""Words of Debian's programs, of files that they look for and of variables that they set."""

TEMPORARY = re.compile(
    r"(?<=/\.git/t)\w{6}\b|(?<=tmp_obj_)\w{6}\b|(?<=/tmp/cc)\w{6}\b|(?<=dpkg-deb\.)\w{6}\b"
    r"|(?<=/sed)\w{6}\b|(?<=/Cu)\w{6}\b"
)
"""Parts of names that programs draw."""

BUFFERS = ("evt.buffer", "evt.arg.data")
"""What went through sockets: bytes, in which anything may look like a word."""


@dataclass(frozen=True)
class Tale:
    """What a capture is about.

    Attributes:
        hostname: of the host; `users` has its users.
        programs: names of processes.
        addresses: everybody's.
        folders: a pattern for where absolute paths may begin.
        words: further words which may occur, beside those of the captures' makers.
    """

    hostname: str
    users: tuple[str, ...]
    programs: frozenset[str]
    addresses: frozenset[str]
    folders: re.Pattern[str]
    words: str


FIRST_LIGHT = Tale(
    hostname="web-1",
    users=("root", "ops"),
    programs=frozenset(
        {"backup", "bash", "busybox", "cat", "chmod", "cp", "crond", "gzip", "hostname", "id"}
        | {"init", "kworker", "lighttpd", "ln", "login", "ls", "memfd:x", "mkdir", "sh", "status"}
        | {"tar", "wc", "wget"}
    ),
    addresses=frozenset(
        {"127.0.0.1", "0.0.0.0", "172.17.0.2", "198.51.100.7", "198.51.100.23", "203.0.113.66"}
        | {"127.0.1.1"}
    ),
    folders=re.compile(
        r"/(\.init_enable_core|SRV|bin|cgi-bin|data|dev|docker|etc|home/ops|kworker|lib|memfd"
        r"|prices\.html|proc/self|robots\.bak|root|run|sbin|srv|tcp|tmp/\.x|usr|var)?(/|$)"
    ),
    # Files that the C library, bash, busybox and lighttpd look for on any Debian; their
    # environments; control groups and texts of special numbers.
    words="""
    bash_history bash_logout bashrc glibc gnu gzip hushlogin hwcaps init_enable_core inputrc libc
    libnettle libpcre2 libxxhash localtime nologin nscd nsswitch preload profile security share
    terminfo tls utmp utmpx wtmp wtmpx x86_64 SRV WWW

    CGI CONTENT_LENGTH DOCUMENT_ROOT GATEWAY_INTERFACE HTTP_ACCEPT_ENCODING HTTP_HOST LOGNAME PWD
    REDIRECT_STATUS REMOTE_ADDR REMOTE_PORT REQUEST_METHOD REQUEST_SCHEME REQUEST_URI SHELL SHLVL
    SCRIPT_FILENAME SCRIPT_NAME SERVER_ADDR SERVER_NAME SERVER_PROTOCOL SERVER_SOFTWARE TERM USER
    vt102

    cpuset devices freezer hugetlb net_cls net_prio perf_event AT_FDCWD NONE
    a81f0c3d9b267e5f4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6
    """,
)

INTRUSION = Tale(
    hostname="app-1",
    users=("root", "ops"),
    programs=frozenset(
        {"as", "base64", "basename", "bash", "cat", "cc1", "chmod", "cleanup", "collect2", "cp"}
        | {"cron", "dpkg", "dpkg-deb", "dpkg-split", "find", "gcc", "git", "grep", "gzip", "head"}
        | {"id", "init", "job", "ld", "login", "ls", "make", "mkdir", "ps", "python3", "rm"}
        | {"runner", "sh", "sort", "start", "tail", "tar", "thumbs-f1ca20", "tool", "uname"}
        | {"uniq", "uptime", "wc"}
    ),
    addresses=frozenset(
        {"0.0.0.0", "172.18.0.1", "172.18.0.2", "198.51.100.110", "198.51.100.120"}
        | {"198.51.100.7", "198.51.100.23", "198.51.100.41", "203.0.113.126"}
        | {"127.0.0.1", "127.0.1.1"}
    ),
    folders=re.compile(
        r"/(\.init_enable_core|\.local/lib|bin|dev/(log|null|shm|tty1?|urandom)|docker/c7e21b9a4d60"
        r"|etc(\.dpkg-tmp)?|home/ops|lib|lib64|opt/runner|proc|root|sbin|srv|srv/(build|orders)"
        r"|sys/devices|tmp|tmp/cc|tmp/dpkg-deb\.|usr|usr\.dpkg-tmp"
        r"|usr/(bin|gnu|include|lib|local|sbin|share|x86_64-linux-gnu)"
        r"|var/(backups|lib/dpkg|log|run))?(?![\w-])|/tmp/cc\w{6}\.|/usr/(local\.dpkg-tmp|pyvenv\.cfg)"
        r"|/lib/\.|/etc/cron\.d\.dpkg-tmp|/docker/c7e21b9a4d60\w+$"
    ),
    words=DEBIAN_WORDS.read_text(),
)
SHOP_NETWORK = Tale(
    hostname="web-1",
    users=("root", "ops"),
    programs=frozenset(
        {"dnsd", "exe", "httpd", "init", "ip", "nc", "sh", "sleep", "timeout", "wget"}
    ),
    addresses=frozenset({"0.0.0.0", "127.0.0.1"}),
    folders=re.compile(
        r"/(bin|dev|etc|home/ops|orders|proc/self|root|s?bin|srv|usr|var/run)?(/|$)"
    ),
    # What busybox's programs say to each other.
    words=DEBIAN_WORDS.read_text()
    + """
    BODY ERESTARTSYS ETag Found HTML Last Modified Ranges SIGKILL SIGTERM TITLE URL Wget requested
    s_client servername
    """,
)

SCRIPTS = CAPTURES / "make/tactics"
TACTIC_WORDS = Path(__file__).with_name("tactic_words")
"""For each tactic a file with words of Debian's programs, of files that they look for and so on."""


def _words_of_the_scripts() -> frozenset[str]:
    """Whatever a tactic's files name can be a program there."""
    scripts = [path for path in SCRIPTS.rglob("*") if path.suffix in (".sh", ".py", ".c")]
    named = re.findall(r"[\w.:+\[-]*[\w\]]", "\n".join(path.read_text() for path in scripts))
    listed = [path.read_text() for path in sorted(TACTIC_WORDS.glob("*.txt"))]
    return frozenset({*named, *"\n".join(listed).split()})


TACTIC = Tale(
    hostname="host-1",
    users=("root", "www-data", "ops"),
    programs=_words_of_the_scripts(),
    addresses=frozenset(
        {"0.0.0.0", "127.0.0.1", "127.0.0.53", "127.0.1.1", "169.254.169.254"}
        | {"172.18.0.1", "172.18.0.2", "192.0.2.1", "192.0.2.10"}
        | {"198.51.100.7", "198.51.100.110", "203.0.113.66", "203.0.113.80"}
        | {"1.7.4.4"}  # the version that socat tells
    ),
    folders=re.compile(
        r"/(\.|bin|boot|cgi-bin|data|dev|docker/(b3f8a1d27c60|e94c07b5f1a2)|etc|HEAD|home/(clerk|ops)"
        r"|host/etc|index\.html|lib|lib64|media|mnt|nonexistent|opt/(at|logrotate|packages|tactic)|proc"
        r"|pyvenv\.cfg|root|run|sbin|srv|sys|tmp|tool\.git|u|usr|var|VAR/WWW)?(?![\w-])"
        r"|/docker/(b3f8a1d27c60|e94c07b5f1a2)\w+$|/home/?$|/opt/?$"
    ),
    words=DEBIAN_WORDS.read_text()
    + "\n".join(path.read_text() for path in sorted(TACTIC_WORDS.glob("*.txt"))),
)
"""All tactics are played on the same machines (`captures/make/tactics/stage.py`)."""

BENIGN_WORDS, BENIGN_PROGRAMS = (
    Path(__file__).with_name(f"benign_{kind}.txt") for kind in ("words", "programs")
)
BENIGN = Tale(
    hostname="web-1",
    users=(
        *("root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp"),
        *("proxy", "www-data", "backup", "list", "irc", "_apt", "nobody", "systemd-network"),
        *("messagebus", "sshd", "ops", "dev"),
    ),
    programs=frozenset(BENIGN_PROGRAMS.read_text().splitlines()),
    addresses=frozenset({"0.0.0.0", "127.0.0.1", "192.0.2.20", "198.51.100.7"}),
    folders=re.compile(
        r"/(CN|bin|dev|etc(\.dpkg-tmp)?|fastboot|force(fsck|quotacheck)|fusectl|home/(dev|ops)"
        r"|hugetlbfs|lib(\.dpkg-tmp)?|lib64|nonexistent|org/freedesktop|proc|ramfs|root|run|sbin|srv"
        r"|sys|sysroot|sysusr|tmp|tmpfs|usr(\.dpkg-tmp)?|var|web-1/payload)?(?![\w-])|/home/?$"
    ),
    words=DEBIAN_WORDS.read_text() + BENIGN_WORDS.read_text(),
)
"""A whole Debian is booted there, so the words are many: all of them are its packages'."""

TALES = {
    "benign.parquet": BENIGN,
    **{f"{script.stem}.parquet": TACTIC for script in SCRIPTS.glob("*.sh")},
    "shop_network.parquet": SHOP_NETWORK,
    "first_light.parquet": FIRST_LIGHT,
    "intrusion.parquet": INTRUSION,
    "ordinary.parquet": INTRUSION,
}


def texts_of(capture: Capture) -> dict[str, set[str]]:
    """Every distinct text by column; buffers decoded, process tables and footer included."""
    found: dict[str, set[str]] = {"footer": {encode_footer(capture.footer).decode()}}
    for group in capture.row_groups:
        states = capture.process_table(group.index)
        columns = capture.read(group.index, list(COLUMNS))
        for path, array in [
            *columns.items(),
            *zip(states.column_names, states.columns, strict=True),
        ]:
            if COLUMNS[path].is_text or path.startswith("evt.arg.") or path in BUFFERS:
                found.setdefault(path, set()).update(_distinct(array))
    return found


def _distinct(array: pa.Array) -> Iterator[str]:
    values = pc.list_flatten(array) if pa.types.is_list(array.type) else array
    for value in pc.unique(values).to_pylist():
        if value is not None:
            yield value.decode("latin-1") if isinstance(value, bytes) else str(value)


def words_of(text: str) -> Iterator[str]:
    """Words of at least three letters, without numbers in hexadecimal."""
    for word in re.findall(r"\b[^\W\d]\w{2,}", TEMPORARY.sub("", text)):
        if not re.fullmatch(r"(?=.*\d)[0-9A-Fa-f]+", word):
            yield word
