"""Compares a file with its chain.

In: an open file and its chain. Out: findings. Row groups are digested in threads, as fast as they
are read. A chain that was itself changed still says which row groups were not: each has its digest
and its link, and where one is wrong the other tells.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

from falcotrace.capture.chain import Link, head_with_footer
from falcotrace.capture.digests import digest_of
from falcotrace.capture.parquet.file import MAGIC
from falcotrace.evidence.chain_search import FoundChain
from falcotrace.evidence.findings import Finding, Place


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """A file beside its chain.

    Attributes:
        file: open for reading.
        found: the chain.
        threads: digests that are made at once.
    """

    file: int
    found: FoundChain
    threads: int

    def findings(self) -> list[Finding]:
        """What is not as the chain says, in the order of the file.

        Raises:
            OSError: the file cannot be read.
        """
        chain = [] if self.found.chain.is_whole else [Finding(place=Place.CHAIN)]
        footer = self._footer()
        return [*self._beginning(), *self._row_groups(), *chain, *footer]

    def _beginning(self) -> list[Finding]:
        is_right = os.pread(self.file, len(MAGIC), 0) == MAGIC
        return [] if is_right else [Finding(place=Place.BEGINNING)]

    @property
    def _begins(self) -> list[int]:
        """Where row groups begin, and where the chain does, by what the chain says."""
        sizes = (link.size_bytes for link in self.found.chain.links)
        return list(accumulate(sizes, initial=len(MAGIC)))

    def _row_groups(self) -> list[Finding]:
        links = self.found.chain.links
        *begins, end = self._begins
        moved_bytes = self.found.begin - end
        with ThreadPoolExecutor(self.threads) as workers:
            are_right = workers.map(
                lambda index: self._is_right(index, begins[index], moved_bytes), range(len(links))
            )
            found = [
                _row_group(index, links[index])
                for index, is_right in enumerate(are_right)
                if not is_right
            ]
        return found + (_moved(moved_bytes) if self.found.chain.is_whole else [])

    def _is_right(self, index: int, begin: int, moved_bytes: int) -> bool:
        """Whether a row group is as it was, here or as far off as the chain itself is."""
        chain = self.found.chain
        size = chain.links[index].size_bytes
        places = [(begin, size)]
        if moved_bytes:
            places.append((begin + moved_bytes, size))
            if not chain.is_whole:
                # What is wrong may be the size that the chain says.
                places.append((begin, size + moved_bytes))
        return any(self._has_digest(index, *place) for place in places)

    def _has_digest(self, index: int, begin: int, size_bytes: int) -> bool:
        chain = self.found.chain
        digest = digest_of(self.file, begin, size_bytes)
        if digest is None:
            return False
        is_same = digest == chain.links[index].digest
        return is_same or (not chain.is_whole and chain.follows(index, digest))

    def _footer(self) -> list[Finding]:
        """The bytes behind the chain."""
        size = os.fstat(self.file).st_size - self.found.end
        chain = self.found.chain
        digest = digest_of(self.file, self.found.end, size)
        is_same = digest == chain.footer_digest and (
            size == chain.footer_bytes or not chain.is_whole
        )
        if is_same or (digest is not None and self._is_digest_wrong(digest)):
            return []
        more_bytes = size - chain.footer_bytes
        if more_bytes > 0:
            before = digest_of(self.file, self.found.end, chain.footer_bytes)
            if before == chain.footer_digest:
                return [Finding(place=Place.FILE, text=f"{_bytes(more_bytes)} were appended")]
        if more_bytes < 0 and chain.is_whole:
            return [Finding(place=Place.FOOTER, text=f"{_bytes(-more_bytes)} are missing")]
        return [Finding(place=Place.FOOTER)]

    def _is_digest_wrong(self, digest: bytes) -> bool:
        """Whether it is the footer's digest that was changed, and not the footer."""
        found = self.found
        return not found.chain.is_whole and head_with_footer(found.raw, digest) == found.chain.head


def _row_group(index: int, link: Link) -> Finding:
    return Finding(
        place=Place.ROW_GROUP,
        row_group=index + 1,
        row_count=link.row_count,
        first_num=link.first_num,
        last_num=link.last_num,
        first_time_ns=link.first_time_ns,
        last_time_ns=link.last_time_ns,
    )


def _moved(moved_bytes: int) -> list[Finding]:
    if not moved_bytes:
        return []
    what = "were put in" if moved_bytes > 0 else "were taken out"
    text = f"{_bytes(abs(moved_bytes))} {what} before its chain"
    return [Finding(place=Place.FILE, text=text)]


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count:,} bytes"
