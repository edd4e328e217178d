"""Upgrades the events of a section window by window, and numbers them.

In: `EventBlocks`. Out: `EventBatch`es of current events. Enter events that are still without their
exit event at the end of a window are carried to the next one, as blocks.
"""

from dataclasses import dataclass

import numpy as np

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import Bools, Bytes, EventBatch
from falcotrace.scap.blocks import EventBlocks
from falcotrace.scap.blocks_warnings import Warnings
from falcotrace.scap.events import EventGroup, Events, decode_events
from falcotrace.scap.upgrade_batch import assemble_batch, pair_calls
from falcotrace.scap.upgrade_carry import Carry, carry_events, nothing_carried
from falcotrace.scap.upgrade_pairs import Pairs, pair_events
from falcotrace.scap.upgrade_recipes import FIXED_BYTES, Recipe, recipe_for
from falcotrace.scap.upgrade_values import KeptEnters, MadeUp, Part, upgrade_group


@dataclass(frozen=True, slots=True, eq=False)
class Upgraded:
    """Events of a window after upgrading.

    Attributes:
        data: what their parameters lie in.
        parts: events that go on, by the layout in which they were stored.
        kept: enter events that were kept for parameters, and the exit events that took them.
    """

    data: Bytes
    parts: tuple[Part, ...]
    kept: Pairs


class Upgrader:
    """Upgrades one section.

    Attributes:
        event_count: events numbered so far, in all sections.
    """

    def __init__(self, warnings: Warnings, event_count: int = 0) -> None:
        self._warnings = warnings
        self._carry = nothing_carried()
        self.event_count = event_count

    def batch(self, blocks: EventBlocks) -> EventBatch:
        """Upgrade the events of a window."""
        carry = self._carry
        blocks = carry.before(blocks)
        events = decode_events(blocks, self._warnings)
        upgraded = upgrade_events(events, blocks, carry, self._warnings)
        calls = pair_calls(events.headers, upgraded.parts, carry.is_passed)
        self._carry = carry_events(
            blocks.data, events.headers, upgraded.kept.waiting, calls.waiting
        )
        batch = assemble_batch(
            events.headers, upgraded.data, upgraded.parts, calls, carry.is_passed, self.event_count
        )
        self.event_count += len(batch) - int(np.count_nonzero(batch.is_carried))
        return batch


def upgrade_events(
    events: Events, blocks: EventBlocks, carry: Carry, warnings: Warnings
) -> Upgraded:
    """Bring all events to the current layouts."""
    made = MadeUp(blocks.data)
    known: list[tuple[EventGroup, Recipe]] = []
    for group in events.groups:
        recipe = recipe_for(group.code, group.count)
        if recipe.problem:
            at = int(events.headers.starts[group.rows[0]])
            warnings.add(blocks.offset + at, recipe.problem, len(group.rows))
        else:
            known.append((group, recipe))
    pairs = _pair_for_parameters(events, known, carry.is_kept)
    waiting = [
        upgrade_group(group, recipe, None, made) for group, recipe in known if recipe.is_kept
    ]
    kept = KeptEnters(waiting, pairs.enters)
    parts = [part for part in waiting if part.recipe.is_passed] + [
        upgrade_group(group, recipe, kept, made)
        for group, recipe in known
        if recipe.is_passed and not recipe.is_kept
    ]
    misfit_count = sum(_drop_misfits(part) for part in parts)
    if misfit_count:
        message = "values that do not fit their type taken for missing"
        warnings.add(blocks.offset + int(blocks.starts[0]), message, misfit_count)
    return Upgraded(made.joined(), tuple(parts), pairs)


def _pair_for_parameters(
    events: Events, known: list[tuple[EventGroup, Recipe]], is_carried_kept: Bools
) -> Pairs:
    """Which exit events take parameters of which enter events."""
    is_kept = np.zeros(len(events.headers), np.bool_)
    takes = np.zeros(len(events.headers), np.bool_)
    for group, recipe in known:
        if recipe.is_kept:
            is_kept[group.rows] = True
        elif recipe.takes_from_enter:
            takes[group.rows] = True
    is_kept[: len(is_carried_kept)] &= is_carried_kept
    return pair_events(events.headers.tids, is_kept, takes)


def _drop_misfits(part: Part) -> int:
    """Take the values away whose size their type cannot have; return how many there were."""
    count = 0
    for lengths, param in zip(part.lengths, EVENT_TYPES[part.recipe.code].params, strict=True):
        size_bytes = FIXED_BYTES.get(param.type)
        if size_bytes is None or (lengths == size_bytes).all():
            continue
        is_misfit = (lengths != size_bytes) & (lengths != 0)
        lengths[is_misfit] = 0
        count += int(np.count_nonzero(is_misfit))
    return count
