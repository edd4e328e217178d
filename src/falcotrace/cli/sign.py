"""`falcotrace sign`: sign captures with a key of SSH."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import CapturesArgument

if TYPE_CHECKING:
    from falcotrace.evidence.signing import CaptureSigner

SignOption = Annotated[
    Path | None,
    typer.Option(
        "--sign",
        metavar="KEY",
        help="Sign the capture with a private key of SSH (CAPTURE.sig beside it).",
    ),
]


def sign(
    captures: CapturesArgument,
    *,
    key: Annotated[Path, typer.Option("--key", help="Private key of SSH: ed25519, ecdsa or rsa.")],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a signature that exists.")
    ] = False,
) -> None:
    """Sign captures: each gets a signature beside it, CAPTURE.sig.

    `falcotrace verify --key` checks it, and so does `ssh-keygen -Y verify -n file`. One that was
    changed since it was sealed is not signed.
    """
    from falcotrace.capture.sources import expand_source
    from falcotrace.errors import EvidenceError
    from falcotrace.evidence.findings import Status
    from falcotrace.evidence.verify import verify_capture
    from falcotrace.outputs.escape import for_terminal

    signer = signer_of(key)
    for path in dict.fromkeys(path for source in captures for path in expand_source(source)):
        verdict = verify_capture(path, is_chain_only=True)
        if verdict.status is Status.CHANGED:
            raise EvidenceError(
                path, "was changed since it was sealed (see `falcotrace verify`): it is not signed"
            )
        written = signer.sign(path, overwrite=force)
        print(for_terminal(f"{written}: signed by {signer.fingerprint}"), file=sys.stderr)


def signer_of(
    key: Path, capture: Path | None = None, *, overwrite: bool = False
) -> "CaptureSigner":
    """The key, once its passphrase has been asked for where it has one.

    Args:
        key: the private key.
        capture: what it will sign, if that is known.
        overwrite: whether a signature of it may be replaced.

    Raises:
        EvidenceError: it cannot be used, or there is a signature.
    """
    import getpass

    from falcotrace.evidence.signing import CaptureSigner, refuse_existing

    if capture is not None:
        refuse_existing(capture, overwrite=overwrite)
    return CaptureSigner(key, getpass.getpass if sys.stdin.isatty() else None)
