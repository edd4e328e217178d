"""Says whether captures are as they were sealed, and who signed them.

In: files, and the keys that count. Out: a verdict for each. A file is read once, by the threads
that digest its row groups; with a signature once more as a whole, at the same time.
"""

import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from falcotrace.capture.footer import Footer
from falcotrace.capture.parquet.file import MAGIC
from falcotrace.capture.reader import read_footer
from falcotrace.errors import CaptureError
from falcotrace.evidence.allowed_signers import Signer
from falcotrace.evidence.chain_check import ChainCheck
from falcotrace.evidence.chain_search import expected_chain, searched_chain
from falcotrace.evidence.findings import Finding, Place, SignatureFound, Status, Verdict
from falcotrace.evidence.signature_check import check_signature
from falcotrace.evidence.signing import signature_path

_UNREADABLE = frozenset({Place.BEGINNING, Place.FOOTER, Place.FILE})
"""With these the footer is not there, or not what was written."""

_MOST_EVENTS = (1 << 63) - 1

_RECOVERED = "interruption"  # `Recording.ended_by` of what was recovered
_ROTATED = "rotation"  # the same of what the recorder went on behind


def verify_capture(
    path: Path,
    signers: Sequence[Signer] | None = None,
    threads: int | None = None,
    *,
    is_chain_only: bool = False,
) -> Verdict:
    """Verify one capture, and its signature if there is one.

    Args:
        path: the capture; its signature is beside it, `CAPTURE.sig`.
        signers: keys that count; None: any.
        threads: how many digest; None: as many as there are cores.
        is_chain_only: leave the signature alone.

    Raises:
        CaptureError: it cannot be read, or is no capture.
        EvidenceError: a signature is there and cannot be read.
    """
    try:
        # A named pipe would wait for somebody who writes.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CaptureError(path, f"cannot be read: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise CaptureError(path, "is no regular file, expected a capture")
        threads = threads or len(os.sched_getaffinity(0))
        if is_chain_only:
            return _verdict(path, file, threads)
        with ThreadPoolExecutor(1) as beside:
            signature = beside.submit(check_signature, signature_path(path), file, signers)
            verdict = _verdict(path, file, threads)
            return _with_signature(verdict, signature.result())
    except OSError as error:
        raise CaptureError(path, f"cannot be read: {error.strerror}") from None
    finally:
        os.close(file)


def _verdict(path: Path, file: int, threads: int) -> Verdict:
    found = expected_chain(file)
    if found is not None:
        return _chained(path, ChainCheck(file, found, threads))
    footer: Footer | CaptureError
    try:
        footer = read_footer(path)
    except CaptureError as error:
        footer = error
    if isinstance(footer, Footer) and footer.chained is None:
        return Verdict(
            path=str(path),
            status=Status.NO_CHAIN,
            event_count=sum(group.row_count for group in footer.row_groups),
            row_group_count=len(footer.row_groups),
        )
    found = searched_chain(file)
    if found is not None:
        return _chained(path, ChainCheck(file, found, threads))
    return _chain_gone(path, file, footer)


def _chain_gone(path: Path, file: int, footer: Footer | CaptureError) -> Verdict:
    """There is no chain although there was one, or nobody can tell."""
    if isinstance(footer, CaptureError):
        if os.pread(file, len(MAGIC), 0) != MAGIC:
            raise footer
        finding = Finding(place=Place.FILE, text="its end is missing, or damaged with the chain")
    else:
        finding = Finding(place=Place.CHAIN, text="its footer says that it has one, it is gone")
    return Verdict(path=str(path), status=Status.CHANGED, findings=[finding])


def _chained(path: Path, check: ChainCheck) -> Verdict:
    findings = check.findings()
    chain = check.found.chain
    verdict = Verdict(
        path=str(path),
        status=Status.CHANGED if findings else Status.INTACT,
        findings=findings,
        row_group_count=len(chain.links),
        # A hostile chain may claim any number, and JSON has room for 64 bits.
        event_count=min(sum(link.row_count for link in chain.links), _MOST_EVENTS),
        head=chain.head.hex() if chain.is_whole else "",
    )
    if not _UNREADABLE.isdisjoint(finding.place for finding in findings):
        return verdict
    try:
        # The file that was digested, not another one that has its name by now.
        with os.fdopen(os.dup(check.file), "rb") as file:
            footer = read_footer(path, file)
    except CaptureError as error:
        # The chain has been made of a footer that is none: accidents do not do that.
        return _with_finding(verdict, Finding(place=Place.FOOTER, text=str(error)))
    return _told_by_footer(verdict, footer)


def _told_by_footer(verdict: Verdict, footer: Footer) -> Verdict:
    """What a footer that is as it was written says besides."""
    chained = footer.chained
    verdict = msgspec.structs.replace(
        verdict,
        is_recovered=footer.recording.ended_by == _RECOVERED,
        goes_on=footer.recording.ended_by == _ROTATED,
    )
    if chained is None:
        finding = Finding(place=Place.CHAIN, text="its footer does not know of one")
        return _with_finding(verdict, finding)
    for change in chained.changed:
        text = f"{change}: changed between recording and recovery"
        verdict = _with_finding(verdict, Finding(place=Place.RECORDING, text=text))
    return msgspec.structs.replace(
        verdict, series=chained.series, number=chained.number, after=chained.after
    )


def _with_finding(verdict: Verdict, finding: Finding) -> Verdict:
    return msgspec.structs.replace(
        verdict, status=Status.CHANGED, findings=[*verdict.findings, finding]
    )


def _with_signature(verdict: Verdict, signature: SignatureFound | None) -> Verdict:
    verdict = msgspec.structs.replace(verdict, signature=signature)
    if signature is None or signature.is_valid or not signature.is_checked:
        return verdict
    finding = Finding(place=Place.FILE, text="it is not what was signed")
    return _with_finding(verdict, finding)
