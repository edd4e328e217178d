"""Answers about rules that show themselves in notebooks: the same values, drawn as HTML."""

from dataclasses import dataclass, fields
from typing import Self

from falcotrace.explain.event import EventExplanation
from falcotrace.explain.misses import Misses


@dataclass(frozen=True, slots=True)
class ShownExplanation(EventExplanation):
    """Why a rule fires on an event, or does not; Jupyter draws it."""

    @classmethod
    def of(cls, explained: EventExplanation) -> Self:
        """The same explanation, shown."""
        return cls(**{one.name: getattr(explained, one.name) for one in fields(explained)})

    def _repr_html_(self) -> str:
        from falcotrace.outputs.explanation_html import explanation_html  # noqa: PLC0415 - Jupyter's

        return explanation_html(self)


@dataclass(frozen=True, slots=True)
class ShownMisses(Misses):
    """What a capture has for a rule; Jupyter draws it."""

    @classmethod
    def of(cls, misses: Misses) -> Self:
        """The same answer, shown."""
        return cls(**{one.name: getattr(misses, one.name) for one in fields(misses)})

    def _repr_html_(self) -> str:
        from falcotrace.outputs.explanation_html import misses_html  # noqa: PLC0415 - Jupyter's

        return misses_html(self)
