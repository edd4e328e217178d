"""What a rule of Sigma means, as the specification says it: a rule, an event, true or false.

Written against the specification alone. It shares nothing with the front end that it is compared
with, neither pySigma nor ours, and is slow and short.

Source: the Sigma specification 2.1, "detection", "value modifiers", "condition".
"""

import base64
import ipaddress
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import re2

Event = Mapping[str, Any]
"""Values of fields by Sigma's names; None or absent: no value; a list: any of them may match. Under
the empty name stands the text in which words without a field are looked for."""

_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(65, 91)})
_NUMBERS: Mapping[str, Callable[[int, int], bool]] = {
    "lt": int.__lt__,
    "lte": int.__le__,
    "gt": int.__gt__,
    "gte": int.__ge__,
}
_DASHES = ("-", "/", "\N{EN DASH}", "\N{EM DASH}", "\N{HORIZONTAL BAR}")


def rule_holds(rule: Mapping[str, Any], event: Event) -> bool:
    """Whether a rule, as YAML has it, matches an event."""
    detection = rule["detection"]
    conditions = detection["condition"]
    texts = conditions if isinstance(conditions, list) else [conditions]
    selections = {name: value for name, value in detection.items() if name != "condition"}
    return any(_Condition(text, selections, event).holds() for text in texts)


class _Condition:
    """A condition, read and computed at once from left to right."""

    def __init__(self, text: str, selections: Mapping[str, Any], event: Event) -> None:
        self._words = re.findall(r"[()]|[^\s()]+", text)
        self._selections = selections
        self._event = event

    def holds(self) -> bool:
        truth = self._either()
        assert not self._words
        return truth

    def _take(self, word: str) -> bool:
        if self._words[:1] == [word]:
            self._words.pop(0)
            return True
        return False

    def _either(self) -> bool:
        truths = [self._both()]
        while self._take("or"):
            truths.append(self._both())
        return any(truths)

    def _both(self) -> bool:
        truths = [self._single()]
        while self._take("and"):
            truths.append(self._single())
        return all(truths)

    def _single(self) -> bool:
        if self._take("not"):
            return not self._single()
        if self._take("("):
            truth = self._either()
            assert self._take(")")
            return truth
        word = self._words.pop(0)
        if self._take("of"):
            return self._several(word, self._words.pop(0))
        return selection_holds(self._selections[word], self._event)

    def _several(self, count: str, pattern: str) -> bool:
        matcher = ".*" if pattern == "them" else re.escape(pattern).replace(r"\*", ".*")
        truths = [
            selection_holds(value, self._event)
            for name, value in self._selections.items()
            if re.fullmatch(matcher, name) and not name.startswith("_")
        ]
        return all(truths) if count == "all" else any(truths)


def selection_holds(selection: Any, event: Event) -> bool:
    """A mapping: all of its items; a list: any of its mappings or words."""
    if isinstance(selection, list):
        return any(selection_holds(each, event) for each in selection)
    if not isinstance(selection, dict):
        return _item_holds("|contains", selection, event)
    return all(_item_holds(key, value, event) for key, value in selection.items())


def _item_holds(key: str, value: Any, event: Event) -> bool:
    field, *modifiers = key.split("|")
    if not field:
        modifiers.append("contains")
    values = value if isinstance(value, list) else [value]
    present = event.get(field)
    quantifier = all if "all" in modifiers else any
    truth = quantifier(_value_holds(present, each, modifiers, event) for each in values)
    return not truth if "neq" in modifiers else truth


def _value_holds(present: Any, wanted: Any, modifiers: list[str], event: Event) -> bool:
    if isinstance(present, list):
        return any(_value_holds(each, wanted, modifiers, event) for each in present)
    if "exists" in modifiers:
        return (present is not None) == wanted
    if wanted is None:
        return present is None
    if present is None:
        return False
    for modifier in modifiers:
        if modifier in _NUMBERS:
            return _NUMBERS[modifier](int(present), wanted)
    if "re" in modifiers:
        flags = "".join({"i": "i", "m": "m", "s": "s"}.get(each, "") for each in modifiers)
        pattern = f"(?{flags}){wanted}" if flags else wanted
        return re2.search(pattern, str(present)) is not None
    if "cidr" in modifiers:
        return ipaddress.ip_address(present) in ipaddress.ip_network(wanted)
    if "fieldref" in modifiers:
        return _reference_holds(str(present), event.get(wanted), modifiers)
    return _text_holds(str(present), _spelled(wanted), modifiers)


def _spelled(wanted: Any) -> str:
    return str(wanted).lower() if isinstance(wanted, bool) else str(wanted)


def _reference_holds(present: str, other: Any, modifiers: list[str]) -> bool:
    if other is None:
        return False
    left, right = present.translate(_LOWER), str(other).translate(_LOWER)
    if "contains" in modifiers:
        return right in left
    if "startswith" in modifiers:
        return left.startswith(right)
    return left.endswith(right) if "endswith" in modifiers else left == right


def _text_holds(present: str, wanted: str, modifiers: list[str]) -> bool:
    return any(_pattern_holds(present, each, modifiers) for each in _encoded(wanted, modifiers))


def _encoded(wanted: str, modifiers: list[str]) -> Iterator[str]:
    """The texts that a value stands for, as patterns."""
    if "windash" in modifiers:
        yield from _with_dashes(wanted)
        return
    if "base64" not in modifiers and "base64offset" not in modifiers:
        yield wanted
        return
    text = re.sub(r"\\([*?\\])", r"\1", wanted)
    raw = text.encode("utf-16le") if "wide" in modifiers else text.encode()
    if "base64" in modifiers:
        yield base64.b64encode(raw).decode()
        return
    for shift in range(3):
        encoded = base64.b64encode(b" " * shift + raw).decode().rstrip("=")
        # Digits that hold bits of what stands before or behind are not this text's.
        first = (0, 2, 3)[shift]
        last = (shift + len(raw)) * 8 // 6
        yield encoded[first:last]


def _with_dashes(wanted: str) -> Iterator[str]:
    places = [match.start() for match in re.finditer(r"\B[-/]\b", wanted)]
    for dashes in itertools.product(_DASHES, repeat=len(places)):
        letters = list(wanted)
        for place, dash in zip(places, dashes, strict=True):
            letters[place] = dash
        yield "".join(letters)


def _pattern_holds(present: str, wanted: str, modifiers: list[str]) -> bool:
    pattern = _as_regex(wanted)
    if "contains" in modifiers or "endswith" in modifiers:
        pattern = f".*{pattern}"
    if "contains" in modifiers or "startswith" in modifiers:
        pattern = f"{pattern}.*"
    flags = re.DOTALL if "cased" in modifiers else re.DOTALL | re.IGNORECASE | re.ASCII
    return re.fullmatch(pattern, present, flags) is not None


def _as_regex(wanted: str) -> str:
    r"""`*` and `?` are wildcards; `\*`, `\?` and `\\` are themselves, other backslashes too."""
    tokens = re.findall(r"\\[*?\\]|.", wanted, re.DOTALL)
    spelled = {"*": ".*", "?": "."}
    return "".join(
        spelled.get(token) or re.escape(token[1:] if len(token) == 2 else token) for token in tokens
    )
