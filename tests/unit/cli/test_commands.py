"""The command line: wiring, exit codes, and what it prints; the logic is tested below it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from falcotrace.capture.footer import Footer, Host
from small_captures import write_capture

ROOT = Path(__file__).parents[3]
HEAVY = ("pyarrow", "duckdb", "sqlglot", "numpy", "rich", "scapy", "yaml", "re2")

RULES = """
- rule: Secret read
  desc: someone read a secret
  condition: evt.type = openat and fd.name = /etc/shadow
  output: secret read | file=%fd.name process=%proc.name
  priority: WARNING
  tags: [host, secrets]
- rule: Anything opened
  desc: noise
  condition: evt.type = openat
  output: opened %fd.name
  priority: DEBUG
"""

EVENTS: list[dict[str, object]] = [
    {"fd.name": "/etc/shadow", "proc.name": "cat", "container.id": "host"},
    {"fd.name": "/tmp/a\x1b[2Jb", "proc.name": "vi", "container.id": "host"},
    {"evt.type": "read", "fd.name": "/etc/shadow", "proc.name": "cat"},
]


def falcotrace(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "falcotrace", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a capture and two rules."""
    path = tmp_path_factory.mktemp("cli")
    rows = [{"evt.type": "openat", **event} for event in EVENTS]
    footer = Footer(host=Host(hostname="testhost"))
    write_capture(path / "c.parquet", [rows], footer).close()
    (path / "r.yaml").write_text(RULES)
    return path


def test_help_imports_nothing_heavy() -> None:
    """`falcotrace --help` stays fast because data libraries wait."""
    code = (
        "import sys; from falcotrace.cli.app import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        f"print('IMPORTED', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "IMPORTED []" in done.stdout


def test_importing_the_package_costs_nothing() -> None:
    """Library users pay for what they use."""
    code = f"import sys, falcotrace; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_json_alerts_have_falcos_shape(folder: Path) -> None:
    """Tools that read Falco's JSON read ours."""
    done = falcotrace(
        "scan", "c.parquet", "-r", "r.yaml", "--format", "json", "--rule", "Secret*", cwd=folder
    )
    assert done.returncode == 1
    alert = json.loads(done.stdout)
    assert set(alert) == {
        *("hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time"),
    }
    assert alert["rule"] == "Secret read"
    assert alert["priority"] == "Warning"
    assert alert["tags"] == ["host", "secrets"]
    assert alert["time"].endswith("Z")
    assert alert["output"].startswith(
        alert["time"].removesuffix("Z") + "+0000: Warning secret read"
    )
    assert alert["output_fields"]["fd.name"] == "/etc/shadow"
    assert alert["output_fields"]["container.id"] == "host"
    assert "container_id=host" in alert["output"]


def test_text_alerts_are_falcos_lines(folder: Path) -> None:
    """One line for each alert: time, priority, message."""
    done = falcotrace("scan", "c.parquet", "-r", "r.yaml", "--format", "text", cwd=folder)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all("+0000: " in line for line in lines)


def test_nothing_recorded_reaches_the_terminal_raw(folder: Path) -> None:
    """Event strings are an attacker's: no escape sequence gets through in any format."""
    for name in ("table", "text", "json"):
        done = falcotrace("scan", "c.parquet", "-r", "r.yaml", "--format", name, cwd=folder)
        assert "\x1b" not in done.stdout


def test_first_match_is_falcos_rule_matching(folder: Path) -> None:
    """With --first-match one event gives one alert, of the first rule in order."""
    every = falcotrace("scan", "c.parquet", "-r", "r.yaml", "--format", "text", cwd=folder)
    first = falcotrace(
        "scan", "c.parquet", "-r", "r.yaml", "--format", "text", "--first-match", cwd=folder
    )
    assert len(every.stdout.splitlines()) == 3
    assert len(first.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "alerts"),
    [
        (["--priority", "warning"], 1),
        (["--tag", "secrets"], 1),
        (["--rule", "Anything opened"], 2),
        (["--disable", "Any*"], 1),
        (["--since", "@0.000001"], 3),
        (["--until", "@0.000002"], 2),
        (["--since", "2030-01-01"], 0),
    ],
)
def test_filters_choose_rules_and_times(folder: Path, options: list[str], alerts: int) -> None:
    """Each filter leaves exactly what it says."""
    done = falcotrace("scan", "c.parquet", "-r", "r.yaml", "--format", "text", *options, cwd=folder)
    assert len(done.stdout.splitlines()) == alerts, done.stderr


def test_summary_counts_by_rule(folder: Path) -> None:
    """--summary tells how often each rule fired, in a pipe as tab-separated lines."""
    done = falcotrace("scan", "c.parquet", "-r", "r.yaml", "--summary", cwd=folder)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0][:3] == ["rule", "priority", "alerts"]
    assert [row[:3] for row in rows[1:]] == [
        ["Anything opened", "Debug", "2"],
        ["Secret read", "Warning", "1"],
    ]


def test_unknown_losses_are_an_exit_code_of_their_own(folder: Path) -> None:
    """Clean is not clean when nobody knows what was lost: exit code 3, and a note."""
    done = falcotrace("scan", "c.parquet", "-r", "r.yaml", "--since", "2030-01-01", cwd=folder)
    assert done.returncode == 3
    assert "lost events: unknown" in done.stderr


