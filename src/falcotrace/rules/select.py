"""Rules switched on and off by the user's choice, after all files were loaded.

Source: falco 13074749 userspace/falco/app/actions/load_rules_files.cpp (the `rules:` key and `-o`).
"""

import dataclasses
import difflib
import re
from collections.abc import Sequence

from falcotrace.errors import FalcoTraceError, escape_controls
from falcotrace.rules.plan import Plan, Priority, RulePlan


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Switches rules on or off.

    Args:
        enables: on or off.
        rule: a name in which `*` stands for anything; empty to select by tag.
        tag: rules that carry this tag; empty to select by name.
    """

    enables: bool
    rule: str = ""
    tag: str = ""

    def selects(self, rule: RulePlan) -> bool:
        """Tell whether a rule is meant."""
        if self.tag:
            return self.tag in rule.tags
        pattern = ".*".join(map(re.escape, self.rule.split("*")))
        return re.fullmatch(pattern, rule.name, re.DOTALL) is not None


def select_rules(plan: Plan, selections: Sequence[Selection], min_priority: Priority) -> Plan:
    """Return the plan with rules switched; a later selection wins.

    A rule below the minimum priority stays off.
    """
    if not selections:
        return plan
    rules: list[RulePlan] = []
    for rule in plan.rules:
        enabled = rule.enabled
        for selection in selections:
            if selection.selects(rule):
                enabled = selection.enables and rule.priority <= min_priority
        rules.append(dataclasses.replace(rule, enabled=enabled))
    return dataclasses.replace(plan, rules=tuple(rules))


def find_rule(plan: Plan, name: str) -> RulePlan:
    """The rule of that name; upper and lower case do not matter.

    Raises:
        FalcoTraceError: there is none; the nearest names are suggested.
    """
    by_name = {rule.name.lower(): rule for rule in plan.rules}
    found = by_name.get(name.lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), by_name, n=3)
    hint = " or ".join(f"`{by_name[key].name}`" for key in near)
    suggestion = f"; did you mean {hint}?" if hint else "; `falcotrace rules list` lists them"
    raise FalcoTraceError(f"no rule is called `{escape_controls(name)}`{suggestion}")
