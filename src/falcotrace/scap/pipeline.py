"""Makes and writes row groups beside the state engine, so that an import uses more than one core.

In: the columns of batches, in order. Out: row groups in a capture. One thread makes the columns of
a batch, another one writes those of the batch before, while the caller goes on to the next; at most
one batch waits for each, so that memory is bounded.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeAlias

import pyarrow as pa

from falcotrace.capture.parquet.values import Sparse
from falcotrace.capture.writer import CaptureWriter
from falcotrace.scap.batch_columns import BatchColumns

_Made: TypeAlias = tuple[dict[str, pa.Array | Sparse], pa.Table]


class Pipeline:
    """Takes batches and writes them. Use as a context manager: it waits for what is under way."""

    def __init__(self, writer: CaptureWriter) -> None:
        self._writer = writer
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="columns")
        self._scribe = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._made: Future[_Made] | None = None
        self._written: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._pass_on()
                self._wait()
        finally:
            self._maker.shutdown(cancel_futures=True)
            self._scribe.shutdown(cancel_futures=True)

    def add(self, columns: BatchColumns) -> None:
        """Take the next batch; waits while two others are under way.

        Raises:
            Anything that went wrong with an earlier one.
        """
        self._pass_on()
        self._made = self._maker.submit(_make, columns)

    def _pass_on(self) -> None:
        """Hand the batch that was made over to be written."""
        if self._made is not None:
            arrays, processes = self._made.result()
            self._wait()
            self._written = self._scribe.submit(self._writer.write_row_group, arrays, processes)
            self._made = None

    def _wait(self) -> None:
        if self._written is not None:
            self._written.result()
            self._written = None


def _make(columns: BatchColumns) -> _Made:
    return columns.arrays(), columns.processes()