def test_bad_rules_are_exit_code_2_with_a_caret(folder: Path) -> None:
    """An error names file, line and column, shows the text, and says what to do."""
    bad = folder / "bad.yaml"
    bad.write_text(RULES.replace("fd.name = /etc/shadow", "fd.nme = /etc/shadow"))
    done = falcotrace("scan", "c.parquet", "-r", "bad.yaml", cwd=folder)
    assert done.returncode == 2
    assert "LOAD_ERR_COMPILE_CONDITION" in done.stderr
    assert "bad.yaml:4:36" in done.stderr
    assert "^" in done.stderr
    assert "fd.name" in done.stderr.split("help:")[1]


def test_check_prints_the_documented_json(folder: Path) -> None:
    """`rules check --json` is an interface: keys and places."""
    done = falcotrace("rules", "check", "--json", "r.yaml", cwd=folder)
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["ok"] is True
    assert [rule["name"] for rule in report["rules"]] == ["Secret read", "Anything opened"]
    (folder / "worse.yaml").write_text("- rule: x\n  condition: proc.name\n")
    worse = falcotrace("rules", "check", "--json", "worse.yaml", cwd=folder)
    assert worse.returncode == 2
    error = json.loads(worse.stdout)["errors"][0]
    assert {"code", "message", "file", "line", "column", "at"} <= error.keys()


def test_show_resolves_everything(folder: Path) -> None:
    """`rules show` has the condition without macros and lists, its events and its columns."""
    done = falcotrace("rules", "show", "password HASHES read")
    assert "fd.name in (/etc/gshadow" in done.stdout
    assert "open openat openat2" in done.stdout
    assert "proc.aname" in done.stdout


def test_unknown_rule_names_are_answered_with_near_ones() -> None:
    """A typo is not the end: the nearest names are suggested."""
    done = falcotrace("rules", "show", "Pasword hash read")
    assert done.returncode == 2
    assert "did you mean `Password hashes read`" in done.stderr


def test_sql_of_a_rule_runs_in_duckdb(folder: Path) -> None:
    """What `rules sql` prints can be pasted and gives the scan's rows."""
    import duckdb

    done = falcotrace(
        "rules",
        "sql",
        "Secret read",
        "-r",
        "r.yaml",
        "--capture",
        str(folder / "c.parquet"),
        cwd=folder,
    )
    assert [row[0] for row in duckdb.connect().execute(done.stdout).fetchall()] == [1]


def test_fields_can_be_searched() -> None:
    """`fields --search` finds by name and by meaning."""
    done = falcotrace("fields", "--search", "ancestor")
    names = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert any(name.startswith("proc.aname") for name in names)


def test_coverage_of_fields(folder: Path) -> None:
    """`fields --coverage` tells of every field, and how many rules ask for it."""
    document = json.loads(falcotrace("fields", "--coverage", "--json").stdout)
    by_name = {entry["name"]: entry for entry in document["fields"]}
    assert len(by_name) == sum(document["counts"].values())
    assert by_name["proc.name"]["condition_rules"] > 0
    assert by_name["evt.deltatime"]["coverage"] == "not supported"
    assert "depends on" in by_name["evt.deltatime"]["how"]
    done = falcotrace("fields", "--coverage", "--search", "fd.name", "-r", "r.yaml", cwd=folder)
    assert "fd.name\tsupported\tcolumn fd.name\t1\t" in done.stdout
    assert done.stdout.endswith("0 conditions ask for one that is not supported\n")


def test_info_tells_what_is_inside(folder: Path) -> None:
    """`info` in JSON and for people."""
    done = falcotrace("info", "--json", "c.parquet", cwd=folder)
    summary = json.loads(done.stdout)[0]
    assert summary["event_counts"] == {"openat": 2, "read": 1}
    people = falcotrace("info", "c.parquet", cwd=folder)
    assert "openat\t2\t66.7 %" in people.stdout
    assert "testhost" in people.stdout


def test_gaps_are_named_not_silent(folder: Path) -> None:
    """A rule that needs what the capture does not have is named in a note."""
    (folder / "k8s.yaml").write_text(
        "- rule: k\n  desc: d\n  condition: evt.type=openat and util.cnt > 0\n"
        "  output: o\n  priority: INFO\n"
    )
    done = falcotrace("scan", "c.parquet", "-r", "k8s.yaml", cwd=folder)
    assert "rule `k` ran with fields that are not supported: util.cnt" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan", "c.parquet", "-r", "r.yaml", "--format", "xml"],
        ["scan", "c.parquet", "-r", "r.yaml", "--priority", "loud"],
        ["scan", "c.parquet", "-r", "r.yaml", "--since", "yesterdayish"],
        ["scan", "c.parquet", "-r", "missing.yaml"],
        ["scan"],
        ["record", "--duration", "soon"],
        ["record", "--buffer", "100"],
    ],
)
def test_wrong_options_are_exit_code_2_without_traceback(
    folder: Path, arguments: list[str]
) -> None:
    """Whatever is typed, the answer is a sentence."""
    done = falcotrace(*arguments, cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
