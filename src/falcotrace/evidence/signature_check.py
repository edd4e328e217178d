"""Checks the signature beside a capture.

In: the signature's file, the capture, the keys that count. Out: what is true of it.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

import msgspec

from falcotrace.capture.digests import whole_digest
from falcotrace.errors import EvidenceError
from falcotrace.evidence.allowed_signers import Signer
from falcotrace.evidence.findings import SignatureFound
from falcotrace.evidence.keys import fingerprint_of
from falcotrace.evidence.ssh_signature import (
    DIGESTS,
    NAMESPACE,
    SshSignature,
    is_signed,
    parse_signature,
)

_MOST_BYTES = 64 << 10


def check_signature(
    path: Path, capture: int, signers: Sequence[Signer] | None
) -> SignatureFound | None:
    """Check a signature; None if there is none.

    Args:
        path: the signature's file.
        capture: what was signed, open for reading.
        signers: keys that count; None: any.

    Raises:
        EvidenceError: the file is there and cannot be read.
        OSError: the capture cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvidenceError(path, f"cannot be read: {error.strerror}") from None
    try:
        signature = parse_signature(raw.decode("ascii"))
    except (UnicodeDecodeError, ValueError) as error:
        return SignatureFound(problem=f"{path.name} is damaged: {error}")
    return _of_signer(_checked(signature, capture), signature, signers)


def _checked(signature: SshSignature, capture: int) -> SignatureFound:
    """Whether the key that it claims has made it."""
    found = SignatureFound(fingerprint=fingerprint_of(signature.key), key_type=signature.key_type)
    if signature.namespace != NAMESPACE:
        problem = f"it is for {signature.namespace!r}, expected {NAMESPACE!r}"
        return msgspec.structs.replace(found, problem=problem)
    if signature.digest_name not in DIGESTS:
        problem = f"the digest {signature.digest_name!r} is not known here"
        return msgspec.structs.replace(found, problem=problem)
    digest = whole_digest(capture, signature.digest_name)
    try:
        is_valid = is_signed(signature, digest)
    except ValueError as error:
        return msgspec.structs.replace(found, problem=str(error))
    problem = "" if is_valid else "the file is not what was signed"
    return msgspec.structs.replace(found, is_checked=True, is_valid=is_valid, problem=problem)


def _of_signer(
    found: SignatureFound, signature: SshSignature, signers: Sequence[Signer] | None
) -> SignatureFound:
    """Whether it is the key of somebody who counts."""
    if signers is None:
        return found
    with_key = [signer for signer in signers if signer.key == signature.key]
    moment = datetime.datetime.now(datetime.UTC)
    objections = [signer.objection(moment) for signer in with_key]
    principals = [
        principal
        for signer, objection in zip(with_key, objections, strict=True)
        if not objection
        for principal in signer.principals
    ]
    is_trusted = "" in objections
    problem = found.problem
    if not is_trusted:
        problem = problem or next(iter(objections), "the key is none of those that count")
    return msgspec.structs.replace(
        found, is_trusted=is_trusted, principals=principals, problem=problem
    )
