"""Explanations as JSON for programs: the whole condition, nothing left out for reading.

In: the answers of `falcotrace.explain`. Out: one document. Bytes that are no UTF-8 are spelled as
`outputs.escape.readable` has it, control characters are JSON's.
"""

import json
from collections.abc import Sequence

from falcotrace.explain.event import EventExplanation, PartResult, Value
from falcotrace.explain.misses import Misses, MissSet, operands_of
from falcotrace.outputs.cells import printable_json
from falcotrace.outputs.escape import readable
from falcotrace.outputs.explanation import answer_notes
from falcotrace.outputs.times import iso_time
from falcotrace.rules.outline import Outline, Part, PartKind

_Json = dict[str, object]


def explanation_json(answer: EventExplanation | Misses, notes: Sequence[str] = ()) -> str:
    """Write an answer as JSON.

    Args:
        answer: an event explained, or the nearest misses.
        notes: further sentences about what the capture lacks.
    """
    document = _event(answer) if isinstance(answer, EventExplanation) else _misses(answer)
    document["notes"] = [readable(note) for note in (*answer_notes(answer), *notes)]
    text = _written(document)
    if isinstance(answer, EventExplanation):
        return _with_member(text, "condition", _condition(answer))
    return text


def _written(document: _Json) -> str:
    return printable_json(json.dumps(document, ensure_ascii=False))


def _with_member(text: str, name: str, value: str) -> str:
    """An object's text with one more member, whose text is given."""
    return f'{text[:-1]}, "{name}": {value}}}'


def _event(explained: EventExplanation) -> _Json:
    return {
        "rule": explained.rule.name,
        "capture": explained.capture,
        "event": explained.num,
        "time": iso_time(explained.time_ns),
        "event_type": readable(explained.event_type),
        "process": _text(explained.process),
        "verdict": explained.truth.value,
        "matches": explained.matches,
        "looks_at_event_type": explained.is_tried,
        "in_the_way": [_leaf(explained.outline, place) for place in explained.flips],
        "unknown": [_leaf(explained.outline, place) for place in explained.unknown],
    }


def _condition(explained: EventExplanation) -> str:
    """The tree as text, from its leaves up: a condition may be deeper than recursion allows."""
    parts, results = explained.outline.parts, explained.results
    texts: dict[int, str] = {}
    for place in reversed(range(len(parts))):
        children = [texts.pop(child) for child in parts[place].children]
        text = _written(_part(parts[place], results[place]))
        if children:
            text = _with_member(text, "children", f"[{', '.join(children)}]")
        texts[place] = text
    return texts[0]


def _part(part: Part, result: PartResult) -> _Json:
    node: _Json = {"kind": part.kind.value, "truth": result.truth.value, "holds": result.holds}
    if part.names:
        node["names"] = [{"name": readable(n.name), "kind": n.kind} for n in part.names]
    if part.kind is not PartKind.LEAF:
        return node
    node["check"] = readable(part.text)
    if part.lists:
        node["lists"] = [{"name": readable(u.name), "items": u.item_count} for u in part.lists]
    return {**node, "values": [_value(value) for value in result.values]}


def _value(value: Value) -> _Json:
    found: _Json = {"field": readable(value.field), "value": _text(value.text)}
    if value.doubt is not None:
        found |= {"doubt": value.doubt.why.value, "reason": readable(value.doubt.text)}
    return found


def _text(text: str | None) -> str | None:
    return None if text is None else readable(text)


def _leaf(outline: Outline, place: int) -> _Json:
    part = outline.parts[place]
    return {"check": readable(part.text), "must_be": not part.is_negated}


def _misses(misses: Misses) -> _Json:
    return {
        "rule": misses.rule.name,
        "capture": misses.capture,
        "event_types": None if (names := misses.rule.event_names) is None else sorted(names),
        "events": misses.event_count,
        "matches": misses.match_count,
        "first_matches": list(misses.first_matches),
        "misses_by_distance": {str(at): count for at, count in misses.by_distance},
        "nearest": [_miss_set(misses.outline, found) for found in misses.nearest],
        "is_complete": misses.is_complete,
    }


def _miss_set(outline: Outline, found: MissSet) -> _Json:
    fields = [readable(operand.text) for operand in operands_of(outline, found.leaves)]
    return {
        "distance": len(found.leaves),
        "checks": [_leaf(outline, place) for place in found.leaves],
        "events": found.count,
        "groups": [
            {
                "events": miss.count,
                "first_event": miss.first_num,
                "process": _text(miss.key.process),
                "values": dict(zip(fields, map(_text, miss.key.values), strict=True)),
            }
            for miss in found.nearest
        ],
    }
