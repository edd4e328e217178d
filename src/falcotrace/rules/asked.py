"""What a rule asks of captures, the steps of a rule about several events included.

In: a rule of a plan. Out: types of events and fields.
"""

from falcotrace.rules.plan import FieldOperand, Formula, RulePlan, iter_atoms, iter_fields
from falcotrace.rules.sequences import iter_operands


def asked_events(rule: RulePlan) -> frozenset[str] | None:
    """The types of events that the condition, or a step's, is tried on; None for all."""
    names = [rule.event_names]
    if rule.correlation is not None:
        names += [step.event_names for step in rule.correlation.steps]
    if None in names:
        return None
    return frozenset[str]().union(*(one or () for one in names))


def asked_fields(rule: RulePlan) -> tuple[FieldOperand, ...]:
    """Every field that conditions and keys read, once each."""
    fields = dict.fromkeys(rule.condition_fields)
    if rule.correlation is not None:
        for step in rule.correlation.steps:
            fields.update(dict.fromkeys(step.condition_fields))
        for operand in iter_operands(rule.correlation):
            fields.update(dict.fromkeys(iter_fields(operand)))
    return tuple(fields)


def fields_of(formula: Formula) -> tuple[FieldOperand, ...]:
    """Every field that a formula reads, once each."""
    fields: dict[FieldOperand, None] = {}
    for atom in iter_atoms(formula):
        fields.update(dict.fromkeys(iter_fields(atom.left)))
        if atom.right is not None:
            fields.update(dict.fromkeys(iter_fields(atom.right)))
    return tuple(fields)
