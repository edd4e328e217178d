"""How a recording that is under way is asked for a capture of what it has kept.

In: a request in the recording's folder. Out: the reply, there too. Only the folder's owner can
write to it, so no port is opened and no signal has to find its process.
"""

import contextlib
import dataclasses
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from falcotrace.capture.footer import Losses
from falcotrace.errors import RecordError
from falcotrace.record.folder import SUFFIX
from falcotrace.record.parts import WrittenCapture, stamped

_REQUEST: Final = "seal.json"
_REPLY: Final = "sealed.json"
_LOOK_SECONDS: Final = 0.05


class SealRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request.

    Attributes:
        number: to tell its reply from others, and to name the capture in the folder.
    """

    number: int

    @property
    def name(self) -> str:
        """The capture's name in the folder, from where whoever asked takes it."""
        return f"sealed-{self.number}.parquet"


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request; `error` is empty where a capture was written."""

    number: int
    event_count: int = 0
    size_bytes: int = 0
    losses: Losses = Losses()
    error: str = ""


def take_request(folder: Path) -> SealRequest | None:
    """The request that lies there, which is gone then; None if there is none."""
    path = folder / _REQUEST
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    path.unlink(missing_ok=True)
    with contextlib.suppress(msgspec.MsgspecError):
        return msgspec.json.decode(raw, type=SealRequest)
    return None


def reply(folder: Path, request: SealRequest, outcome: WrittenCapture | Exception) -> None:
    """Answer a request."""
    if isinstance(outcome, Exception):
        answer = _Reply(number=request.number, error=str(outcome) or type(outcome).__name__)
    else:
        answer = _Reply(
            number=request.number,
            event_count=outcome.event_count,
            size_bytes=outcome.size_bytes,
            losses=outcome.losses,
        )
    with contextlib.suppress(OSError):
        _put(folder / _REPLY, msgspec.json.encode(answer))


def seal_recording(
    output: Path,
    *,
    sealed: Path | None = None,
    overwrite: bool = False,
    on_wait: Callable[[float], None] = lambda _: None,
) -> WrittenCapture:
    """Ask a recording for a capture of what it has kept, and wait for it.

    Args:
        output: the recording's own capture, or its folder.
        sealed: the capture to write; by default the recording's name with the time.
        overwrite: replace a file of that name.
        on_wait: told for how many seconds it has waited.

    Raises:
        RecordError: no such recording is under way, it ended meanwhile, or it could not.
    """
    folder = output if output.name.endswith(SUFFIX) else output.with_name(output.name + SUFFIX)
    _check_is_recording(folder)
    if sealed is not None and sealed.exists() and not overwrite:
        raise RecordError(f"{sealed} exists already", "--force overwrites it, -o names another.")
    request = SealRequest(number=secrets.randbits(48))
    try:
        _put(folder / _REQUEST, msgspec.json.encode(request))
    except OSError as error:
        raise RecordError(f"{folder}: {error.strerror}", "Only its owner can ask it.") from None
    found = _wait(folder, request, on_wait)
    output = folder.with_name(folder.name.removesuffix(SUFFIX))
    return _move(found, sealed or stamped(output, time.time_ns()), overwrite=overwrite)


def _move(found: WrittenCapture, path: Path, *, overwrite: bool) -> WrittenCapture:
    """Take the capture out of the folder, with the rights of whoever has asked for it."""
    try:
        if not overwrite:
            path.open("xb").close()
        shutil.move(found.path, path)
    except OSError as error:
        found.path.unlink(missing_ok=True)
        raise RecordError(f"{path} cannot be made: {error.strerror}") from None
    return dataclasses.replace(found, path=path)


def _wait(folder: Path, request: SealRequest, on_wait: Callable[[float], None]) -> WrittenCapture:
    began = time.monotonic()
    while True:
        answer = _answer(folder, request)
        if answer is not None:
            (folder / _REPLY).unlink(missing_ok=True)
            if answer.error:
                raise RecordError(answer.error)
            return WrittenCapture(
                folder / request.name, answer.event_count, answer.size_bytes, answer.losses
            )
        _check_is_recording(folder)
        on_wait(time.monotonic() - began)
        time.sleep(_LOOK_SECONDS)


def _answer(folder: Path, request: SealRequest) -> _Reply | None:
    try:
        found = msgspec.json.decode((folder / _REPLY).read_bytes(), type=_Reply)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.number == request.number else None


def _check_is_recording(folder: Path) -> None:
    """See that somebody has the folder locked."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise RecordError(f"{folder}: {error.strerror}", "Only its owner can ask it.") from None
        raise RecordError(
            f"{folder.name.removesuffix(SUFFIX)} is not being recorded",
            f"Expected the folder {folder} of a recording that is under way.",
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return
    finally:
        os.close(lock)
    raise RecordError(
        f"the recording in {folder} did not come to its end",
        f"`falcotrace recover {folder}` makes a capture of it.",
    )


def _put(path: Path, raw: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
        file.write(raw)
    new.replace(path)
