"""Parameters of upgraded events: places in the data, or behind it where a value is made up.

In: groups of events as stored, recipes. Out: places for each parameter of the current type.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.scap.batch import NO_ROW, Bytes, Integers, Lengths
from falcotrace.scap.events import EventGroup
from falcotrace.scap.upgrade_recipes import Recipe, Source, Step

_MADE_UP = {Source.ZERO: b"\0" * 16, Source.ONES: b"\xff" * 16}


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Events of one stored layout, upgraded.

    Attributes:
        recipe: what was done.
        rows: which events, ascending.
        offsets: where each parameter begins, [parameters, events].
        lengths: its bytes.
    """

    recipe: Recipe
    rows: Integers
    offsets: Integers
    lengths: Lengths


class MadeUp:
    """Bytes that stand behind the data of a window."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._added: list[bytes] = []
        self._end = len(data)
        self._places: dict[bytes, int] = {}

    def place(self, raw: bytes) -> int:
        """Where these bytes lie; the same bytes lie at one place."""
        if raw not in self._places:
            self._places[raw] = self._end
            self._added.append(raw)
            self._end += len(raw)
        return self._places[raw]

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Bytes of the data itself."""
        return self._data[offset : offset + size_bytes].tobytes()

    def joined(self) -> Bytes:
        """The data and what was added."""
        if not self._added:
            return self._data
        return np.concatenate([self._data, np.frombuffer(b"".join(self._added), np.uint8)])


class KeptEnters:
    """The parameters of enter events that wait for their exit events."""

    def __init__(self, parts: list[Part], enters: Integers) -> None:
        self._parts = parts
        self._enters = enters
        self._part_of: npt.NDArray[np.int16] = np.full(len(enters), -1, np.int16)
        self._place_of = np.zeros(len(enters), np.int64)
        for number, part in enumerate(parts):
            self._part_of[part.rows] = number
            self._place_of[part.rows] = np.arange(len(part.rows))

    def take(self, rows: Integers, step: Step, offset: int) -> tuple[Integers, Lengths]:
        """One parameter of the enter events of some exit events.

        Args:
            rows: exit events.
            step: which parameter, and of which code the enter event must be.
            offset: where the value lies that is taken for want of an enter event.
        """
        offsets = np.full(len(rows), offset, np.int64)
        lengths = np.full(len(rows), step.size_bytes, np.int32)
        enters = self._enters[rows]
        # DIFFERS: libs gives up on a capture with an enter event of another call in its place
        # (converter.cpp); one lost event should not cost the rest, so it counts as missing.
        parts = np.where(enters == NO_ROW, -1, self._part_of[enters])
        for number, part in enumerate(self._parts):
            if part.recipe.code != step.enter_code or step.index >= len(part.offsets):
                continue
            found = np.flatnonzero(parts == number)
            places = self._place_of[enters[found]]
            offsets[found] = part.offsets[step.index][places]
            lengths[found] = part.lengths[step.index][places]
        return offsets, lengths


def upgrade_group(group: EventGroup, recipe: Recipe, kept: KeptEnters | None, made: MadeUp) -> Part:
    """Apply a recipe to the events of one layout."""
    offsets, lengths = group.offsets.T, group.lengths.T
    if recipe.is_identity and len(recipe.steps) == group.count:
        return Part(recipe, group.rows, offsets, lengths)
    new_offsets = np.zeros((len(recipe.steps), len(group.rows)), np.int64)
    new_lengths = np.zeros(new_offsets.shape, np.int32)
    for number, step in enumerate(recipe.steps):
        if step.source is Source.OLD:
            new_offsets[number], new_lengths[number] = offsets[step.index], lengths[step.index]
        elif step.source is Source.CONTAINER:
            new_offsets[number], new_lengths[number] = _container_texts(group, made)
        else:
            source = step.instead if step.source is Source.ENTER else step.source
            place = made.place(_MADE_UP[source]) if step.size_bytes else 0
            if step.source is Source.ENTER and kept is not None:
                new_offsets[number], new_lengths[number] = kept.take(group.rows, step, place)
            else:
                new_offsets[number], new_lengths[number] = place, step.size_bytes
        if step.most_bytes:
            np.minimum(new_lengths[number], step.most_bytes, out=new_lengths[number])
    return Part(recipe, group.rows, new_offsets, new_lengths)


def _container_texts(group: EventGroup, made: MadeUp) -> tuple[Integers, Lengths]:
    """The JSON texts for old events about containers; there are few of them.

    Nothing in them is escaped (libs 48dfd53c, converter/table.cpp).
    """
    texts = []
    for offsets, lengths in zip(group.offsets.tolist(), group.lengths.tolist(), strict=True):
        name, kind, title, image = (
            made.read(at, size) for at, size in zip(offsets, lengths, strict=True)
        )
        number = int.from_bytes(kind, "little")
        fields = (b'"id":"%b"', b'"type":%d', b'"name":"%b"', b'"image":"%b"')
        values = (name.split(b"\0")[0], number, title.split(b"\0")[0], image.split(b"\0")[0])
        texts.append(b"{" + b",".join(f % v for f, v in zip(fields, values, strict=True)) + b"}\0")
    places = [made.place(text) for text in texts]
    return np.array(places, np.int64), np.array([len(text) for text in texts], np.int32)
