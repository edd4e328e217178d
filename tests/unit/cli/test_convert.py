"""`falcotrace rules convert`, and Sigma's rules wherever rules are taken."""

import json
from pathlib import Path

import pytest

from falcotrace.capture.footer import Footer, Host
from falcotrace.cli.exit_codes import ExitCode
from sigma_by_hand import sigma_text
from small_captures import write_capture
from unit.cli.test_commands import falcotrace

RUNS = sigma_text("a: {Image|endswith: /nc}, condition: a", title="Netcat")
IN_PART = sigma_text("a: {Image: /a, User: x}, h: {Hashes: x}, condition: 1 of them", title="Part")
NOT_RUN = sigma_text("a: {Image: /a, Hashes: x}, condition: a", title='"\\x1b[2Jno"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three rules and a capture."""
    path = tmp_path_factory.mktemp("sigma")
    (path / "rules").mkdir()
    for name, text in (("a", RUNS), ("b", IN_PART), ("c", NOT_RUN)):
        (path / "rules" / f"{name}.yml").write_text(text)
    row = {"evt.type": "execve", "evt.rawres": 0, "proc.exepath": "/bin/NC", "proc.argv": ["-l"]}
    footer = Footer(host=Host(hostname="testhost"))
    write_capture(path / "c.parquet", [[{**row, "proc.exe": "nc"}]], footer).close()
    return path


def test_rules_go_to_output_and_endings_to_standard_error(folder: Path) -> None:
    """What is printed is a rules file; what is left out is said beside it."""
    done = falcotrace("rules", "convert", "rules", cwd=folder)
    assert done.returncode == ExitCode.CLEAN
    assert done.stdout.startswith("- rule: Netcat\n")
    assert "run in part\tPart\t`Hashes` needs the file's contents" in done.stderr
    assert done.stderr.endswith("3 rules of Sigma: 1 run, 1 run in part, 1 not run\n")
    (folder / "out.yaml").write_text(done.stdout)
    checked = falcotrace("rules", "check", "out.yaml", cwd=folder)
    assert checked.stdout == "2 rules (2 enabled), 0 errors, 0 warnings\n"


def test_files_are_written_and_not_overwritten(folder: Path, tmp_path: Path) -> None:
    """`--output` makes a file; an older one needs `--force`."""
    target = str(tmp_path / "o.yaml")
    first = falcotrace("rules", "convert", "rules/a.yml", "-o", target, cwd=folder)
    assert (first.returncode, first.stdout) == (0, "")
    again = falcotrace("rules", "convert", "rules", "-o", target, cwd=folder)
    assert again.returncode == ExitCode.ERROR
    assert "--force" in again.stderr
    assert (
        falcotrace("rules", "convert", "rules", "-o", target, "--force", cwd=folder).returncode == 0
    )
    assert Path(target).read_text().count("- rule:") == 2


def test_endings_as_json(folder: Path) -> None:
    """Machines get each rule with its ending, place, reasons and condition."""
    done = falcotrace("rules", "convert", "--json", "rules", cwd=folder)
    netcat, part, no = json.loads(done.stdout)
    assert (netcat["ending"], part["ending"], no["ending"]) == ("run", "run in part", "not run")
    assert (netcat["file"], netcat["line"]) == ("rules/a.yml", 1)
    assert "tolower(proc.exepath) endswith /nc" in netcat["condition"]
    assert no["condition"] is None


def test_nothing_that_runs_is_an_error(folder: Path) -> None:
    """A file of which nothing runs, and a folder without Sigma's rules, end with code 2."""
    none = falcotrace("rules", "convert", "rules/c.yml", cwd=folder)
    assert (none.returncode, none.stdout) == (ExitCode.ERROR, "")
    empty = falcotrace("rules", "convert", "c.parquet", cwd=folder)
    assert empty.returncode == ExitCode.ERROR
    assert empty.stderr == "falcotrace: no rule of Sigma in c.parquet\n"


def test_scan_takes_sigma(folder: Path) -> None:
    """`scan -r` asks Sigma's rules, and says once what of them it did not ask."""
    done = falcotrace("scan", "c.parquet", "-r", "rules", "--format", "text", cwd=folder)
    assert done.returncode == ExitCode.ALERTS
    assert "Error Netcat | command=nc -l exe=/bin/NC" in done.stdout
    assert done.stderr.count("`Part` ran in part: `Hashes` needs the file's contents") == 1
    assert done.stderr.count("did not run: `Hashes`") == 1


@pytest.mark.parametrize("command", [("list",), ("show", "Netcat"), ("sql", "Netcat")])
def test_other_commands_take_sigma(folder: Path, command: tuple[str, ...]) -> None:
    """`rules list`, `show` and `sql` know Sigma's rules, and tell what is left out."""
    done = falcotrace("rules", *command, "-r", "rules", cwd=folder)
    assert done.returncode == 0
    assert "Netcat" in done.stdout
    assert "note: rule `Part` ran in part" in done.stderr


def test_control_characters_stay_off_the_terminal(folder: Path) -> None:
    """A rule's title cannot clear the reader's screen."""
    for command in (("rules", "convert", "rules"), ("rules", "check", "rules")):
        done = falcotrace(*command, cwd=folder)
        assert "\x1b" not in done.stdout + done.stderr
