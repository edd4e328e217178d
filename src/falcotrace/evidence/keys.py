"""Keys in the form of OpenSSH: private ones to sign with, public ones to check against.

In: key files. Out: keys. What is secret is never part of an error, and goes nowhere else.
"""

import base64
import binascii
import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falcotrace.errors import EvidenceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

PASSPHRASE_VARIABLE: Final = "FALCOTRACE_KEY_PASSPHRASE"  # noqa: S105 - its name
"""Environment variable with the passphrase of the key to sign with."""

_MOST_BYTES: Final = 64 << 10
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def load_private_key(path: Path, ask: Callable[[str], str] | None = None) -> "PrivateKeyTypes":
    """Read a private key: OpenSSH's own form or PEM; Ed25519, ECDSA or RSA.

    Args:
        path: the key.
        ask: asks for the passphrase of a key that has one, given what to show; None: nobody can be
            asked. The environment variable is asked first.

    Raises:
        EvidenceError: it is no such key, others may read it, or its passphrase is another one.
    """
    raw = _read_secret(path)
    try:
        return _decode_private(raw, None)
    except TypeError:
        passphrase = take_passphrase(path) or (ask(f"Passphrase of {path}: ") if ask else "")
    except ValueError as error:
        raise _no_key(path, error) from None
    if not passphrase:
        raise EvidenceError(
            path, f"has a passphrase: set {PASSPHRASE_VARIABLE}, or run this on a terminal"
        )
    try:
        return _decode_private(raw, passphrase.encode())
    except (ValueError, TypeError):
        raise EvidenceError(path, "cannot be opened: is this its passphrase?") from None


def take_passphrase(path: Path) -> str:
    """The passphrase in the environment, which is gone then, from the process's memory too.

    A command that follows is a copy of this process before it is itself, and a recorder writes down
    with which environment: that of the memory where the kernel has put it.

    Args:
        path: the key, for errors.

    Raises:
        EvidenceError: it cannot be taken away.
    """
    found = os.environ.pop(PASSPHRASE_VARIABLE, "")
    if found:
        try:
            _wipe(os.fsencode(f"{PASSPHRASE_VARIABLE}={found}"))
        except OSError as error:
            raise EvidenceError(
                path,
                f"its passphrase cannot be wiped from the environment ({error.strerror}): "
                "run this on a terminal and type it",
            ) from None
    return found


def _wipe(entry: bytes) -> None:
    """Overwrite an entry where the kernel has put the environment (proc(5), `env_start`)."""
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    begin, end = map(int, fields[47:49])
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin)
        place = (b"\0" + memory.read(end - begin)).find(b"\0" + entry + b"\0")
        if place >= 0:
            memory.seek(begin + place)
            memory.write(bytes(len(entry)))


def _read_secret(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise EvidenceError(path, "is no regular file, expected a private key")
            if mode & _OTHERS:
                raise EvidenceError(path, "may be read by others: chmod 600 it, as ssh asks too")
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise EvidenceError(path, f"cannot be read: {error.strerror}") from None


def _decode_private(raw: bytes, password: bytes | None) -> "PrivateKeyTypes":
    """The key.

    Raises:
        TypeError: it has a passphrase, and none was given, or the other way round.
        ValueError: it is none, or the passphrase is another one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only keys need it
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    is_ssh = b"BEGIN OPENSSH PRIVATE KEY" in raw
    load = serialization.load_ssh_private_key if is_ssh else serialization.load_pem_private_key
    try:
        key = load(raw, password)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    key_type_of(key.public_key())
    return key


def _no_key(path: Path, error: ValueError) -> EvidenceError:
    expected = "expected a private key of OpenSSH: ed25519, ecdsa or rsa"
    return EvidenceError(path, f"cannot be used, {expected}: {str(error).splitlines()[0]}")


def load_public_keys(path: Path) -> list[bytes]:
    """The keys of a public key file, as SSH encodes them; one a line.

    Raises:
        EvidenceError: there is none.
    """
    found = []
    for line in read_lines(path):
        words = line.split()
        if words and not words[0].startswith("#"):
            blob = key_in_words(words)
            if blob is None:
                raise EvidenceError(path, "is no public key: expected `ssh-ed25519 AAAA...`")
            found.append(blob)
    if not found:
        raise EvidenceError(path, "holds no public key")
    return found


def key_in_words(words: list[str]) -> bytes | None:
    """The key in `TYPE BASE64 COMMENT`; None if it is none."""
    if len(words) < 2:
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = words[0].encode()
    return blob if blob.startswith(len(kind).to_bytes(4, "big") + kind) else None


def read_lines(path: Path) -> list[str]:
    """The lines of a small text file.

    Raises:
        EvidenceError: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES * 16).decode().splitlines()
    except OSError as error:
        raise EvidenceError(path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EvidenceError(path, "is no text, expected public keys") from None


def public_blob(key: "PublicKeyTypes") -> bytes:
    """A public key as SSH encodes it."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - only keys need it
        Encoding,
        PublicFormat,
    )

    return base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])


def key_type_of(key: "PublicKeyTypes") -> str:
    """What SSH calls a key's type, such as `ssh-ed25519`.

    Raises:
        ValueError: it is of a type that signs nothing here.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ssh-ed25519"
    if isinstance(key, rsa.RSAPublicKey):
        return "ssh-rsa"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return f"ecdsa-sha2-{_CURVES[key.curve.name]}"
    raise ValueError(f"keys of the type {type(key).__name__} sign nothing here")


_CURVES = {"secp256r1": "nistp256", "secp384r1": "nistp384", "secp521r1": "nistp521"}


def fingerprint_of(blob: bytes) -> str:
    """A key's fingerprint, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(sha256(blob).digest()).decode().rstrip("=")
