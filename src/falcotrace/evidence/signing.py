"""Signs captures: a detached signature beside the file, CAPTURE.sig.

In: a key, captures. Out: signatures. A capture that is signed is not touched, so its own hash stays
what it was; and `ssh-keygen -Y verify` needs nothing of ours.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falcotrace.capture.digests import whole_digest
from falcotrace.errors import EvidenceError
from falcotrace.evidence.keys import fingerprint_of, load_private_key, public_blob
from falcotrace.evidence.ssh_signature import DIGESTS, sign_digest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SIGNATURE_SUFFIX: Final = ".sig"


def signature_path(capture: Path) -> Path:
    """Where the signature of a capture is."""
    return capture.with_name(capture.name + SIGNATURE_SUFFIX)


def refuse_existing(capture: Path, *, overwrite: bool) -> None:
    """See that a capture's signature can be written, best before the capture is made.

    Raises:
        EvidenceError: there is one that may not be overwritten.
    """
    target = signature_path(capture)
    if target.is_symlink() or (target.exists() and not overwrite):
        raise EvidenceError(target, "exists already; --force overwrites it")


class CaptureSigner:
    """Signs captures with one key, which is read once.

    Args:
        path: the private key, see `load_private_key`.
        ask: likewise.

    Attributes:
        fingerprint: of the key.

    Raises:
        EvidenceError: the key cannot be used.
    """

    def __init__(self, path: Path, ask: Callable[[str], str] | None = None) -> None:
        self._key: PrivateKeyTypes = load_private_key(path, ask)
        self.fingerprint = fingerprint_of(public_blob(self._key.public_key()))

    def sign(self, capture: Path, *, overwrite: bool = False) -> Path:
        """Write the signature of a capture.

        Returns:
            The signature's file, of mode 0644: there is nothing secret in it.

        Raises:
            EvidenceError: the capture cannot be read; the signature exists or cannot be written.
        """
        target = signature_path(capture)
        refuse_existing(capture, overwrite=overwrite)
        text = sign_digest(self._key, _digest_of_file(capture)).armored()
        try:
            _write_whole(target, text.encode("ascii"))
        except OSError as error:
            raise EvidenceError(target, f"cannot be written: {error.strerror}") from None
        return target


def _digest_of_file(path: Path) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return whole_digest(file, DIGESTS[0])
        finally:
            os.close(file)
    except OSError as error:
        raise EvidenceError(path, f"cannot be read: {error.strerror}") from None


def _write_whole(target: Path, raw: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
