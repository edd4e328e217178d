"""Recorded values as values of exceptions: said exactly, or not at all."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from falcotrace.errors import RulesError
from falcotrace.evaluate import evaluate
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.yaml_text import quoted
from falcotrace.tuning.candidates import candidates, written_value
from falcotrace.tuning.noise import AlertRow
from falcotrace.tuning.shapes import PATTERN_SHAPES, Shape, shapes_of, too_broad

TEXTS = st.text(st.sampled_from("ab/ \"'\\(),=*[]{}#&!%@`|>:-?~\n\t\x00\x1b\x85\u2028é😀\ufeff"))


@given(TEXTS)
@example('"]\n- rule: x')
@example("\u2028")
def test_yaml_gives_every_text_back(text: str) -> None:
    """Whatever was recorded is one scalar on one line, also to readers that are strict."""
    written = quoted(text)
    assert yaml.safe_load(written) == text
    assert len(written.splitlines()) == 1


@given(TEXTS)
@example("a\\")
@example("a) or (proc.name exists")
def test_a_condition_reads_a_value_as_itself(text: str) -> None:
    """No value ends its quotes: the condition holds for that text and is nothing else."""
    written = written_value(text)
    if written is not None:
        assert evaluate(f"proc.cmdline = {written}", [{"proc.cmdline": text}, {}]) == [True, False]


@pytest.mark.parametrize(
    ("fields", "values", "reason"),
    [
        (["user.name"], ["root"], "only `user.name`"),
        (["user.name", "proc.name"], ["root", "cat"], "only `user.name` and `proc.name`"),
        (["proc.name", "proc.pname"], ["cron", "cron"], None),
        (["proc.exepath", "proc.pname"], ["/usr/bin/dash", "cron"], "dash runs anything"),
        (["proc.exepath", "proc.pname"], ["/usr/bin/python3.11", "x"], "python3.11 runs anything"),
        (["proc.exepath", "fd.name"], ["/usr/bin/cat", "/etc/shadow"], "cat is everybody's tool"),
        (["proc.exepath", "proc.cmdline"], ["/usr/bin/dash", "sh"], "without arguments"),
        (["proc.exepath", "proc.cmdline"], ["/usr/bin/dash", "sh -c x"], None),
        (["proc.exepath", "proc.pname"], ["/usr/bin/dpkg", "apt"], None),
        (["proc.name", "fd.name"], ["bash", "/root/.ssh/authorized_keys"], "bash runs anything"),
        (["proc.pname", "proc.cmdline"], ["bash", "useradd nina"], None),
        (["container.image.repository", "proc.exepath"], ["shop", "/bin/bash"], "bash runs"),
    ],
)
def test_what_says_too_little_is_too_broad(
    fields: list[str], values: list[str], reason: str | None
) -> None:
    """A user, a shell, a tool of everybody's: none of them is a reason to be silent."""
    shape = Shape("x", tuple(fields), ("=",) * len(fields), 1)
    found = too_broad(shape, values)
    assert (found is None) if reason is None else (found is not None and reason in found)


@pytest.mark.parametrize(
    ("folder", "broad"),
    [
        ("/etc/", "broad"),
        ("/tmp/build/", "broad"),
        ("/home/ops/.cache/", "broad"),
        ("/usr/bin/", "broad"),
        ("/etc/cron.d/", "broad"),
        ("/var/lib/dpkg/", "fine"),
        ("/srv/www/", "fine"),
    ],
)
def test_some_folders_are_never_covered_as_a_whole(folder: str, broad: str) -> None:
    """Where anybody writes, or an intruder wants to, each file is named."""
    shape = Shape("x", ("proc.exepath", "fd.name"), ("=", "startswith"), 1)
    assert (too_broad(shape, ["/usr/sbin/agent", folder]) is not None) is (broad == "broad")


def test_texts_that_differ_in_digits_become_a_pattern_of_digits() -> None:
    """A digit stands for a digit and for nothing else; what is no digit is itself."""
    texts = [f"/run/job[{number}]/7/state" for number in (12, 13, 25, 99)]
    rows = [AlertRow({"proc.exepath": "/usr/bin/job", "fd.name": text}, {}) for text in texts]
    (found,) = candidates(rows, [PATTERN_SHAPES[0]])
    assert found.values == ("/usr/bin/job", "/run/job[[][0-9][0-9]]/7/state")
    assert found.rows == {0, 1, 2, 3}
    for other in ("/run/job[1/x]/7/state", "/run/job[123]/7/state", "/run/job[12]/8/state"):
        event = {"proc.exepath": "/usr/bin/job", "fd.name": other}
        assert evaluate(found.condition, [event]) == [False]


def test_own_exceptions_come_first_and_as_they_are() -> None:
    """Names, comparisons and the form of values are the rule's; what we cannot fill is left."""
    text = """
- rule: r
  desc: d
  condition: evt.type = openat
  output: o %fd.name
  priority: INFO
  exceptions:
    - {name: pairs, fields: [proc.exepath, fd.name], comps: [=, endswith]}
    - {name: flat, fields: proc.exepath}
    - {name: counted, fields: [fd.num], comps: [">"]}
"""
    ruleset = load_rules([RulesText(text)])
    if ruleset.errors:
        raise RulesError(ruleset.errors)
    known = [shape for shape in shapes_of(ruleset.plan.rules[0]) if shape.is_known]
    assert [(shape.name, shape.comparisons, shape.is_tuple) for shape in known] == [
        ("pairs", ("=", "endswith"), True),
        ("flat", ("in",), False),
    ]
