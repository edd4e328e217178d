"""Whether the value behind a field is what the host had, or only what is known of it.

A capture says of itself what it lacks: `evt.cut`, `proc.cut` and `fd.is_cut` name what was cut, the
footer has columns that a recording never fills and the account of losses. In: one event and an
operand. Out: a doubt, with what of the value is known all the same; None where the value, or that
there is none, is certain.
"""

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np

from falcotrace.capture.footer import Footer
from falcotrace.capture.summary import is_near_losses
from falcotrace.engines.base import is_unrecorded
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.field_columns import columns_of, is_unsupported
from falcotrace.engines.vectors import (
    EndsVector,
    ListVector,
    NumberVector,
    TextVector,
    Vector,
    texts_of,
)
from falcotrace.events.columns import COLUMNS, PATHS, Scope
from falcotrace.events.derived import FD_EVENTS
from falcotrace.events.event_types import current_events
from falcotrace.events.fields import Storage
from falcotrace.events.operators import Multiplicity
from falcotrace.explain.decide import Known, Remnant
from falcotrace.rules.ast import Transform
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.plan import FieldOperand, Operand, TransformOperand, iter_fields


class Why(enum.StrEnum):
    """Why a value is in doubt."""

    CUT = "cut"
    LOST = "lost"
    UNRECORDED = "never recorded"
    UNSUPPORTED = "not supported"


@dataclasses.dataclass(frozen=True, slots=True)
class Doubt:
    """A value that may not be what the host had.

    Attributes:
        why: in a word.
        text: for people, of what is missing.
        remnant: what of the value is known.
    """

    why: Why
    text: str
    remnant: Remnant = Remnant.UNKNOWN


_WHOLE = Remnant.WHOLE

_CUT_COLUMNS: Mapping[str, tuple[str, Remnant]] = MappingProxyType(
    {
        "proc.cmdline": ("args", Remnant.BEGINNING),
        "proc.argv": ("args", Remnant.UNKNOWN),
        "proc.env": ("env", Remnant.UNKNOWN),
        "proc.exepath": ("exepath", Remnant.END),
        "proc.cwd": ("cwd", Remnant.END),
        "proc.root": ("root", Remnant.END),
    }
)
"""Columns of the process that a name in `proc.cut` speaks of, and what a cut leaves of them: the
kernel's paths are walked from their end, texts are read from their beginning."""

_CUT_FUNCTIONS: Mapping[tuple[str, str], Remnant] = MappingProxyType(
    {
        ("args_text", "proc.argv"): Remnant.BEGINNING,
        ("exeline", "proc.argv"): Remnant.BEGINNING,
        ("ancestor_args", "proc.argv"): Remnant.BEGINNING,
        ("cmdnargs", "proc.argv"): Remnant.AT_LEAST,
        ("cmdlenargs", "proc.argv"): Remnant.AT_LEAST,
        ("env_text", "proc.env"): Remnant.BEGINNING,
        ("ancestor_env", "proc.env"): Remnant.BEGINNING,
        ("fd_directory", "fd.name"): Remnant.END,
        ("fd_filename", "fd.name"): _WHOLE,
    }
)
"""What derived functions leave of an input that was cut; of all others nothing is known."""

_KEEPS_PART = frozenset({Transform.TOLOWER, Transform.TOUPPER})
_TEXT_PARAMS = frozenset({"CHARBUF", "BYTEBUF"})
_ARGUMENT_FUNCTIONS = frozenset({"arg", "rawarg"})

