"""One event explained, by the Python API: truths, doubts and what the verdict hangs on."""

from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.capture.footer import Footer, Losses, LossInterval
from falcotrace.errors import CaptureError, FalcoTraceError
from falcotrace.explain.decide import Remnant
from falcotrace.explain.doubts import Why
from falcotrace.explain.event import EventExplanation, Truth, explain_event
from falcotrace.outputs.explanation import event_text
from falcotrace.outputs.explanation_json import explanation_json
from falcotrace.rules.load import RulesText, load_rules
from small_captures import Row, write_capture


def explained(
    folder: Path, condition: str, row: Row, footer: Footer | None = None
) -> EventExplanation:
    """Explain one condition about one event."""
    rule = f"- rule: r\n  desc: d\n  condition: >\n    {condition}\n  output: o\n  priority: INFO\n"
    (plan,) = load_rules([RulesText(rule)]).plan.rules
    path = folder / f"{len([*folder.iterdir()])}.parquet"
    with write_capture(path, [[row]], footer or Footer()) as capture:
        return explain_event(capture, plan, 1)


PROCESS: Row = {"proc.name": "sh", "proc.pid": 3}
EXECVE: Row = {**PROCESS, "evt.type": "execve"}
OPENAT: Row = {**PROCESS, "evt.type": "openat", "fd.num": 3, "fd.type": "file"}


@pytest.mark.parametrize(
    ("check", "row", "truth", "remnant"),
    [
        ("evt.arg.exe startswith /bin", {"evt.arg.exe": "/bin/s"}, Truth.TRUE, Remnant.BEGINNING),
        ("evt.arg.exe = /bin/sh", {"evt.arg.exe": "/bin/s"}, Truth.UNKNOWN, Remnant.BEGINNING),
        ("evt.arg[1] = /bin/sh", {"evt.arg.exe": "/bin/s"}, Truth.UNKNOWN, Remnant.BEGINNING),
        ("evt.arg[3] = 7", {"evt.arg.exe": "/bin/s"}, Truth.FALSE, None),
        ("evt.arg.exe = x", {}, Truth.UNKNOWN, Remnant.UNKNOWN),
        ("evt.arg.comm = x", {"evt.arg.comm": "y"}, Truth.FALSE, None),
        ("evt.args contains x", {"evt.arg.exe": "x"}, Truth.UNKNOWN, Remnant.UNKNOWN),
        ("evt.arg.cwd endswith /a", {"evt.arg.cwd": "/b/a"}, Truth.TRUE, Remnant.END),
    ],
)
def test_arguments_that_were_cut(
    tmp_path: Path, check: str, row: Row, truth: Truth, remnant: Remnant | None
) -> None:
    """`evt.cut` names arguments; only checks of those are in doubt, by name and by place."""
    found = explained(
        tmp_path, f"evt.type = execve and {check}", {**EXECVE, **row, "evt.cut": "exe cwd"}
    )
    leaf = found.results[-1]
    assert leaf.truth is truth
    (value,) = leaf.values
    assert (value.doubt.remnant if value.doubt else None) is remnant


def test_a_path_that_was_cut_decides_nothing(tmp_path: Path) -> None:
    """Behind the cut may have stood `..`: names that were made of it are unknown."""
    row: Row = {
        **OPENAT,
        "fd.name": "/etc/x",
        "fd.nameraw": "/etc/x",
        "evt.cut": "name",
    }
    found = explained(tmp_path, "evt.type = openat and fd.name startswith /etc", row)
    assert found.truth is Truth.UNKNOWN
    assert found.unknown == (2,)
    assert found.matches


def test_a_relative_name_below_a_directory_that_was_cut(tmp_path: Path) -> None:
    """A name that was joined with half a directory is unknown, an absolute one is not."""
    row: Row = {**OPENAT, "fd.name": "/b/x", "proc.cut": "cwd", "proc.cwd": "/b/"}
    condition = "evt.type = openat and fd.name = /a/b/x"
    relative = explained(tmp_path, condition, {**row, "fd.nameraw": "x"})
    absolute = explained(tmp_path, condition, {**row, "fd.nameraw": "/b/x"})
    assert (relative.truth, absolute.truth) == (Truth.UNKNOWN, Truth.FALSE)


def test_two_sides_of_which_one_is_cut(tmp_path: Path) -> None:
    """A comparison of fields is open, unless the other side certainly has no value."""
    row: Row = {**EXECVE, "proc.cmdline": "sh -c", "proc.cut": "args", "proc.exepath": "/bin/sh"}
    condition = "evt.type = execve and proc.cmdline = val({})"
    of_other = explained(tmp_path, condition.format("proc.exepath"), row)
    without = explained(tmp_path, condition.format("user.loginname"), row)
    assert (of_other.truth, without.truth) == (Truth.UNKNOWN, Truth.FALSE)


