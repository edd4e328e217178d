"""The columns of a thread's end: Falco's `procexit`."""

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.events.numbers import errno_text, signal_text
from falcotrace.record.known import Known, MergedEvents

_CORE_DUMPED = 0x80
_SIGNAL_BITS = 0x7F


def put_exits(events: MergedEvents, rows: np.ndarray, known: Known, columns: Columns) -> None:
    """Fill the columns of process ends.

    The status is wait4's: exit status << 8, core dump bit, signal. Source: libs 48dfd53c,
    driver/modern_bpf/programs/tail_called/events/syscall_dispatched_events/sched_process_exit.bpf.c.
    """
    columns.put_codes("evt.type", rows, known.pool.code("procexit"))
    status = events.fixed["ret"][rows]
    signal_number = status & _SIGNAL_BITS
    result = np.where(signal_number == 0, status >> 8 & 0xFF, 0)
    core = status & _CORE_DUMPED != 0
    for name, values in (("status", status), ("ret", result)):
        columns.put_numbers(f"evt.rawarg.{name}", rows, values)
        found, indices = distinct(values)
        texts = [errno_text(number) or str(number) for number in found.tolist()]
        columns.put_texts(f"evt.arg.{name}", rows, texts, indices)
    columns.put_numbers("evt.rawarg.sig", rows, signal_number)
    found, indices = distinct(signal_number)
    texts = [signal_text(number) or str(number) for number in found.tolist()]
    columns.put_texts("evt.arg.sig", rows, texts, indices)
    columns.put_numbers("evt.arg.core", rows, core)
    reaper = events.fixed["args"][rows, 1].astype(np.int64)
    columns.put_numbers("evt.rawarg.reaper_tid", rows, reaper)
    found, indices = distinct(reaper)
    faces = [known.processes.face_of_pid(number) for number in found.tolist()]
    names = [
        face.name if face else str(number)
        for face, number in zip(faces, found.tolist(), strict=True)
    ]
    columns.put_texts("evt.arg.reaper_tid", rows, names, indices)
