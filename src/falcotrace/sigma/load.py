"""Rules of Falco and of Sigma, in one list of files and folders, to a plan.

Files of Falco's go to `rules.load` as they are; those of Sigma are converted, and what could not be
said in Falco's language stands beside the plan. pySigma is imported when there is such a file.
"""

import bisect
import dataclasses
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from falcotrace.errors import Location, Span
from falcotrace.rules.faults import Fault
from falcotrace.rules.left_out import LeftOut
from falcotrace.rules.load import (
    SUFFIXES,
    ConvertedRules,
    Ruleset,
    RulesSource,
    RulesText,
    expand_source,
    load_rules,
)
from falcotrace.rules.source import TextSource, read_source
from falcotrace.sigma.shape import is_sigma

if TYPE_CHECKING:
    from falcotrace.sigma.convert import Conversion
    from falcotrace.sigma.documents import SigmaDocument


@dataclasses.dataclass(frozen=True, slots=True)
class _Loadable:
    """A file of rules; the text if it is one of Sigma's."""

    source: RulesSource
    sigma: TextSource | None


def load_any_rules(
    sources: Iterable[Path | str | RulesText],
    *,
    append_suggested: bool = False,
    verify_plugins: bool = True,
) -> Ruleset:
    """Load rules of Falco and of Sigma.

    Of a folder, Falco's files are those that stand in it, as in Falco; Sigma's also those in
    folders below it, as rules of Sigma are kept.

    Args:
        sources: files, folders, or texts, in order.
        append_suggested: see `rules.load.load_rules`.
        verify_plugins: see `rules.load.load_rules`.
    """
    files = [file for source in sources for file in _files(source)]
    loadable, conversions = _convert(files)
    ruleset = load_rules(loadable, append_suggested=append_suggested, verify_plugins=verify_plugins)
    left_out = tuple(
        LeftOut(each.name, each.converted.condition is not None, each.converted.reasons, each.span)
        for each in conversions
        if each.converted.reasons
    )
    return dataclasses.replace(ruleset, plan=dataclasses.replace(ruleset.plan, left_out=left_out))


def falco_sources(sources: Iterable[Path | str | RulesText]) -> tuple[Path | RulesText, ...]:
    """The files and texts of rules that are in Falco's language: they alone define names."""
    files = [file for source in sources for file in _files(source)]
    return tuple(
        file.source
        for file in files
        if file.sigma is None and isinstance(file.source, Path | RulesText)
    )


def convert_rules(sources: Iterable[Path | str | RulesText]) -> "tuple[Conversion, ...]":
    """Convert the Sigma rules of files and folders; other files are passed over."""
    files = [file for source in sources for file in _files(source)]
    return _convert(files)[1]


def _convert(files: Sequence[_Loadable]) -> "tuple[list[RulesSource], tuple[Conversion, ...]]":
    texts = [file.sigma for file in files if file.sigma is not None]
    if not texts:
        return [file.source for file in files], ()
    from falcotrace.sigma.convert import convert_document  # noqa: PLC0415 - takes long
    from falcotrace.sigma.documents import read_documents  # noqa: PLC0415 - as above

    documents = read_documents(texts)
    names = _names([each for found in documents for each in found])
    converted = iter(
        [[convert_document(each, next(names)) for each in found] for found in documents]
    )
    loadable: list[RulesSource] = []
    conversions: list[Conversion] = []
    # Neighbours are loaded as one file: everything is looked at again after each.
    for is_one, group in itertools.groupby(files, key=lambda file: file.sigma is not None):
        if is_one:
            found = [each for _ in group for each in next(converted)]
            loadable.append(ConvertedRules(_printed(found)))
            conversions += found
        else:
            loadable += [file.source for file in group]
    return loadable, tuple(conversions)


def _names(documents: "Sequence[SigmaDocument]") -> Iterator[str]:
    """A name for each rule: its title, and the beginning of its id where titles are the same."""
    taken: Counter[str] = Counter()
    for document in documents:
        name = document.title
        if taken[name]:
            name = f"{name} ({document.id[:8] or taken[name] + 1})"
        taken[document.title] += 1
        taken[name] += name != document.title
        yield name


def print_rules(conversions: "Iterable[Conversion]") -> str:
    """The rules that run, as a rules file of Falco."""
    return _printed(list(conversions)).text


def _printed(conversions: "Sequence[Conversion]") -> TextSource:
    from falcotrace.sigma.rule_text import print_rule  # noqa: PLC0415 - takes long

    items = [(print_rule(each), each.span) for each in conversions if each.converted.condition]
    ends = list(itertools.accumulate(len(text) + 1 for text, _ in items))
    spans = [span for _, span in items]
    name = spans[0].locate().file if spans else "<sigma>"
    return _PlacedText(name, "\n".join(text for text, _ in items), ends, spans)


class _PlacedText(TextSource):
    """Converted rules; every place in them is the title of the rule that they were made from."""

    def __init__(self, name: str, text: str, ends: Sequence[int], spans: Sequence[Span]) -> None:
        super().__init__(name, text)
        self._ends = ends
        self._spans = spans

    def locate(self, start: int, end: int) -> Location:
        """Return where the rule was written."""
        if not self._spans:
            return super().locate(start, end)
        place = min(bisect.bisect_right(self._ends, start), len(self._spans) - 1)
        return self._spans[place].locate()


def _files(source: Path | str | RulesText) -> Iterator[_Loadable]:
    """The files of a source, those of Sigma with their text."""
    if isinstance(source, RulesText):
        given = TextSource(source.name, source.text.removeprefix("\ufeff"))
        yield _Loadable(source, given if is_sigma(given) else None)
        return
    path = Path(source)
    falco = [each for each in expand_source(path) if isinstance(each, Path)]
    below = sorted(_files_below(path)) if path.is_dir() else ()
    own = frozenset(falco)
    for file in sorted({*falco, *below}):
        # A broken file that somebody names is an error; one far below is told among the rules.
        text = _sigma_text(file, takes_broken=file not in own)
        if text is not None or file in own:
            yield _Loadable(file, text)


def _files_below(folder: Path) -> Iterator[Path]:
    """Rules files of a folder and of those below it; links to folders are not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in names if Path(name).suffix in SUFFIXES)


def _sigma_text(path: Path, *, takes_broken: bool) -> TextSource | None:
    if path.suffix not in SUFFIXES or not path.is_file():
        return None
    try:
        text = read_source(path)
    except Fault:
        return None
    return text if is_sigma(text, takes_broken=takes_broken) else None
