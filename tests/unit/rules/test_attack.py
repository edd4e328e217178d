"""ATT&CK in tags: what counts as a tactic, what as a technique, and nothing else."""

import pytest

from falcotrace.rules.attack import TACTICS, Technique, attack_of
from falcotrace.rules.load import load_rules
from falcotrace.rules.shipped import shipped_rules


@pytest.mark.parametrize(
    ("tags", "tactics", "techniques"),
    [
        (["mitre_execution", "T1059.004"], ["TA0002"], ["T1059.004"]),
        (["mitre_command_and_control"], ["TA0011"], []),
        (["attack.command-and-control", "attack.t1071"], ["TA0011"], ["T1071"]),
        (["attack.privilege_escalation"], ["TA0004"], []),
        (["TA0003", "mitre_persistence", "ta0003"], ["TA0003"], []),
        (["T1611", "t1611", "T1059", "T1059.001"], [], ["T1059", "T1059.001", "T1611"]),
        (["mitre_impact", "mitre_initial_access"], ["TA0001", "TA0040"], []),
        (["T105", "T10590", "xT1059", "T1059.01", "T1059.0042", "CIS_T1059"], [], []),
        (["mitre_", "mitre_nothing", "execution", "TA9999", "attack.g0016"], [], []),
        ([], [], []),
    ],
)
def test_tags(tags: list[str], tactics: list[str], techniques: list[str]) -> None:
    """Tags of Falco and of Sigma, each once, and what only looks like one is left out."""
    found = attack_of(tags)
    assert [tactic.id for tactic in found.tactics] == tactics
    assert [technique.id for technique in found.techniques] == techniques
    assert bool(found) == bool(tactics or techniques)


def test_sub_techniques_know_their_technique() -> None:
    """The page of a sub-technique lies below that of its technique."""
    one = Technique("T1059.004")
    assert (one.parent_id, one.is_sub_technique) == ("T1059", True)
    assert one.url == "https://attack.mitre.org/techniques/T1059/004"
    assert Technique("T1059").url == "https://attack.mitre.org/techniques/T1059"


def test_our_rules_say_where_they_belong() -> None:
    """Each rule that ships names a tactic and a technique."""
    rules = load_rules([shipped_rules()]).plan.rules
    assert all(attack_of(rule.tags).tactics and attack_of(rule.tags).techniques for rule in rules)


def test_tactics_are_told_apart() -> None:
    """No id and no phase twice."""
    assert len({tactic.id for tactic in TACTICS}) == len(TACTICS)
    assert len({tactic.phase for tactic in TACTICS}) == len(TACTICS)
