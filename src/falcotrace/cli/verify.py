"""`falcotrace verify`: whether captures are as they were sealed, and who signed them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import CapturesArgument, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from falcotrace.evidence.allowed_signers import Signer
    from falcotrace.evidence.findings import Finding, Verdict


def verify(
    captures: CapturesArgument,
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", help="Public key file: a signature by one of these keys must be there."
        ),
    ] = None,
    allowed_signers: Annotated[
        Path | None,
        typer.Option("--allowed-signers", help="The same, with names, as ssh-keygen(1) has it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether captures are as they were sealed: what was changed, and who signed them.

    Captures of a rotation that are given together are also checked for ones that are missing.

    Exit codes: 0 intact, 1 changed (or not signed as asked), 2 error, 3 no chain.
    """
    import msgspec

    from falcotrace.capture.sources import expand_source
    from falcotrace.evidence.series import with_series

    signers = _signers(key, allowed_signers)
    paths = list(dict.fromkeys(path for source in captures for path in expand_source(source)))
    found, has_errors = _verified(paths, signers)
    verdicts = with_series(found)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(verdicts), indent=2).decode())
    else:
        for verdict in verdicts:
            print(_line(verdict, is_asked=signers is not None))
    sys.exit(_exit_code(verdicts, is_asked=signers is not None, has_errors=has_errors))


def _signers(key: Path | None, allowed: Path | None) -> "list[Signer] | None":
    """The keys that count; None for any."""
    from falcotrace.evidence.allowed_signers import allowed_signers, signers_of_key

    if key is None and allowed is None:
        return None
    return [
        *(signers_of_key(key) if key else ()),
        *(allowed_signers(allowed) if allowed else ()),
    ]


def _verified(
    paths: "Sequence[Path]", signers: "list[Signer] | None"
) -> "tuple[list[Verdict], bool]":
    """Verdicts, and whether some files could not be looked at."""
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.errors import FalcoTraceError
    from falcotrace.evidence.verify import verify_capture
    from falcotrace.outputs.escape import for_terminal

    found = []
    has_errors = False
    with LiveLine() as line:
        for path in paths:
            line.show(for_terminal(f"verifying  {path}"))
            try:
                found.append(verify_capture(path, signers))
            except FalcoTraceError as error:
                has_errors = True
                line.clear()
                print(f"falcotrace: {error}", file=sys.stderr)
    return found, has_errors


def _exit_code(verdicts: "Sequence[Verdict]", *, is_asked: bool, has_errors: bool) -> int:
    from falcotrace.cli.exit_codes import ExitCode
    from falcotrace.evidence.findings import Status

    if has_errors:
        return ExitCode.ERROR
    if any(one.status is Status.CHANGED or _is_signed_badly(one, is_asked) for one in verdicts):
        return ExitCode.CHANGED
    # A signature that counts is about every byte: it needs no chain.
    if any(one.status is Status.NO_CHAIN and not is_asked for one in verdicts):
        return ExitCode.NO_CHAIN
    return ExitCode.CLEAN


def _is_signed_badly(verdict: "Verdict", is_asked: bool) -> bool:  # noqa: FBT001 - one of two
    return not verdict.is_signed_well and (is_asked or verdict.signature is not None)


def _line(verdict: "Verdict", *, is_asked: bool) -> str:
    from falcotrace.evidence.findings import Status
    from falcotrace.outputs.escape import for_terminal

    parts = [_status_text(verdict), _signature_text(verdict, is_asked=is_asked)]
    if verdict.status is not Status.NO_CHAIN:
        groups = f"{verdict.row_group_count:,} row group{'s' * (verdict.row_group_count != 1)}"
        parts.append(f"{verdict.event_count:,} events in {groups}")
    if verdict.is_recovered:
        parts.append("recovered: its recording was interrupted")
    parts += verdict.notes
    if verdict.head:
        parts.append(f"head {verdict.head}")
    return for_terminal(f"{verdict.path}: {'; '.join(parts)}")


def _status_text(verdict: "Verdict") -> str:
    from falcotrace.evidence.findings import Status

    if verdict.status is Status.CHANGED:
        return "CHANGED: " + ", ".join(_texts(verdict.findings))
    if verdict.status is Status.NO_CHAIN:
        return "no chain: made before captures had one, or it was taken out"
    return "intact"


_MOST_NAMED = 8


def _texts(findings: "Sequence[Finding]") -> "Iterator[str]":
    for finding in findings[:_MOST_NAMED]:
        yield _finding_text(finding)
    if len(findings) > _MOST_NAMED:
        yield f"{len(findings) - _MOST_NAMED:,} more"


def _finding_text(finding: "Finding") -> str:
    from falcotrace.evidence.findings import Place
    from falcotrace.outputs.times import iso_time

    if finding.place is not Place.ROW_GROUP:
        return f"{finding.place} ({finding.text})" if finding.text else finding.place
    return (
        f"row group {finding.row_group:,} (events {finding.first_num:,} to {finding.last_num:,}, "
        f"{iso_time(finding.first_time_ns)} to {iso_time(finding.last_time_ns)})"
    )


def _signature_text(verdict: "Verdict", *, is_asked: bool) -> str:
    found = verdict.signature
    if found is None:
        return "UNSIGNED, a signature was asked for" if is_asked else "unsigned"
    if not found.fingerprint:
        return f"signature: {found.problem}"
    who = f"{found.fingerprint} ({', '.join([found.key_type, *found.principals])})"
    if not found.is_valid or found.is_trusted is False:
        return f"NOT SIGNED by {who}: {found.problem}"
    return f"signed by {who}" + ("" if is_asked else ", whoever that is")
