"""SigmaHQ's rules for Linux: what becomes of each, and what they find in captures."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from differential.both_engines import differences, replay_matches
from falcotrace.engines.sql import rule_sql
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.scap.importer import import_scap
from falcotrace.sigma.convert import Conversion, Ending
from falcotrace.sigma.load import convert_rules, load_any_rules, print_rules
from property.naive_sigma import rule_holds

REPOSITORY = Path(__file__).parents[2]
CAPTURE = REPOSITORY / "captures" / "first_light.parquet"
IMPORTED = ("attack", "container", "benign")
COUNTS = {Ending.RUN: 175, Ending.IN_PART: 6, Ending.NOT_RUN: 29}
IN_PART = {
    "ASLR Disabled Via Sysctl or Direct Syscall - Linux": "a0",
    "Creation Of An User Account": "ADD_USER",
    "Linux Keylogging with Pam.d": "TTY",
    "Loading of Kernel Module via Insmod": "without a call's name",
    "Program Executions in Suspicious Folders": "without a call's name",
    "Split A File Into Pieces - Linux": "without a call's name",
}
WHY_NOT = {
    "messages of any log": 15,
    "its log source is": 7,
    "DestinationHostname": 3,
    "key of an audit rule": 2,
    "SERVICE_STOP": 1,
    "is a register": 1,
}


@pytest.fixture(scope="session")
def sigma_rules(shared: Path) -> Path:
    """SigmaHQ's rules for Linux."""
    return shared / "sigma-linux" / "rules" / "linux"


@pytest.fixture(scope="session")
def conversions(sigma_rules: Path) -> tuple[Conversion, ...]:
    """What becomes of each of them."""
    return convert_rules([sigma_rules])


@pytest.fixture(scope="session")
def plan(sigma_rules: Path) -> Plan:
    """The plan of those that run."""
    ruleset = load_any_rules([sigma_rules])
    ruleset.raise_if_invalid()
    return ruleset.plan


