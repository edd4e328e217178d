"""Makes a capture of a recording that did not come to its end.

In: a recording's folder, after a crash, a full disk or a power cut. Out: the capture, with
everything that had reached the disk, and an account of losses that says what nobody knows.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec

from falcotrace.capture.footer import Losses
from falcotrace.errors import CaptureError, RecordError
from falcotrace.record.conversion import Conversion, Ending
from falcotrace.record.folder import RecordingFolder
from falcotrace.record.journal_check import journal_changes
from falcotrace.record.parts import WrittenCapture, stamped

INTERRUPTED = "interruption"
"""`Recording.ended_by` of what was recovered."""


def recover_recording(
    folder_path: Path,
    *,
    output: Path | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> WrittenCapture:
    """Convert what an interrupted recording has left, and remove its folder.

    Args:
        folder_path: the recording's folder, `OUTPUT.recording`.
        output: the capture to write; by default the one that was asked for when recording began.
        overwrite: replace a file of that name.
        on_progress: told the number of events so far.

    Raises:
        RecordError: the folder is none, is in use, or holds something else; the name is taken.
        CaptureError: the capture cannot be written. The folder stays as it is, in both cases.
    """
    with RecordingFolder(folder_path) as folder:
        start = folder.read_start()
        target = output or folder.output
        if target.exists() and not overwrite and (output or not start.rotates):
            raise RecordError(
                f"{target} exists already", "--force overwrites it, -o names another."
            )
        losses, ended_ns = _account(folder)
        try:
            with Conversion(folder, start) as conversion:
                conversion.parts.find_changes()
                in_journal = journal_changes(folder.path, start.magic, conversion.position)
                conversion.parts.changed += tuple(in_journal)
                while conversion.step():
                    on_progress(conversion.event_count)
                if start.rotates:
                    conversion.parts.move_finished(folder.output)
                    target = output or stamped(folder.output, conversion.parts.newest_began_ns)
                found = conversion.finish(Ending(ended_ns, INTERRUPTED, losses, is_last=True))
        except OSError as error:
            where = error.filename or folder.path
            raise CaptureError(where, f"cannot be recovered: {error.strerror}") from None
        path = folder.finish(found.path, overwrite=overwrite, to=target)
        return dataclasses.replace(found, path=path)


def _account(folder: RecordingFolder) -> tuple[Losses, int]:
    """The account as far as it is known, and when recording ended or was last seen."""
    counters = folder.read_counters()
    if counters is None:
        return Losses(is_known=False), 0
    try:
        losses = msgspec.json.decode(counters.losses, type=Losses)
    except msgspec.MsgspecError as error:
        raise RecordError(f"{folder.path}/counters.json cannot be read: {error}") from None
    if not counters.is_final:
        # What was lost between this and the end is known to nobody.
        losses = msgspec.structs.replace(losses, is_known=False)
    return losses, counters.time_ns
