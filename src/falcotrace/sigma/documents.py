"""Files of Sigma rules, read with pySigma.

In: texts. Out: each rule with the place of its title, filters applied, correlations known.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

import re2
import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern
from sigma.rule import SigmaRule
from sigma.rule.base import SigmaYAMLLoader

from falcotrace.errors import Span
from falcotrace.rules.faults import Fault
from falcotrace.rules.source import MappingNode, Node, Scalar, TextSource, compose_documents

_LONGEST_PROBLEM = 300


@dataclasses.dataclass(frozen=True, slots=True)
class SigmaDocument:
    """One rule of a file.

    Args:
        title: its title, or the file's name if it has none.
        span: where the title stands.
        rule: what pySigma read; None if it could not.
        problem: why it cannot be used, if so.
    """

    title: str
    span: Span
    rule: SigmaRule | SigmaCorrelationRule | None
    problem: str = ""

    @property
    def id(self) -> str:
        """The rule's id; empty if it has none."""
        return str(self.rule.id or "") if self.rule is not None else ""


def read_documents(sources: Sequence[TextSource]) -> list[list[SigmaDocument]]:
    """Read the rules of all files together: filters and correlations reach across files."""
    files = [_read_file(source) for source in sources]
    filters = [each for _, found in files for each in found]
    found_rules = [documents for documents, _ in files]
    for documents in found_rules:
        for place, document in enumerate(documents):
            documents[place] = _filtered(document, filters)
    parts = _parts_of_correlations(found_rules)
    seen: set[str] = set()
    return [[_judged(document, parts, seen) for document in documents] for documents in found_rules]


_UNREADABLE = (yaml.YAMLError, SigmaError, TypeError, ValueError, AttributeError, KeyError)
"""What pySigma raises about a file, on purpose and where it expected another shape."""


def _read_file(source: TextSource) -> tuple[list[SigmaDocument], list[SigmaFilter]]:
    try:
        roots = [root for root in compose_documents(source).roots if root is not None]
    except Fault as fault:
        return [_unread(source, (), ValueError(fault.message))], []
    try:
        documents = [each for each in _load_yaml(source.text) if each is not None]
    except (*_UNREADABLE, RecursionError) as error:
        return [_unread(source, roots, error)], []
    written = list(zip(roots, documents, strict=True))
    # Documents with an action change those behind them; others have nothing to do with each other.
    depends = any(isinstance(each, dict) and "action" in each for each in documents)
    groups = [written] if depends else [[each] for each in written]
    read: list[SigmaDocument] = []
    filters: list[SigmaFilter] = []
    for group in groups:
        found, found_filters = _read_group(source, group)
        read += found
        filters += found_filters
    return read, filters


def _read_group(
    source: TextSource, group: Sequence[tuple[Node, Any]]
) -> tuple[list[SigmaDocument], list[SigmaFilter]]:
    roots = [root for root, _ in group]
    if not all(isinstance(document, dict) for _, document in group):
        message = "is no rule of Sigma; keep rules of Falco in a file of their own"
        return [_unread(source, roots, ValueError(message))], []
    places = [
        root
        for root, document in group
        if document.get("action", "repeat") == "repeat" and "filter" not in document
    ]
    try:
        collection = _collect([document for _, document in group])
    except (*_UNREADABLE, RecursionError) as error:
        return [_unread(source, roots, error)], []
    rules = collection.rules
    if len(places) != len(rules):
        places = roots[:1] * len(rules)
    if not rules and not collection.filters and collection.errors:
        return [_unread(source, roots, collection.errors[0])], []
    read = [_document(source, root, rule) for root, rule in zip(places, rules, strict=True)]
    return read, collection.filters


class _QuietExpressions(RegexEngine):
    """RE2, without the log in which it prints what is wrong with a pattern.

    pySigma's own engine cannot be copied either, and filters are.
    """

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        letters = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
        prefix = "".join(letter for flag, letter in letters.items() if flags & flag)
        options = re2.Options()
        options.log_errors = False
        compiled: RegexPattern = re2.compile(
            f"(?{prefix}){pattern}" if prefix else pattern, options
        )
        return compiled

    @property
    def error(self) -> type[Exception]:
        """What a bad pattern raises."""
        error: type[Exception] = re2.error
        return error


_POLICY = SigmaPolicy(regex_engine=_QuietExpressions())


def _load_yaml(text: str) -> list[Any]:
    # The loader is yaml's safe one, and refuses a key that stands twice.
    return list(yaml.load_all(text, SigmaYAMLLoader))


def _collect(documents: list[Any]) -> SigmaCollection:
    return SigmaCollection.from_dicts(
        documents,
        collect_errors=True,
        collect_filters=True,
        resolve_references=False,
        policy=_POLICY,
    )


def _document(
    source: TextSource, root: Node, rule: SigmaRule | SigmaCorrelationRule
) -> SigmaDocument:
    title = " ".join(str(rule.title or "").split())
    problem = "; ".join(map(str, rule.errors))
    return SigmaDocument(title or source.name, _title_span(source, root), rule, _one_line(problem))


def _unread(source: TextSource, roots: Sequence[Node], error: Exception) -> SigmaDocument:
    span = _title_span(source, roots[0]) if roots else source.span(0, 0)
    title = span.text if len(span.text.splitlines()) == 1 else ""
    problem = _one_line(str(error)) or f"it cannot be read ({type(error).__name__})"
    return SigmaDocument(title or source.name, span, None, problem)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_PROBLEM]


def _title_span(source: TextSource, root: Node) -> Span:
    title = root.get("title") if isinstance(root, MappingNode) else None
    place = title if isinstance(title, Scalar) else root
    end = place.end if isinstance(place, Scalar) else place.start
    return source.span(place.start, end)


def _filtered(document: SigmaDocument, filters: Sequence[SigmaFilter]) -> SigmaDocument:
    rule = document.rule
    if rule is None or document.problem:
        return document
    try:
        for each in filters:
            if each.errors:
                continue
            rule = each.apply_on_rule(rule)
    except (SigmaError, ValueError) as error:
        return dataclasses.replace(document, problem=_one_line(f"filter `{each.title}`: {error}"))
    return dataclasses.replace(document, rule=rule)


def _parts_of_correlations(files: Sequence[Sequence[SigmaDocument]]) -> dict[str, str]:
    """Names and ids of rules that are only parts of a correlation, and its title."""
    parts: dict[str, str] = {}
    for documents in files:
        for document in documents:
            rule = document.rule
            if isinstance(rule, SigmaCorrelationRule) and not rule.generate:
                parts |= dict.fromkeys(
                    (each.reference for each in rule.rules or ()), document.title
                )
    return parts


def _judged(document: SigmaDocument, parts: dict[str, str], seen: set[str]) -> SigmaDocument:
    rule = document.rule
    if rule is None or document.problem:
        return document
    if isinstance(rule, SigmaCorrelationRule):
        problem = "is a correlation: it counts events over time, and a rule is asked of one"
        return dataclasses.replace(document, problem=problem)
    if document.id in seen:
        return dataclasses.replace(document, problem="a rule with its id came before")
    seen |= {document.id} - {""}
    for name in _names(rule):
        if name in parts:
            problem = f"is a part of the correlation `{parts[name]}`, which is not run"
            return dataclasses.replace(document, problem=problem)
    return document


def _names(rule: SigmaRule) -> Iterator[str]:
    yield str(rule.id or "")
    if rule.name is not None:
        yield rule.name