@pytest.fixture(scope="module", params=["first_light", *IMPORTED])
def capture(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Our own recording, and captures of the reference material."""
    if request.param == CAPTURE.stem:
        return CAPTURE
    (source,) = (shared / "oracle" / "captures").glob(f"{request.param}.scap*")
    path = tmp_path_factory.mktemp("sigma") / f"{request.param}.parquet"
    import_scap(source, path)
    return path


def test_every_rule_ends_in_one_of_three_ways(conversions: tuple[Conversion, ...]) -> None:
    """All 210 rules run, run in part or do not run, and the last two have their reasons."""
    assert Counter(each.converted.ending for each in conversions) == COUNTS
    for each in conversions:
        assert (each.converted.ending is Ending.RUN) == (not each.converted.reasons), each.name


def test_what_runs_in_part_names_what_is_left_out(conversions: tuple[Conversion, ...]) -> None:
    """Of a rule that runs in part the missing alternative is named."""
    found = {
        each.name: "; ".join(each.converted.reasons)
        for each in conversions
        if each.converted.ending is Ending.IN_PART
    }
    assert found.keys() == IN_PART.keys()
    assert all(IN_PART[name] in reason for name, reason in found.items())


def test_what_does_not_run_says_why(conversions: tuple[Conversion, ...]) -> None:
    """Each rule that does not run has one of a few reasons."""
    reasons = [
        "; ".join(each.converted.reasons)
        for each in conversions
        if each.converted.ending is Ending.NOT_RUN
    ]
    assert {part: sum(part in reason for reason in reasons) for part in WHY_NOT} == WHY_NOT
    assert all(any(part in reason for part in WHY_NOT) for reason in reasons)


def test_the_printed_rules_load_to_the_same_plan(
    conversions: tuple[Conversion, ...], plan: Plan
) -> None:
    """`rules convert` prints a rules file, and loading that is loading the folder."""
    again = load_rules([RulesText(print_rules(conversions))])
    assert again.errors == ()
    assert [str(each.code) for each in again.warnings] == []
    assert again.plan.rules == plan.rules
    assert len(plan.left_out) == COUNTS[Ending.NOT_RUN] + COUNTS[Ending.IN_PART]


def test_every_rule_is_a_query(plan: Plan) -> None:
    """`rules sql` prints each converted rule, and DuckDB runs it."""
    for rule in plan.rules:
        duckdb.execute(rule_sql(rule, str(CAPTURE))).fetchall()


def test_engines_agree(plan: Plan, capture: Path) -> None:
    """Replay and SQL find the same events with every converted rule."""
    assert differences(plan, capture) == {}


_TABLE = {
    "process_creation": "evt.type in ('execve', 'execveat') and evt.rawres >= 0",
    "file_event": "evt.type in ('open', 'openat', 'openat2', 'creat') and evt.rawres >= 0 "
    "and fd.type = 'file'",
    "network_connection": "evt.type in ('connect', 'accept', 'accept4') and "
    "fd.type in ('ipv4', 'ipv6') and (evt.rawres >= 0 or evt.res = 'EINPROGRESS')",
}
_COLUMNS = (
    "evt.num, evt.type, evt.arg.flags, proc.exe, proc.argv, proc.exepath, proc.pexepath, "
    "proc.pcmdline, proc.pexe, proc.cwd, user.name, user.uid, fd.name, fd.l4proto"
)


def sigma_events(capture: Path, category: str) -> list[Mapping[str, Any]]:
    """The events of a category as Sysmon for Linux would log them, made of columns alone."""
    query = f"SELECT {_COLUMNS} FROM '{capture}' WHERE {_TABLE[category]} ORDER BY 1"
    found: list[Mapping[str, Any]] = []
    for row in duckdb.execute(query).fetchall():
        num, call, flags, exe, argv, path, parent, *others = row
        parent_command, parent_exe, folder, user, uid, name, protocol = others
        if category == "file_event":
            is_made = {"O_CREAT", "O_TRUNC"} & set((flags or "").split("|"))
            if not is_made and call != "creat":
                continue
        event = {
            "evt.num": num,
            "Image": path,
            "CommandLine": None if exe is None else " ".join([exe, *(argv or ())]),
            "ParentImage": parent,
            "ParentCommandLine": [
                each for each in (parent_command, parent_exe) if each is not None
            ],
            "CurrentDirectory": folder if folder in {None, "/"} else folder.rstrip("/"),
            "User": user,
            "LogonId": uid,
            "TargetFilename": name,
            "Initiated": "true" if call == "connect" else "false",
        }
        if category == "network_connection":
            tuple_of = re.fullmatch(r"(.*):(\d+)->(.*):(\d+)", name or "")
            if tuple_of is None or protocol not in {"tcp", "udp"} or tuple_of[4] == "0":
                continue
            event |= {"DestinationIp": tuple_of[3], "DestinationPort": int(tuple_of[4])}
        found.append(event)
    return found


@pytest.mark.parametrize("category", _TABLE)
def test_rules_find_what_the_specification_says(
    sigma_rules: Path, plan: Plan, capture: Path, category: str
) -> None:
    """Rules for Sysmon's events, read as the specification says, match the same events."""
    events = sigma_events(capture, category)
    ours = replay_matches(plan, capture)
    compared = 0
    for file in sorted((sigma_rules / category).glob("*.yml")):
        rule = yaml.safe_load(file.read_text())
        name = " ".join(rule["title"].split())
        if name in ours:
            expected = [event["evt.num"] for event in events if rule_holds(rule, event)]
            assert ours[name] == expected, name
            compared += 1
    assert compared == {"process_creation": 122, "file_event": 8, "network_connection": 2}[category]


def test_audit_rules_find_what_the_specification_says(
    sigma_rules: Path, plan: Plan, capture: Path
) -> None:
    """Rules for auditd's EXECVE records match the programs whose arguments they describe."""
    query = (
        f"SELECT evt.num, proc.exe, proc.argv FROM '{capture}' "
        f"WHERE {_TABLE['process_creation']} ORDER BY 1"
    )
    records = [
        {
            "evt.num": num,
            "type": "EXECVE",
            **{f"a{place}": text for place, text in enumerate([exe, *argv])},
            "": " ".join([exe, *argv]),
        }
        for num, exe, argv in duckdb.execute(query).fetchall()
    ]
    ours = replay_matches(plan, capture)
    files = sorted((sigma_rules / "auditd" / "execve").glob("*.yml"))
    assert len(files) == 28
    for file in files:
        rule = yaml.safe_load(file.read_text())
        expected = [record["evt.num"] for record in records if rule_holds(rule, record)]
        assert ours[" ".join(rule["title"].split())] == expected, file.stem


FOUND = {
    "Linux Crypto Mining Indicators": "stratum+tcp://",
    "Linux Reverse Shell Indicator": "/bin/bash",
    "Decode Base64 Encoded Text": "base64",
    "New Cron File Created": "/etc/cron",
    "Creation Of An User Account": "/useradd",
    "Overwriting the File with Dev Zero or Null": "if=/dev/zero",
    "Connection Proxy": "_proxy=",
}
"""Rules that one event of the attack makes fire, and what stands in it."""


def test_attacks_are_found(plan: Plan, shared: Path, tmp_path: Path) -> None:
    """Of the attack on record, rules name what the script did, and nothing else of that kind."""
    (source,) = (shared / "oracle" / "captures").glob("attack.scap*")
    path = tmp_path / "attack.parquet"
    import_scap(source, path)
    found = replay_matches(plan, path)
    query = (
        "SELECT concat_ws(' ', proc.exepath, array_to_string(proc.argv, ' '), fd.name) "
        f"FROM '{path}' WHERE evt.num = ?"
    )
    for name, word in FOUND.items():
        (num,) = found[name]
        row = duckdb.execute(query, [num]).fetchone()
        assert row is not None
        assert word in row[0], name
