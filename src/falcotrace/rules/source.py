"""YAML text to nodes that remember where they were written.

In comes the text of a rules file, out comes a tree of mappings, sequences and scalars with offsets.
Scalars are texts as written: no `yes` becomes true, no `017` fifteen. The reader follows yaml-cpp,
which Falco uses, where it differs from PyYAML: the first of two equal keys wins, merge keys are
keys like any other, a quote that is never closed ends with the file. What the nodes mean is
`items`' business.

The tree is built from events rather than with `compose()`: depth and size stay bounded, and aliases
share nodes, whatever the file says.
"""

import bisect
import dataclasses
import functools
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from falcotrace.errors import Context, Location, Span
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.faults import Fault

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_NODES = 1_000_000
MAX_DEPTH = 100


class TextSource:
    """The text of a file, or a text that was given as such."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    @functools.cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", self.text))]

    def locate(self, start: int, end: int) -> Location:
        """Return file, line and column of a character."""
        line = bisect.bisect_right(self._line_starts, start) - 1
        line_start = self._line_starts[line]
        following = self._line_starts[line + 1 : line + 2]
        line_text = self.text[line_start : following[0] if following else None].rstrip("\r\n")
        column = start - line_start
        length = max(0, min(end - start, len(line_text) - column))
        return Location(self.name, line + 1, column + 1, line_text, length)

    def usages(self, start: int) -> Sequence[Context]:
        """Nothing leads to a file's own text."""
        del start
        return ()

    def span(self, start: int, end: int) -> Span:
        """Return a span of the text."""
        return Span(self, start, end)


class ScalarSource:
    """The value of a YAML scalar: folded, unquoted, with escapes undone.

    Where its characters were written is worked out only when somebody asks, that is for a
    diagnostic.
    """

    def __init__(self, value: str, file: TextSource, node: "Scalar") -> None:
        self.text = value
        self._file = file
        self._node = node

    def locate(self, start: int, end: int) -> Location:
        """Return where the characters from `start` to `end` of the value stand in the file."""
        offsets = self._offsets
        first = offsets[start] if start < len(offsets) else self._end
        last = offsets[end - 1] + 1 if start < end <= len(offsets) else first
        return self._file.locate(first, max(first, last))

    def usages(self, start: int) -> Sequence[Context]:
        """Nothing leads to a value's own text."""
        del start
        return ()

    @property
    def _end(self) -> int:
        return self._offsets[-1] + 1 if self._offsets else self._node.start

    @functools.cached_property
    def _offsets(self) -> list[int]:
        return _align(self.text, self._file.text, self._node)


@dataclasses.dataclass(slots=True, eq=False)
class Scalar:
    """A scalar: its value, the style character (empty for plain), and where it begins and ends."""

    value: str
    style: str
    start: int
    end: int

    @property
    def is_null(self) -> bool:
        """Whether yaml-cpp takes it for null."""
        return not self.style and self.value in {"", "~", "null", "Null", "NULL"}


@dataclasses.dataclass(slots=True, eq=False)
class SequenceNode:
    """A sequence of nodes."""

    items: "list[Node]"
    start: int
    end: int


@dataclasses.dataclass(slots=True, eq=False)
class MappingNode:
    """A mapping: keys and values in the order written, duplicates included."""

    pairs: "list[tuple[Node, Node]]"
    start: int
    end: int

    def get(self, key: str) -> "Node | None":
        """Return the value of the first key of that name, or None."""
        for name, value in self.pairs:
            if isinstance(name, Scalar) and name.value == key:
                return value
        return None


Node = Scalar | SequenceNode | MappingNode


def read_source(path: Path) -> TextSource:
    """Read a rules file.

    Raises:
        Fault: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise Fault(message, code=LoadCode.ERR_FILE_READ) from error
    if len(raw) > MAX_FILE_BYTES:
        message = f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB, the limit for a rules file"
        raise Fault(message, code=LoadCode.ERR_FILE_READ)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = TextSource(str(path), raw[: error.start].decode("utf-8-sig"))
        message = f"byte {error.start} is not UTF-8 text"
        span = good.span(len(good.text), len(good.text))
        raise Fault(message, span, code=LoadCode.ERR_YAML_PARSE) from error
    return TextSource(str(path), text)


@dataclasses.dataclass(frozen=True, slots=True)
class Documents:
    """The YAML documents of a text.

    Args:
        roots: the root node of each document; None for an empty one.
        unclosed: a quote that only the end of the text closes.
    """

    roots: Sequence[Node | None]
    unclosed: Span | None = None


def compose_documents(source: TextSource) -> Documents:
    """Read all documents of a text.

    Raises:
        Fault: not YAML, or nested or large beyond the limits.
    """
    if len(source.text) > MAX_FILE_BYTES:
        message = f"longer than {MAX_FILE_BYTES // 2**20} Mi characters, the limit for rules"
        raise Fault(message, code=LoadCode.ERR_YAML_PARSE)
    try:
        return Documents(_Composer(source, source.text).compose())
    except yaml.YAMLError as error:
        opened_at = _find_unclosed(error)
        if opened_at is None:
            raise _parse_fault(source, error) from error
    try:
        # yaml-cpp closes the quote at the end of the text without a word.
        closed = source.text + source.text[opened_at]
        roots = _Composer(source, closed).compose()
    except yaml.YAMLError as error:
        raise _parse_fault(source, error) from error
    return Documents(roots, source.span(opened_at, opened_at + 1))


def _find_unclosed(error: yaml.YAMLError) -> int | None:
    """Return where the quote stands that an error says is never closed."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.context_mark is None:
        return None
    is_unclosed = error.context == "while scanning a quoted scalar"
    if not is_unclosed or error.problem != "found unexpected end of stream":
        return None
    return error.context_mark.index


