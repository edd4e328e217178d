"""Decoded events of what a function does in a child process, from one recording session."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa

from column_values import listed
from falcotrace.capture.encoding import select_processes
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.events.columns import COLUMNS
from falcotrace.record.accounts import Accounts
from falcotrace.record.converter import Converter
from falcotrace.record.host import boot_to_epoch_ns
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.ring import Batch
from falcotrace.record.session import KernelSession, SessionSettings

FREE_DESCRIPTORS = range(900, 1000)
"""Numbers that are not open in a child, whatever other tests have left open in the parent."""


class Event(dict[str, Any]):
    """The columns of one event; None where there is no value."""

    def __missing__(self, path: str) -> None:
        assert path in COLUMNS, f"no column is called {path}"


class _Rows:
    """Takes row groups as a capture does and keeps their rows, by column path."""

    def __init__(self) -> None:
        self.rows: list[Event] = []

    def write_row_group(
        self, events: Mapping[str, pa.Array | Sparse | Stepwise], processes: pa.Table
    ) -> None:
        keys = np.asarray(events["proc.key"])
        present = select_processes(processes, keys)
        index = np.searchsorted(np.asarray(present["proc.key"]), keys)
        states = present.take(pa.array(index))
        columns = {**events, **{path: states[path] for path in states.column_names}}
        count = len(keys)
        values = {path: listed(column, count) for path, column in columns.items()}
        rows = [Event({path: column[at] for path, column in values.items()}) for at in range(count)]
        self.rows += sorted(rows, key=lambda row: cast("int", row["evt.num"]))


class Observed:
    """The events of a child and its descendants."""

    def __init__(self, rows: list[Event], pid: int) -> None:
        self.rows = rows
        self.pid = pid

    def all(self, *types: str, **wanted: Any) -> list[Event]:
        """Events of some types whose columns have these values; `__` in a name is a dot."""
        columns = {name.replace("__", "."): value for name, value in wanted.items()}
        return [
            row
            for row in self.rows
            if row["evt.type"] in types
            and all(row[name] == value for name, value in columns.items())
        ]

    def last(self, *types: str, **wanted: Any) -> Event:
        """The last such event."""
        found = self.all(*types, **wanted)
        seen = [(row["evt.type"], row.get("evt.res")) for row in self.rows]
        assert found, f"no {types} with {wanted} among {seen}"
        return found[-1]


class Observer:
    """A session that records whoever it is told to follow, and decodes what it got.

    Args:
        settings: beyond these: what `SessionSettings` takes.
    """

    def __init__(self, **settings: Any) -> None:
        values = {"follow_only": True, "ring_bytes": 16 << 20} | settings
        self._session = KernelSession(SessionSettings(**values))
        self._session.start()
        self._rows = _Rows()
        self._converter = Converter(
            Accounts.of_host(),
            self._session.arch,
            boot_to_epoch_ns(),
            data_bytes=self._session.settings.data_bytes,
            interfaces=Interfaces.of_host(),
        )

    def _drain(self) -> Iterator[Batch]:
        while len(batch := self._session.poll()):
            yield batch

    def _take(self) -> None:
        for converted in self._converter.convert(list(self._drain())):
            if converted.columns is not None:
                self._rows.write_row_group(converted.columns, converted.processes)

    def run(self, function: Callable[[], object]) -> Observed:
        """Run a function in a forked child and return the decoded events of it."""
        self._take()
        self._rows.rows.clear()
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            _be_child(reader, writer, function)
        os.close(reader)
        self._session.follow(pid)
        os.write(writer, b"x")
        os.close(writer)
        status = os.waitpid(pid, 0)[1]
        time.sleep(0.02)
        self._take()
        assert status == 0, "the child failed; its traceback is above"
        return Observed(list(self._rows.rows), pid)

    def close(self) -> None:
        """End the session."""
        self._session.stop()
        self._session.close()


def _be_child(reader: int, writer: int, function: Callable[[], object]) -> None:
    code = 1
    try:
        signal.alarm(30)
        os.close(writer)
        os.closerange(FREE_DESCRIPTORS.start, FREE_DESCRIPTORS.stop)
        os.read(reader, 1)
        os.close(reader)
        function()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent must not see this process return
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)
