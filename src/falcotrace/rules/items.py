"""The items of a rules file as written: lists, macros, rules, updates of rules, requirements.

`read` makes them from YAML, `collect` puts them together. Texts are spans, so each still knows its
place in the file. Nothing is parsed, looked up or joined here.
"""

import dataclasses

from falcotrace.errors import Context, Span
from falcotrace.rules.plan import Priority

Chain = tuple[Context, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class EngineRequirement:
    """`required_engine_version`, as (major, minor, patch)."""

    version: tuple[int, int, int]
    span: Span
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class PluginVersion:
    """One way to satisfy a requirement: a plugin's name and its version as written."""

    name: Span
    version: Span


@dataclasses.dataclass(frozen=True, slots=True)
class PluginRequirement:
    """One entry of `required_plugin_versions`: the plugin named, and its alternatives."""

    choices: tuple[PluginVersion, ...]
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class ListItem:
    """A list; `is_append` adds its items to a list that exists."""

    name: Span
    items: tuple[Span, ...]
    is_append: bool
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class MacroItem:
    """A macro; `is_append` joins its condition to a macro that exists."""

    name: Span
    condition: Span
    is_append: bool
    chain: Chain


Entry = Span | tuple["Entry", ...]
"""A text, or a sequence of entries."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExceptionItem:
    """An exception of a rule; what was not written is None."""

    name: Span
    fields: Entry | None
    comparisons: Entry | None
    values: tuple[Entry, ...]
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class KeyItem:
    """One entry of `by`: a name or a field, and the field that a name of its own stands for."""

    name: Span
    field: Span | None


@dataclasses.dataclass(frozen=True, slots=True)
class StepItem:
    """A step of a sequence; `keys` are those that it reads elsewhere than the rule's event."""

    condition: Span
    keys: tuple[KeyItem, ...]
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class CountItem:
    """The key `count` of a rule; the span in ns."""

    at_least: int
    distinct: Span | None
    keys: tuple[KeyItem, ...]
    within_ns: int
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class SequenceItem:
    """The key `sequence` of a rule; the span in ns."""

    keys: tuple[KeyItem, ...]
    within_ns: int
    after: tuple[StepItem, ...]
    without: tuple[StepItem, ...]
    unless_followed_by: tuple[StepItem, ...]
    chain: Chain


CorrelationItem = CountItem | SequenceItem
"""What a rule says about several events."""


@dataclasses.dataclass(frozen=True, slots=True)
class RuleKeys:
    """What an item says about a rule; None where it says nothing."""

    condition: Span | None = None
    output: Span | None = None
    description: Span | None = None
    priority: Priority | None = None
    source: Span | None = None
    tags: tuple[str, ...] | None = None
    exceptions: tuple[ExceptionItem, ...] | None = None
    enabled: bool | None = None
    warn_evttypes: bool | None = None
    skip_if_unknown_filter: bool | None = None
    capture: bool | None = None
    capture_duration_ms: int | None = None
    correlation: CorrelationItem | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RuleDefinition:
    """A whole rule: condition, output, description and priority are there."""

    name: Span
    keys: RuleKeys
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class RuleAppend:
    """Additions to a rule that exists."""

    name: Span
    keys: RuleKeys
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class RuleReplace:
    """Replacements in a rule that exists."""

    name: Span
    keys: RuleKeys
    chain: Chain


@dataclasses.dataclass(frozen=True, slots=True)
class RuleSwitch:
    """The old way to switch a rule on or off: only `rule` and `enabled`."""

    name: Span
    enabled: bool
    chain: Chain


Item = (
    EngineRequirement
    | PluginRequirement
    | ListItem
    | MacroItem
    | RuleDefinition
    | RuleAppend
    | RuleReplace
    | RuleSwitch
)