def _parse_fault(source: TextSource, error: yaml.YAMLError) -> Fault:
    position = 0
    message = str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        position = mark.index if mark is not None else 0
        message = ", ".join(part for part in (error.context, error.problem) if part)
    elif isinstance(error, yaml.reader.ReaderError):
        position = error.position
        message = f"{error.reason}: character U+{ord(source.text[position]):04X}"
    return _not_yaml(message, source.span(position, position))


def _not_yaml(message: str, span: Span) -> Fault:
    # Falco's chain for a syntax error is one nameless link of this kind.
    chain = (Context(ItemKind.VALUE_FOR, span=span),)
    return Fault(f"not YAML: {message}", span, code=LoadCode.ERR_YAML_PARSE, chain=chain)


class _Composer:
    """Builds the nodes of one text from libyaml's events, with an explicit stack."""

    def __init__(self, source: TextSource, text: str) -> None:
        self._source = source
        self._parser = yaml.CBaseLoader(text)
        self._anchors: dict[str, Node] = {}
        self._stack: list[SequenceNode | MappingNode] = []
        self._keys: list[Node | None] = []
        self._count = 0
        self._root: Node | None = None

    def compose(self) -> list[Node | None]:
        documents: list[Node | None] = []
        try:
            while (event := self._parser.get_event()) is not None:
                self._take(event, documents)
        finally:
            self._parser.dispose()
        return documents

    def _take(self, event: yaml.Event, documents: list[Node | None]) -> None:
        assert event.start_mark is not None
        assert event.end_mark is not None
        start, end = event.start_mark.index, event.end_mark.index
        match event:
            case yaml.ScalarEvent():
                style = event.style or ""
                node = Scalar(event.value, style, start, end)
                self._add(node, event.anchor)
            case yaml.MappingStartEvent():
                self._open(MappingNode([], start, end), event.anchor)
                self._keys.append(None)
            case yaml.SequenceStartEvent():
                self._open(SequenceNode([], start, end), event.anchor)
                self._keys.append(None)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop().end = end
                self._keys.pop()
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    message = f"no anchor `{event.anchor}` for this alias"
                    raise _not_yaml(message, self._source.span(start, end))
                self._add(self._anchors[event.anchor], None)
            case yaml.DocumentStartEvent():
                self._root = None
                self._anchors.clear()
            case yaml.DocumentEndEvent():
                root = self._root
                documents.append(None if isinstance(root, Scalar) and root.is_null else root)

    def _open(self, node: SequenceNode | MappingNode, anchor: str | None) -> None:
        self._add(node, anchor)
        self._stack.append(node)
        if len(self._stack) > MAX_DEPTH:
            span = self._source.span(node.start, node.start + 1)
            message = f"nested deeper than {MAX_DEPTH} levels, the limit for rules files"
            raise Fault(message, span, code=LoadCode.ERR_YAML_PARSE)

    def _add(self, node: Node, anchor: str | None) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            span = self._source.span(node.start, node.start + 1)
            message = f"more than {MAX_NODES:,} values, the limit for a rules file"
            raise Fault(message, span, code=LoadCode.ERR_YAML_PARSE)
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if isinstance(parent, SequenceNode):
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = node
        else:
            parent.pairs.append((key, node))
            self._keys[-1] = None


_PROPERTIES = re.compile(r"(?:[&!][^\s]*\s+)*")
_BLOCK_HEADER = re.compile(r"[|>][^\r\n]*(?:\r\n|\n|\r|$)")
_BLANKS = " \t\r\n\x85\u2028\u2029"
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r\n|.)", re.DOTALL)


def _align(value: str, raw: str, node: Scalar) -> list[int]:
    """Find the offset in `raw` of each character of a scalar's value.

    Exact for everything but blanks, of which folding keeps some and drops others.
    """
    position = node.start
    match = _PROPERTIES.match(raw, position)
    position = match.end() if match else position
    if node.style in {"|", ">"}:
        header = _BLOCK_HEADER.match(raw, position)
        position = header.end() if header else position
    elif node.style:
        position += 1
    offsets: list[int] = []
    for char in value:
        if char not in _BLANKS:
            position = _skip_to_text(raw, position, node.style)
        offsets.append(min(position, len(raw)))
        position += _unit_length(raw, position, node.style, char)
    return offsets


def _skip_to_text(raw: str, position: int, style: str) -> int:
    """Skip blanks, and in double quotes line ends with a backslash before them."""
    while position < len(raw):
        if raw[position] in _BLANKS:
            position += 1
        elif style == '"' and raw[position] == "\\" and raw[position + 1 : position + 2] in "\r\n":
            position += 2
        else:
            break
    return position


def _unit_length(raw: str, position: int, style: str, char: str) -> int:
    """How many characters of `raw` one character of the value takes."""
    if style == "'" and raw.startswith("''", position):
        return 2
    if style == '"' and raw.startswith("\\", position):
        escape = _ESCAPE.match(raw, position)
        return len(escape.group()) if escape else 1
    if char in _BLANKS and raw[position : position + 1] not in _BLANKS:
        return 0
    return 1
