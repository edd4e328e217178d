"""Signatures in the form of OpenSSH, which `ssh-keygen -Y verify -n file` takes too.

In: the digest of a file and a key, or a signature. Out: the signature, or whether it is one.

Source: OpenSSH, PROTOCOL.sshsig; the encoding of keys and signatures is that of RFC 4253, 5656,
8332 and 8709.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from falcotrace.evidence.keys import key_type_of, public_blob

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

NAMESPACE: Final = "file"
"""What is signed is a file, as `ssh-keygen -Y sign` has it by custom."""

DIGESTS: Final = ("sha256", "sha512")
"""Digests of the file that a signature may be about; ours are about SHA-256, which `sha256sum`
prints."""

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_LINE_CHARACTERS: Final = 70
_RSA_DIGESTS: Final = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A signature.

    Attributes:
        key: the public key that it claims, as SSH encodes it.
        namespace: what it is for.
        digest_name: digest of the file that was signed.
        algorithm: how it was signed.
        raw: the signature itself, as SSH encodes it for its algorithm.
    """

    key: bytes
    namespace: str
    digest_name: str
    algorithm: str
    raw: bytes

    @property
    def key_type(self) -> str:
        """The type of the key, such as `ssh-ed25519`."""
        return _take(self.key)[0].decode("ascii", "replace")

    def armored(self) -> str:
        """The signature as the text of a file."""
        body = b"".join(
            (
                _MAGIC,
                struct.pack(">I", _VERSION),
                _string(self.key),
                _string(self.namespace.encode()),
                _string(b""),
                _string(self.digest_name.encode()),
                _string(_string(self.algorithm.encode()) + _string(self.raw)),
            )
        )
        text = base64.b64encode(body).decode()
        lines = [text[at : at + _LINE_CHARACTERS] for at in range(0, len(text), _LINE_CHARACTERS)]
        return "\n".join((_BEGIN, *lines, _END, ""))


def parse_signature(text: str) -> SshSignature:
    """Read a signature file.

    Raises:
        ValueError: it is none.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise ValueError("it is no SSH signature")
    try:
        body = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("its text is not base64") from None
    if not body.startswith(_MAGIC + struct.pack(">I", _VERSION)):
        raise ValueError("it is of another version")
    key, rest = _take(body[len(_MAGIC) + 4 :])
    namespace, rest = _take(rest)
    _, rest = _take(rest)
    digest_name, rest = _take(rest)
    signature, rest = _take(rest)
    algorithm, raw = _take(signature)
    raw, behind = _take(raw)
    if rest or behind:
        raise ValueError("something stands behind it")
    _take(key)
    return SshSignature(
        key=key,
        namespace=_text(namespace),
        digest_name=_text(digest_name),
        algorithm=_text(algorithm),
        raw=raw,
    )


def sign_digest(key: "PrivateKeyTypes", digest: bytes) -> SshSignature:
    """Sign the SHA-256 of a file."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - only keys need it
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.utils import (  # noqa: PLC0415
        decode_dss_signature,
    )

    data = _signed_data(NAMESPACE, DIGESTS[0], digest)
    algorithm = key_type_of(key.public_key())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.sign(data)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = decode_dss_signature(key.sign(data, ec.ECDSA(_digest_of_curve(key.key_size))))
        raw = b"".join(map(_mpint, numbers))
    elif isinstance(key, rsa.RSAPrivateKey):
        algorithm = _RSA_DIGESTS[0]
        raw = key.sign(data, padding.PKCS1v15(), hashes.SHA512())
    else:
        raise TypeError(f"keys of the type {type(key).__name__} sign nothing here")
    return SshSignature(public_blob(key.public_key()), NAMESPACE, DIGESTS[0], algorithm, raw)


def is_signed(signature: SshSignature, digest: bytes) -> bool:
    """Whether the key that a signature claims has made it for a file with this digest.

    Raises:
        ValueError: the key, or the way to sign, is none that is known here.
    """
    from cryptography.exceptions import (  # noqa: PLC0415 - only signatures need it
        InvalidSignature,
        UnsupportedAlgorithm,
    )
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key  # noqa: PLC0415

    line = signature.key_type.encode() + b" " + base64.b64encode(signature.key)
    try:
        key = load_ssh_public_key(line)
        kind = key_type_of(key)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"keys of the type {signature.key_type} are not known here") from None
    if signature.algorithm not in (_RSA_DIGESTS if kind == "ssh-rsa" else (kind,)):
        raise ValueError(f"{signature.algorithm} is no way to sign with a key of the type {kind}")
    data = _signed_data(signature.namespace, signature.digest_name, digest)
    try:
        _verify(key, signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _verify(key: object, signature: SshSignature, data: bytes) -> None:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - only signatures need it
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.utils import (  # noqa: PLC0415
        encode_dss_signature,
    )

    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature.raw, data)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        r, rest = _take(signature.raw)
        s, rest = _take(rest)
        if rest:
            raise ValueError("something stands behind the signature")
        numbers = (int.from_bytes(one, "big", signed=True) for one in (r, s))
        key.verify(encode_dss_signature(*numbers), data, ec.ECDSA(_digest_of_curve(key.key_size)))
    elif isinstance(key, rsa.RSAPublicKey):
        digest = hashes.SHA512() if signature.algorithm == _RSA_DIGESTS[0] else hashes.SHA256()
        # Whoever signs may leave out zeros at the front (RFC 8332 asks verifiers to take that).
        raw = signature.raw.rjust((key.key_size + 7) // 8, b"\0")
        key.verify(raw, data, padding.PKCS1v15(), digest)


def _digest_of_curve(key_bits: int) -> "hashes.HashAlgorithm":
    """RFC 5656, 6.2.1."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - only keys need it

    if key_bits <= 256:
        return hashes.SHA256()
    return hashes.SHA384() if key_bits <= 384 else hashes.SHA512()


def _signed_data(namespace: str, digest_name: str, digest: bytes) -> bytes:
    parts = (namespace.encode(), b"", digest_name.encode(), digest)
    return _MAGIC + b"".join(map(_string, parts))


def _string(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def _mpint(number: int) -> bytes:
    return _string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _take(raw: bytes) -> tuple[bytes, bytes]:
    """A string of SSH, and what stands behind it."""
    size = int.from_bytes(raw[:4], "big")
    if len(raw) < 4 or len(raw) - 4 < size:
        raise ValueError("it is cut off")
    return raw[4 : 4 + size], raw[4 + size :]


def _text(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("it has a name that is no text") from None
