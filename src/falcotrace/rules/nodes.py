"""Values of YAML nodes: texts, booleans, numbers and sequences, with Falco's complaints.

Wraps one mapping of a rules file with the chain of items that leads to it. Which keys exist and
what they mean is `read`'s business.

Source: falco 13074749 userspace/engine/rule_loader_reader.cpp, decode_val_generic and decode_seq;
yaml-cpp convert.h (spellings of booleans and numbers).
"""

import re

from falcotrace.errors import Context, Span
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.faults import Fault
from falcotrace.rules.items import Chain
from falcotrace.rules.source import (
    MappingNode,
    Node,
    Scalar,
    ScalarSource,
    SequenceNode,
    TextSource,
)

_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})
_UNSIGNED = re.compile(r"\+?(0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,20})")


class File:
    """A rules file while it is read: makes spans, and counts values that aliases repeat."""

    MAX_VALUES = 1_000_000

    def __init__(self, source: TextSource) -> None:
        self.source = source
        self._values_left = self.MAX_VALUES

    def span(self, node: Node) -> Span:
        """Return where a node begins; one line of it at most."""
        text = self.source.text
        line_end = text.find("\n", node.start)
        line_end = len(text) if line_end < 0 else line_end
        start = node.start
        while start < line_end and text[start] in " \t":
            start += 1
        return self.source.span(start, max(start, min(node.end, line_end)))

    def text_span(self, scalar: Scalar) -> Span:
        """Return the value of a scalar as a span over itself."""
        source = ScalarSource(scalar.value, self.source, scalar)
        return Span(source, 0, len(scalar.value))

    def count(self, values: int, chain: Chain) -> None:
        """Count values that are about to be read.

        Raises:
            Fault: too many, which only aliases of aliases can reach.
        """
        self._values_left -= values
        if self._values_left < 0:
            message = f"more than {self.MAX_VALUES:,} values once aliases are followed"
            raise Fault(message, chain=chain, code=LoadCode.ERR_YAML_VALIDATE)


class Fields:
    """The keys of one mapping, and the chain that leads to it."""

    def __init__(self, file: File, node: MappingNode, chain: Chain) -> None:
        self.file = file
        self.node = node
        self.chain = chain
        self._first: dict[str, Node] = {}
        for key, value in node.pairs:
            if isinstance(key, Scalar):
                # yaml-cpp finds the first of two equal keys.
                self._first.setdefault(key.value, value)

    def has(self, key: str) -> bool:
        """Whether the key is there, whatever its value."""
        return key in self._first

    def get(self, key: str) -> Node | None:
        """Return the node of a key, or None."""
        return self._first.get(key)

    def key_nodes(self) -> list[tuple[str, Node]]:
        """The keys as written; an empty name for a key that is not a text."""
        return [(key.value if isinstance(key, Scalar) else "", key) for key, _ in self.node.pairs]

    def fail(self, message: str, node: Node | None = None, help_text: str | None = None) -> Fault:
        """Return a complaint about the mapping, pointing at a node in it."""
        span = self.file.span(node or self.node)
        return Fault(
            message, span, code=LoadCode.ERR_YAML_VALIDATE, chain=self.chain, help_text=help_text
        )

    def value_chain(self, key: str) -> Chain:
        """Return the chain to the value of a key."""
        node = self._first.get(key)
        span = self.file.span(node) if node is not None else None
        return (*self.chain, Context(ItemKind.VALUE_FOR, key, span))

    def text(self, key: str) -> Span:
        """Return a required text.

        Raises:
            Fault: absent, null, not a scalar, or empty.
        """
        return self.file.text_span(self._scalar(key))

    def optional_text(self, key: str) -> Span | None:
        """Return a text, or None if the key is absent."""
        return self.text(key) if self.has(key) else None

    def optional_flag(self, key: str) -> bool | None:
        """Return a boolean, or None if the key is absent."""
        if not self.has(key):
            return None
        word = self._scalar(key).value
        if word in {word.lower(), word.upper(), word.capitalize()}:
            if word.lower() in _TRUE:
                return True
            if word.lower() in _FALSE:
                return False
        raise self._bad_value(key, f"expected true or false, found `{word}`")

    def optional_number(self, key: str) -> int | None:
        """Return an unsigned 32-bit number, or None if the key is absent."""
        if not self.has(key):
            return None
        number = unsigned_number(self._scalar(key).value)
        if number is None:
            word = self._scalar(key).value
            raise self._bad_value(key, f"expected a whole number below 2^32, found `{word}`")
        return number

    def texts(self, key: str) -> tuple[Span, ...]:
        """Return a required sequence of texts.

        Raises:
            Fault: absent, no sequence, or an element that is no text.
        """
        node = self._first.get(key)
        if node is None:
            raise self.fail(f"the key `{key}` is missing")
        chain = self.value_chain(key)
        if not isinstance(node, SequenceNode):
            raise self._bad_value(key, f"`{key}` needs a sequence, such as [a, b]")
        self.file.count(len(node.items), chain)
        texts: list[Span] = []
        for item in node.items:
            if not isinstance(item, Scalar) or item.is_null:
                span = self.file.span(item)
                raise Fault(
                    f"every element of `{key}` must be a text",
                    span,
                    code=LoadCode.ERR_YAML_VALIDATE,
                    chain=(*chain, Context(ItemKind.LIST_ITEM, span=span)),
                    help_text="null as a text needs quotes",
                )
            texts.append(self.file.text_span(item))
        return tuple(texts)

    def _scalar(self, key: str) -> Scalar:
        node = self._first.get(key)
        if node is None:
            raise self.fail(f"the key `{key}` is missing")
        if isinstance(node, Scalar):
            if node.is_null:
                raise self.fail(f"the value of `{key}` is empty", node)
            if node.value:
                return node
            raise self._bad_value(key, f"the value of `{key}` is empty")
        raise self._bad_value(key, f"`{key}` needs a text")

    def _bad_value(self, key: str, message: str) -> Fault:
        return Fault(
            message,
            self.file.span(self._first[key]),
            code=LoadCode.ERR_YAML_VALIDATE,
            chain=self.value_chain(key),
        )


def unsigned_number(text: str) -> int | None:
    """Convert an unsigned 32-bit number as yaml-cpp does: decimal, 0x.., or octal after a zero."""
    if not _UNSIGNED.fullmatch(text):
        return None
    digits = text.lstrip("+")
    is_octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xX"
    number = int(digits, 8 if is_octal else 0)
    return number if number < 1 << 32 else None