_OF_PARENT = frozenset(
    {"proc.pname", "proc.pexe", "proc.pexepath", "proc.pcmdline", "proc.ppid_ts", "proc.pvpid"}
    | {"proc.aname", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.apid"}
)
_OF_CONTAINER_ID = frozenset({"container.id", "container.full_id", "container.type"})
_HOST = frozenset({"", "host"})
_WITHOUT_PARENT = frozenset({None, 0, 1, 2})
"""`proc.pid` of init and kthreadd, and where nothing is known of the process."""


class Event:
    """One event of a row group, and what the capture says about it.

    Args:
        source: the row group.
        row: its row there.
        footer: the capture's footer.
        unrecorded: columns whose null says nothing.
    """

    def __init__(
        self, source: RowGroupSource, row: int, footer: Footer, unrecorded: frozenset[str]
    ) -> None:
        self.source = source
        self.rows = np.array([row])
        self._footer = footer
        self._unrecorded = unrecorded
        self._known: dict[str, Known] = {}

    def known(self, path: str) -> Known:
        """The value of a column; None without, and for lists."""
        if path not in self._known:
            self._known[path] = known_value(self.source.column_at(path, self.rows))
        return self._known[path]

    @property
    def type(self) -> str:
        """The event's `evt.type`."""
        return str(self.known("evt.type"))

    @cached_property
    def _cut_arguments(self) -> frozenset[str]:
        if "evt.cut" in self._unrecorded and self.known("evt.truncated"):
            # An older recording says that something was cut and not what.
            return frozenset(self._param_types)
        return frozenset(str(self.known("evt.cut") or "").split())

    @cached_property
    def _cut_of_process(self) -> frozenset[str]:
        return frozenset(str(self.known("proc.cut") or "").split())

    @cached_property
    def _param_types(self) -> Mapping[str, str]:
        event = current_events().get(self.type)
        return {param.name: param.type for param in event.params} if event else {}

    @property
    def tells_cuts(self) -> bool:
        """Whether the recording marks what was cut; older ones and imported ones do not."""
        return not self._unrecorded & {"evt.cut", "proc.cut"}

    @property
    def is_near_losses(self) -> bool:
        """Whether events were lost within seconds of it."""
        time_ns = self.known("evt.time")
        return isinstance(time_ns, int) and is_near_losses(self._footer.losses, time_ns)

    def doubt(self, operand: Operand, vector: Vector) -> Doubt | None:
        """The doubt about an operand.

        Args:
            operand: a field or a function of fields.
            vector: its value for this event.
        """
        if isinstance(operand, FieldOperand):
            # An argument without a value is a text that says so.
            stands_in = operand.field.source == "arg" and is_unrecorded(operand, self._unrecorded)
            has_value = bool(vector.present()[0]) and not stands_in
            return next(self._doubts(operand, has_value=has_value), None)
        return self._transformed(operand)

    def _transformed(self, operand: TransformOperand) -> Doubt | None:
        for field in iter_fields(operand):
            doubt = self.doubt(field, self.source.field(field, self.rows))
            if doubt is None:
                continue
            is_text = doubt.remnant in {Remnant.BEGINNING, Remnant.END}
            if operand.function is Transform.LEN and is_text:
                return dataclasses.replace(doubt, remnant=Remnant.AT_LEAST)
            if operand.function in _KEEPS_PART and operand.arguments == (field,):
                return doubt
            return dataclasses.replace(doubt, remnant=Remnant.UNKNOWN)
        return None

    def _doubts(self, field: FieldOperand, *, has_value: bool) -> Iterator[Doubt]:
        if is_unsupported(field):
            yield Doubt(Why.UNSUPPORTED, f"no capture can answer {field.text}")
            return
        if not has_value and is_unrecorded(field, self._unrecorded):
            missing = [path for path in columns_of(field) if self._is_missed(path)]
            if missing:
                yield Doubt(Why.UNRECORDED, f"this recording never fills {missing[0]}")
        for path in columns_of(field):
            remnant = self._remnant_of(path, field)
            if remnant is not None and remnant is not _WHOLE:
                yield Doubt(Why.CUT, _CUT_TEXTS[remnant], remnant)
        if not has_value and field.multiplicity is Multiplicity.ANY_NAME:
            yield from self._nameless(field)
        # Of a chain that lacks its beginning the rest may be there.
        if not has_value or field.multiplicity is Multiplicity.ANY_ANCESTOR:
            yield from self._lost(field)

    def _nameless(self, field: FieldOperand) -> Iterator[Doubt]:
        """An address can have names that nobody asked for while the recording went on."""
        (path,) = columns_of(field)
        if self.known(path.removesuffix("_name")) is not None:
            text = "no answer of a name server about this address was recorded before"
            yield Doubt(Why.UNRECORDED, text)

    def _is_missed(self, path: str) -> bool:
        """Whether a column that is never filled could have had a value for this event."""
        if path not in self._unrecorded:
            return False
        scope = COLUMNS[path].scope
        if scope is Scope.FD:
            return self.type in FD_EVENTS
        kind, _, name = path.rpartition(".")
        if kind in {"evt.arg", "evt.rawarg"} or path == "evt.buffer":
            return ("data" if path == "evt.buffer" else name) in self._param_types
        return True

    def _remnant_of(self, path: str, field: FieldOperand) -> Remnant | None:
        """What a cut leaves of a field, as far as one of its columns is concerned."""
        is_derived = field.field.storage is Storage.DERIVED
        function = field.field.source if is_derived else ""
        if function in {"args", "abspath"}:
            is_concerned = function == "args" or self._has_cut_path
            return Remnant.UNKNOWN if self._cut_arguments and is_concerned else None
        if path.startswith(("evt.arg.", "evt.rawarg.")) or function in _ARGUMENT_FUNCTIONS:
            return self._remnant_of_argument(path, field.argument)
        left = self._remnant_of_column(path)
        if left is None or not is_derived:
            return left
        if self._is_certain_item(field):
            return None
        return _CUT_FUNCTIONS.get((function, path), Remnant.UNKNOWN)

    def _remnant_of_column(self, path: str) -> Remnant | None:
        if path in _CUT_COLUMNS:
            name, remnant = _CUT_COLUMNS[path]
            return remnant if name in self._cut_of_process else None
        if path == "evt.buffer":
            return Remnant.BEGINNING if "data" in self._cut_arguments else None
        if path == "fd.nameraw":
            return Remnant.BEGINNING if self._has_cut_path else None
        if path == "fd.name":
            return self._remnant_of_name()
        is_path = path.startswith("fs.path.")
        return Remnant.UNKNOWN if is_path and self._has_cut_path else None

    def _remnant_of_name(self) -> Remnant | None:
        if self._has_cut_path:
            return Remnant.UNKNOWN
        given = self.known("fd.nameraw")
        if given is None:
            # A file that was open before has the kernel's path for its name.
            return Remnant.END if self.known("fd.is_cut") else None
        is_relative = isinstance(given, str) and not given.startswith("/")
        return Remnant.UNKNOWN if is_relative and "cwd" in self._cut_of_process else None

    @property
    def _has_cut_path(self) -> bool:
        return any(self._param_types.get(name) in PATHS for name in self._cut_arguments)

    def _remnant_of_argument(self, path: str, argument: str | int | None) -> Remnant | None:
        kind, _, name = path.rpartition(".")
        if path == "evt.buffer":
            name = "data"
        elif kind not in {"evt.arg", "evt.rawarg"}:
            return None
        if name not in self._cut_arguments or self._is_other(name, argument):
            return None
        if self.known(path) is None and (name != "data" or self.known("evt.buffer") is None):
            return Remnant.UNKNOWN
        if name in {"cwd", "exepath", "trusted_exepath"}:
            return Remnant.END
        is_text = self._param_types.get(name) in _TEXT_PARAMS
        return Remnant.BEGINNING if is_text else Remnant.UNKNOWN

    def _is_other(self, name: str, argument: str | int | None) -> bool:
        """Whether `evt.arg[n]` means another argument of this event."""
        return isinstance(argument, int) and [*self._param_types][argument : argument + 1] != [name]

    def _is_certain_item(self, field: FieldOperand) -> bool:
        """Whether it is an item of the arguments before the one where they were cut."""
        if field.field.source != "args_text" or not isinstance(field.argument, int):
            return False
        count = self.source.field(find_field("proc.cmdnargs", None), self.rows)
        known = known_value(count)
        return isinstance(known, int) and field.argument < known - 1

    def _lost(self, field: FieldOperand) -> Iterator[Doubt]:
        near = ", and events were lost within 5 s" if self.is_near_losses else ""
        for what, is_concerned, is_lost in _DESCRIPTIONS:
            if any(map(is_concerned, columns_of(field))) and is_lost(self):
                yield Doubt(Why.LOST, f"{what} was not described{near}")

    def is_filled(self, path: str) -> bool:
        """Whether the recording fills a column where there is something to say."""
        return path not in self._unrecorded


def known_value(vector: Vector) -> Known:
    """The value of a vector of one row; None without, and for several values."""
    if not vector.present()[0]:
        return None
    match vector:
        case TextVector():
            value: Known = texts_of(vector)[0].as_py()
            return value
        case NumberVector():
            number: Known = vector.values[0].item()
            return number
        case ListVector() | EndsVector():
            return None


def _lacks_process(event: Event) -> bool:
    return event.known("proc.name") is None and event.known("proc.pid") is None


def _lacks_parent(event: Event) -> bool:
    """Every process but the first has one; further up a chain is taken for whole."""
    ppid, pid = event.known("proc.ppid"), event.known("proc.pid")
    has_parent = ppid > 0 if isinstance(ppid, int) else pid not in _WITHOUT_PARENT
    return has_parent and event.known("proc.pname") is None


def _lacks_descriptor(event: Event) -> bool:
    number = event.known("fd.num")
    has_number = isinstance(number, int) and number >= 0
    return has_number and event.known("fd.type") is None and event.type in FD_EVENTS


def _lacks_container(event: Event) -> bool:
    container = event.known("container.id")
    in_container = isinstance(container, str) and container not in _HOST
    return in_container and event.is_filled("container.name") and not event.known("container.name")


_DESCRIPTIONS: tuple[tuple[str, Callable[[str], bool], Callable[[Event], bool]], ...] = (
    ("the process", lambda path: COLUMNS[path].scope is Scope.PROCESS, _lacks_process),
    ("the parent process", lambda path: path in _OF_PARENT, _lacks_parent),
    ("the descriptor", lambda path: COLUMNS[path].scope is Scope.FD, _lacks_descriptor),
    (
        "the container",
        lambda path: path.startswith(("container.", "k8s.")) and path not in _OF_CONTAINER_ID,
        _lacks_container,
    ),
)
"""What a value depends on, the columns that tell of it, and how an event shows that it is missing.
A missing description is one that was lost or never came; a value without one is not known."""

_CUT_TEXTS: Mapping[Remnant, str] = MappingProxyType(
    {
        Remnant.BEGINNING: "cut, only its beginning is known",
        Remnant.END: "cut, only its end is known",
        Remnant.AT_LEAST: "cut, it may be more",
        Remnant.UNKNOWN: "made of something that was cut",
    }
)