def test_an_ancestor_that_is_there_is_certain(tmp_path: Path) -> None:
    """Of a chain whose beginning was lost a found name is true, one that is not found unknown."""
    row: Row = {**EXECVE, "proc.ppid": 2, "proc.aname": ["sshd"]}
    found = explained(tmp_path, "evt.type = execve and proc.aname = sshd", row)
    missing = explained(tmp_path, "evt.type = execve and proc.aname = cron", row)
    assert found.truth is Truth.TRUE
    whole = explained(
        tmp_path, "evt.type = execve and proc.aname = cron", {**row, "proc.pname": "sshd"}
    )
    assert (missing.truth, whole.truth) == (Truth.UNKNOWN, Truth.FALSE)


@pytest.mark.parametrize(
    ("row", "truth", "text"),
    [
        ({"fd.sip_name": ["a.example", "c2.example"]}, Truth.TRUE, "a.example, c2.example"),
        ({"fd.sip_name": ["a.example"]}, Truth.FALSE, "a.example"),
        ({}, Truth.UNKNOWN, None),
        ({"fd.sip": None}, Truth.FALSE, None),
    ],
)
def test_names_of_an_address(tmp_path: Path, row: Row, truth: Truth, text: str | None) -> None:
    """All are shown; an address without any may have names that nobody asked for."""
    connect: Row = {**PROCESS, "evt.type": "connect", "fd.num": 3, "fd.type": "ipv4"}
    condition = "evt.type = connect and fd.sip.name = c2.example"
    found = explained(tmp_path, condition, {**connect, "fd.sip": "192.0.2.9", **row})
    assert found.truth is truth
    (value,) = found.results[-1].values
    assert value.text == text
    assert (value.doubt.why if value.doubt else None) is (
        Why.UNRECORDED if truth is Truth.UNKNOWN else None
    )


def test_an_older_recording_says_only_that_something_was_cut(tmp_path: Path) -> None:
    """Without `evt.cut` every argument of a truncated event is in doubt, and it is said."""
    row: Row = {**EXECVE, "evt.arg.exe": "/bin/sh", "evt.truncated": True}
    footer = Footer(unrecorded=["evt.cut", "proc.cut"])
    found = explained(tmp_path, "evt.type = execve and evt.arg.exe = /bin/bash", row, footer)
    assert not found.tells_cuts
    assert found.truth is Truth.FALSE
    found = explained(tmp_path, "evt.type = execve and evt.arg.exe = /bin/shell", row, footer)
    assert found.truth is Truth.UNKNOWN


def test_losses_are_told_only_near_the_event(tmp_path: Path) -> None:
    """An event within 5 s of lost ones says so; a doubt names it as well."""
    second = 1_000_000_000
    interval = LossInterval(from_ns=20 * second, to_ns=21 * second, by_class={"files": 1})
    footer = Footer(losses=Losses(is_known=True, lost_count=1, intervals=[interval]))
    row: Row = {"evt.type": "read", "fd.num": 3, "proc.name": "sh", "proc.pid": 3}
    condition = "evt.type = read and fd.name = /x"
    near = explained(tmp_path, condition, {**row, "evt.time": 16 * second}, footer)
    far = explained(tmp_path, condition, {**row, "evt.time": 14 * second}, footer)
    assert (near.is_near_losses, far.is_near_losses) == (True, False)
    texts = [one.results[-1].values[0].doubt for one in (near, far)]
    assert [doubt.why for doubt in texts if doubt] == [Why.LOST, Why.LOST]
    assert [("5 s" in doubt.text) for doubt in texts if doubt] == [True, False]


def test_conditions_as_deep_as_rules_allow(tmp_path: Path) -> None:
    """Text and JSON of a tree of hundreds of levels need no more stack than of one."""
    condition = "(" * 450 + "evt.type = open" + ") and proc.pid = 3 or fd.num = 4" * 450
    found = explained(tmp_path, condition, EXECVE)
    lines = [*event_text(found)]
    assert len(lines) == len(found.outline.parts) + 2 == 2 + 1 + 4 * 450
    assert found.flips
    assert explanation_json(found).count('"children"') == 900


def test_the_api_takes_names(tmp_path: Path) -> None:
    """Rules by name from a plan, one capture at a time, errors for people."""
    text = "- {rule: Opened, desc: d, condition: evt.type = open, output: o, priority: INFO}"
    plan = load_rules([RulesText(text)]).plan
    for name in ("a", "b"):
        write_capture(tmp_path / f"{name}.parquet", [[{"evt.type": "open"}]]).close()
    with open_captures(tmp_path / "a.parquet") as opened:
        assert opened.explain("opened", 1, plan).matches
        assert opened.misses("Opened", plan).first_matches == (1,)
        assert opened.misses(plan.rules[0]).match_count == 1
        with pytest.raises(FalcoTraceError, match="did you mean `Opened`"):
            opened.explain("Openned", 1, plan)
        with pytest.raises(CaptureError, match="has no event 2: its events are 1 to 1"):
            opened.explain("Opened", 2, plan)
    with open_captures(tmp_path) as both, pytest.raises(CaptureError, match="2 captures are open"):
        both.misses("Opened", plan)
