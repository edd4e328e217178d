"""The descriptors of a batch: opened files as columns, everything else as objects.

In: opens of the batch, and descriptors that were there before or are no files. Out: texts and
columns for places in the set: files first, in the order of their opens, then the others. Most
descriptors are files that are opened once; they never become objects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from falcotrace.capture.address_names import NamesInBlock
from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.flags import FLAG_TABLES
from falcotrace.events.paths import merge_slashes
from falcotrace.scap.argument_texts import absolute_path
from falcotrace.scap.batch import Bytes
from falcotrace.scap.descriptor import NO_TEXT, Descriptor, DescriptorType
from falcotrace.scap.descriptor_columns import put_descriptor_columns
from falcotrace.scap.interfaces import LocalAddresses
from falcotrace.scap.opens import Opens

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

_FLAG = FLAG_TABLES["file_flags"].value_of
_O_DIRECTORY = _FLAG("O_DIRECTORY")
_LAYERS = {"fd.is_upper_layer": "FD_UPPER_LAYER", "fd.is_lower_layer": "FD_LOWER_LAYER"}


@dataclass(frozen=True, slots=True, eq=False)
class _OpenedNames:
    """Names of opened files, and for each open which one is its own; as given, and joined."""

    raws: Codes
    raw_texts: list[str]
    names: Integers
    name_texts: list[str]


def _opened_names(opens: Opens, data: Bytes, bases: Sequence[str | None]) -> _OpenedNames:
    pool = TextPool()
    raws = pool.codes_in(data, opens.starts, opens.lengths)
    base_codes = pool.codes(bases)
    pairs = (raws.astype(np.int64) << 32) | (base_codes.astype(np.int64) + 1)
    found, names = distinct(pairs)
    each = zip((found >> 32).tolist(), (found & 0xFFFF_FFFF).tolist(), strict=True)
    return _OpenedNames(
        raws=raws,
        raw_texts=[merge_slashes(pool[code]) for code in range(len(pool))],
        names=names,
        name_texts=[absolute_path(pool[base - 1] if base else "", pool[raw]) for raw, base in each],
    )


class OpenedFiles:
    """What the opens of a batch made.

    Args:
        opens: the opens.
        data: the batch's bytes.
        bases: for each open what its relative name is relative to; None for absolute ones.
    """

    def __init__(self, opens: Opens, data: Bytes, bases: Sequence[str | None]) -> None:
        self.opens = opens
        self._data = data
        self._bases = bases
        self.is_directory = (opens.flags & _O_DIRECTORY) != 0

    @cached_property
    def _texts(self) -> "_OpenedNames":
        # Made when somebody asks: the state engine, which others wait for, does not.
        return _opened_names(self.opens, self._data, self._bases)

    def __len__(self) -> int:
        return len(self.opens.rows)

    def names(self, places: Integers, pool: TextPool) -> Codes:
        """Codes of names."""
        return _recoded(self._texts.names[places], self._texts.name_texts, pool)

    def raw_names(self, places: Integers, pool: TextPool) -> Codes:
        """Codes of names as given."""
        return _recoded(self._texts.raws[places], self._texts.raw_texts, pool)

    def argument_texts(self, places: Integers, pool: TextPool) -> Codes:
        """Codes of what arguments show behind the number."""
        pairs = self._texts.names[places] * 2 + self.is_directory[places]
        found, which = distinct(pairs)
        names = self._texts.name_texts
        texts = [f"<{'d' if pair & 1 else 'f'}>{names[pair >> 1]}" for pair in found.tolist()]
        codes: Codes = pool.codes(texts)[which] if len(found) else np.zeros(0, np.int32)
        return codes

    def put(self, columns: Columns, rows: Integers, places: Integers, pool: TextPool) -> None:
        """Fill the columns of events whose descriptors are these files."""
        opens = self.opens
        kinds = pool.codes(["file", "directory"])
        columns.put_codes("fd.type", rows, kinds[self.is_directory[places].astype(np.int64)])
        columns.put_codes("fd.name", rows, self.names(places, pool))
        columns.put_codes("fd.nameraw", rows, self.raw_names(places, pool))
        columns.put_codes("fd.l4proto", rows, pool.code(NO_TEXT))
        columns.put_numbers("fd.connected", rows, 0)
        columns.put_numbers("fd.is_server", rows, 0)
        columns.put_numbers("fd.dev", rows, opens.devices[places].astype(np.uint32).view(np.int32))
        columns.put_numbers("fd.ino", rows, opens.inos[places])
        for path, flag in _LAYERS.items():
            columns.put_numbers(path, rows, (opens.flags[places] & _FLAG(flag)) != 0)


def _recoded(codes: npt.NDArray[np.signedinteger], texts: list[str], pool: TextPool) -> Codes:
    """Codes into a list of texts as codes of a pool."""
    found, which = distinct(codes)
    recoded = pool.codes([texts[code] for code in found.tolist()])
    result: Codes = recoded[which] if len(found) else np.zeros(0, np.int32)
    return result


class DescriptorSet:
    """All descriptors of a batch, by place.

    Args:
        files: what the batch's opens made.
        others: the other ones.
    """

    def __init__(self, files: OpenedFiles, others: Sequence[Descriptor]) -> None:
        self.files = files
        self.others = others

    def names(self, places: Integers, pool: TextPool) -> Codes:
        """Codes of names; MISSING for places below 0."""
        return self._codes(places, pool, self.files.names, lambda one: one.name)

    def argument_texts(self, places: Integers, pool: TextPool) -> Codes:
        """Codes of what arguments show behind the number, likewise."""
        texts = self.files.argument_texts
        return self._codes(places, pool, texts, lambda one: one.argument_text)

    def directory_names(self, places: Integers, pool: TextPool) -> Codes:
        """Codes of names of directories; MISSING for all others."""
        is_file = (places >= 0) & (places < len(self.files))
        shown = places.copy()
        shown[is_file] = np.where(self.files.is_directory[places[is_file]], places[is_file], -1)
        return self._codes(
            shown,
            pool,
            self.files.names,
            lambda one: one.name if one.type is DescriptorType.DIRECTORY else None,
        )

    def types(self, places: Integers, pool: TextPool) -> Codes:
        """Codes of `fd.type`."""
        kinds = pool.codes(["file", "directory"])
        return self._codes(
            places,
            pool,
            lambda found, _: kinds[self.files.is_directory[found].astype(np.int64)],
            lambda one: one.type_text,
        )

    def _codes(
        self,
        places: Integers,
        pool: TextPool,
        of_files: Callable[[Integers, TextPool], Codes],
        of_other: Callable[[Descriptor], str | None],
    ) -> Codes:
        codes = np.full(len(places), MISSING, np.int32)
        count = len(self.files)
        is_file = (places >= 0) & (places < count)
        codes[is_file] = of_files(places[is_file], pool)
        is_other = places >= count
        found, which = distinct(places[is_other] - count)
        if len(found):
            texts = [of_other(self.others[place]) for place in found.tolist()]
            codes[is_other] = pool.codes(texts)[which]
        return codes

    def put(
        self,
        columns: Columns,
        rows: Integers,
        places: Integers,
        pool: TextPool,
        local: LocalAddresses,
        names: NamesInBlock,
    ) -> None:
        """Fill the columns of some events, given the places of their descriptors.

        Args:
            columns: where to put them.
            rows: the events.
            places: their descriptors.
            pool: the columns' texts.
            local: the addresses that are local for them.
            names: what addresses are called.
        """
        count = len(self.files)
        is_file = places < count
        self.files.put(columns, rows[is_file], places[is_file], pool)
        others, of_others = rows[~is_file], places[~is_file] - count
        put_descriptor_columns(columns, others, self.others, of_others, local, names)
