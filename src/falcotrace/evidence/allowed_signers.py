"""Who may sign: a public key, or a file of allowed signers as ssh-keygen(1) describes it.

In: such a file. Out: the principals that a key belongs to, and until when.
"""

import datetime
import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from falcotrace.errors import EvidenceError
from falcotrace.evidence.keys import key_in_words, load_public_keys, read_lines
from falcotrace.evidence.ssh_signature import NAMESPACE

_WORD: Final = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')
_OPTION: Final = re.compile(r'([A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^,]*)))?(?:,|$)')
_TIME_FORMS: Final = ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S")


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that may sign.

    Attributes:
        key: as SSH encodes it.
        principals: whose it is; empty where only the key was named.
        namespaces: patterns of what it may sign; empty: everything.
        after: not before then.
        before: not later than that.
    """

    key: bytes
    principals: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    after: datetime.datetime | None = None
    before: datetime.datetime | None = None

    def objection(self, now: datetime.datetime) -> str:
        """Why it may not sign a capture that is looked at now; empty if it may."""
        if self.namespaces and not any(
            fnmatch.fnmatchcase(NAMESPACE, pattern) for pattern in self.namespaces
        ):
            return f"its key may not sign for {NAMESPACE!r}"
        if self.after and now < self.after:
            return f"its key counts from {self.after:%Y-%m-%d} on"
        if self.before and now > self.before:
            return f"its key counted until {self.before:%Y-%m-%d}"
        return ""


def signers_of_key(path: Path) -> list[Signer]:
    """The keys of a public key file.

    Raises:
        EvidenceError: there is none.
    """
    return [Signer(key) for key in load_public_keys(path)]


def allowed_signers(path: Path) -> list[Signer]:
    """The keys of a file of allowed signers; lines for certificates are passed over.

    Raises:
        EvidenceError: it is none.
    """
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                signer = _signer(_WORD.findall(text))
            except ValueError as error:
                raise EvidenceError(path, f"line {number}: {error}") from None
            if signer is not None:
                found.append(signer)
    if not found:
        raise EvidenceError(path, "names no key: expected `alice@example.org ssh-ed25519 AAAA...`")
    return found


def _signer(words: list[str]) -> Signer | None:
    principals, *rest = words
    options: dict[str, str] = {}
    key = key_in_words(rest)
    if key is None:
        options = _options(rest[0]) if rest else {}
        key = key_in_words(rest[1:])
    if key is None:
        raise ValueError("expected `PRINCIPALS [OPTIONS] TYPE KEY`")
    if "cert-authority" in options:
        return None
    namespaces = options.get("namespaces", "")
    return Signer(
        key=key,
        principals=tuple(principals.strip('"').split(",")),
        namespaces=tuple(filter(None, namespaces.split(","))),
        after=_time(options.get("valid-after")),
        before=_time(options.get("valid-before")),
    )


def _options(text: str) -> dict[str, str]:
    found = {}
    place = 0
    while place < len(text):
        option = _OPTION.match(text, place)
        if option is None:
            raise ValueError('expected options such as namespaces="file"')
        found[option[1].lower()] = option[2] or option[3] or ""
        place = option.end()
    unknown = found.keys() - {"cert-authority", "namespaces", "valid-after", "valid-before"}
    if unknown:
        raise ValueError(f"the option {min(unknown)!r} is not known")
    return found


def _time(text: str | None) -> datetime.datetime | None:
    """A time of ssh-keygen(1): local, or UTC with a Z behind it."""
    if text is None:
        return None
    zone = datetime.UTC if text.endswith("Z") else None
    digits = text.removesuffix("Z")
    for form in _TIME_FORMS:
        if len(digits) == len(datetime.datetime(2000, 1, 1).strftime(form)):  # noqa: DTZ001
            try:
                moment = datetime.datetime.strptime(digits, form)  # noqa: DTZ007 - zone follows
            except ValueError:
                break
            return moment.replace(tzinfo=zone) if zone else moment.astimezone()
    raise ValueError(f"expected a time such as 20261231 or 20261231235959Z, found {text!r}")
