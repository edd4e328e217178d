"""Signatures: ours are taken by ssh-keygen, its by us, and none that does not belong counts."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from chained_captures import CAPTURES, Layout, chain_anew
from evidence.test_changes import with_chain_made_anew
from falcotrace.errors import EvidenceError
from falcotrace.evidence.allowed_signers import allowed_signers, signers_of_key
from falcotrace.evidence.findings import Status, Verdict
from falcotrace.evidence.keys import PASSPHRASE_VARIABLE
from falcotrace.evidence.signing import CaptureSigner, signature_path
from falcotrace.evidence.verify import verify_capture

TYPES = {
    "ed25519": ("-t", "ed25519"),
    "ecdsa-256": ("-t", "ecdsa", "-b", "256"),
    "ecdsa-384": ("-t", "ecdsa", "-b", "384"),
    "ecdsa-521": ("-t", "ecdsa", "-b", "521"),
    "rsa": ("-t", "rsa", "-b", "2048"),
    "rsa-pem": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
}
PASSPHRASE = "correct horse"


def ssh_keygen(
    *arguments: str | Path, stdin: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run OpenSSH's own program."""
    with (stdin or Path(os.devnull)).open("rb") as file:
        return subprocess.run(
            ["ssh-keygen", *arguments], stdin=file, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key of each type, and one with a passphrase."""
    folder = tmp_path_factory.mktemp("keys")
    for name, options in TYPES.items():
        ssh_keygen("-q", *options, "-N", "", "-C", name, "-f", folder / name)
    ssh_keygen("-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", folder / "secret")
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture with a chain."""
    target = tmp_path_factory.mktemp("shop") / "shop.parquet"
    chain_anew(CAPTURES / "shop_network.parquet", target, 3)
    return target


@pytest.fixture
def capture(shop: Path, tmp_path: Path) -> Path:
    """A copy of it to sign."""
    return Path(shutil.copy(shop, tmp_path / "c.parquet"))


def allowed(folder: Path, key: Path, options: str = "") -> Path:
    """A file of allowed signers with one key."""
    words = (key.with_suffix(".pub") if not key.suffix else key).read_text().split()
    path = folder / "allowed"
    path.write_text(f"# who may\n\nalice@example.org,bob {options} {words[0]} {words[1]}\n")
    return path


def verify_by(capture: Path, key: Path) -> Verdict:
    """Verify with a public key."""
    return verify_capture(capture, signers_of_key(key))


@pytest.mark.parametrize("name", TYPES)
def test_ssh_keygen_takes_ours(keys: Path, capture: Path, tmp_path: Path, name: str) -> None:
    """`ssh-keygen -Y verify` checks a signature with nothing of ours, and finds a changed byte."""
    signature = CaptureSigner(keys / name).sign(capture)
    assert signature == capture.with_name("c.parquet.sig")
    assert stat.S_IMODE(signature.stat().st_mode) == 0o644
    signers = allowed(tmp_path, keys / f"{name}.pub")
    command = ("-Y", "verify", "-f", signers, "-I", "bob", "-n", "file", "-s", signature)
    done = ssh_keygen(*command, stdin=capture)
    assert done.returncode == 0, done.stderr
    raw = bytearray(capture.read_bytes())
    raw[1000] ^= 1
    capture.write_bytes(raw)
    assert ssh_keygen(*command, stdin=capture).returncode != 0


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
@pytest.mark.parametrize("name", TYPES)
def test_we_take_those_of_ssh_keygen(keys: Path, capture: Path, name: str, digest: str) -> None:
    """Of each type of key and either digest; the fingerprint is the one that it prints."""
    ssh_keygen(
        "-Y", "sign", "-q", "-n", "file", "-O", f"hashalg={digest}", "-f", keys / name, capture
    )
    assert signature_path(capture).exists()
    found = verify_by(capture, keys / f"{name}.pub").signature
    assert found is not None
    assert (found.is_valid, found.is_trusted, found.problem) == (True, True, "")
    assert found.fingerprint in ssh_keygen("-l", "-f", keys / f"{name}.pub").stdout


def test_a_chain_made_anew_is_found(keys: Path, capture: Path) -> None:
    """Whoever knows the format can make a chain; without the key no signature."""
    CaptureSigner(keys / "ed25519").sign(capture)
    assert verify_by(capture, keys / "ed25519.pub").status is Status.INTACT
    raw = capture.read_bytes()
    capture.write_bytes(with_chain_made_anew(raw, Layout(raw).groups[1] + 50))
    verdict = verify_by(capture, keys / "ed25519.pub")
    assert verdict.status is Status.CHANGED
    assert [finding.text for finding in verdict.findings] == ["it is not what was signed"]
    assert not verdict.is_signed_well
    CaptureSigner(keys / "rsa").sign(capture, overwrite=True)
    verdict = verify_by(capture, keys / "ed25519.pub")
    assert (verdict.status, verdict.is_signed_well) == (Status.INTACT, False)
    assert verdict.signature is not None
    assert verdict.signature.is_valid
    assert "none of those that count" in verdict.signature.problem


def test_allowed_signers(keys: Path, capture: Path, tmp_path: Path) -> None:
    """Names are told; what they may sign and until when is asked, as ssh-keygen asks it."""
    CaptureSigner(keys / "ed25519").sign(capture)
    key = keys / "ed25519.pub"
    for options, problem in (
        ("", ""),
        ('namespaces="git,f*"', ""),
        ('namespaces="git"', "may not sign for 'file'"),
        ('valid-before="20200101"', "counted until 2020-01-01"),
        ('valid-after="29990101Z",namespaces="file"', "counts from 2999-01-01"),
    ):
        signers = allowed(tmp_path, key, options)
        found = verify_capture(capture, allowed_signers(signers)).signature
        assert found is not None
        assert (problem in found.problem, bool(problem)) == (True, bool(found.problem))
        assert found.principals == ([] if problem else ["alice@example.org", "bob"])
        command = ("-Y", "verify", "-f", signers, "-I", "bob", "-n", "file")
        done = ssh_keygen(*command, "-s", signature_path(capture), stdin=capture)
        assert (done.returncode == 0) == (not problem), done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no key"),
        ("alice", "line 1: expected"),
        ("alice ssh-ed25519 nothing", "line 1: expected"),
        ("alice unknown=1 KEY", "'unknown' is not known"),
        ('alice valid-before="soon" KEY', "expected a time"),
        ("ca cert-authority KEY", "names no key"),
        ("\xff", "line 1: expected"),
    ],
)
def test_wrong_allowed_signers(keys: Path, tmp_path: Path, text: str, message: str) -> None:
    """Are an error of one line with its place."""
    path = tmp_path / "allowed"
    path.write_text(text.replace("KEY", (keys / "ed25519.pub").read_text()))
    with pytest.raises(EvidenceError, match=message) as caught:
        allowed_signers(path)
    assert len(str(caught.value).splitlines()) == 1


def test_signatures_that_are_none(keys: Path, capture: Path) -> None:
    """A damaged signature is told from a damaged capture, and nothing of it ends in a traceback."""
    CaptureSigner(keys / "ecdsa-256").sign(capture)
    path = signature_path(capture)
    text = path.read_text()
    lines = text.splitlines()
    damaged = [
        "",
        "x" * 100_000,
        lines[0],
        "\n".join([lines[0], "!!!", lines[-1]]),
        "\n".join([lines[0], "AAAA", lines[-1]]),
        "\n".join([lines[0], *lines[2:]]),
        "\n".join([*lines[:-2], lines[-1]]),
        text.replace("U1NIU0lH", "U1NIU0lI"),
    ]
    for one in damaged:
        path.write_text(one)
        verdict = verify_by(capture, keys / "ecdsa-256.pub")
        assert (verdict.status, verdict.is_signed_well) == (Status.INTACT, False)
        assert verdict.signature is not None
        assert "is damaged" in verdict.signature.problem
    path.write_bytes(b"\xff\xfe")
    assert not verify_capture(capture).is_signed_well


def test_every_changed_byte_of_a_signature(keys: Path, capture: Path) -> None:
    """Makes it one that does not count."""
    import base64

    CaptureSigner(keys / "ed25519").sign(capture)
    path = signature_path(capture)
    lines = path.read_text().splitlines()
    body = base64.b64decode("".join(lines[1:-1]))
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] ^= 1
        path.write_text("\n".join([lines[0], base64.b64encode(changed).decode(), lines[-1]]))
        assert not verify_by(capture, keys / "ed25519.pub").is_signed_well, place


def test_a_signature_for_something_else(keys: Path, capture: Path) -> None:
    """What was signed as a commit or a mail was not signed as a file."""
    ssh_keygen("-Y", "sign", "-q", "-n", "git", "-f", keys / "ed25519", capture)
    found = verify_by(capture, keys / "ed25519.pub").signature
    assert found is not None
    assert (found.is_valid, found.problem) == (False, "it is for 'git', expected 'file'")


def test_nothing_is_overwritten(keys: Path, capture: Path, tmp_path: Path) -> None:
    """A signature stays, and no link is followed."""
    signer = CaptureSigner(keys / "ed25519")
    path = signature_path(capture)
    path.write_text("precious")
    with pytest.raises(EvidenceError, match="exists already"):
        signer.sign(capture)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError, match="exists already"):
        signer.sign(capture, overwrite=True)
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_with_a_passphrase(
    keys: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for; from the environment it is taken away, so that no command has it."""
    key = keys / "secret"
    with pytest.raises(EvidenceError, match="has a passphrase"):
        CaptureSigner(key)
    with pytest.raises(EvidenceError, match="is this its passphrase") as caught:
        CaptureSigner(key, lambda _: "wrong secret")
    assert "wrong secret" not in str(caught.value)
    CaptureSigner(key, lambda _: PASSPHRASE)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    CaptureSigner(key).sign(capture)
    assert PASSPHRASE_VARIABLE not in os.environ
    assert verify_by(capture, keys / "secret.pub").is_signed_well


def test_keys_that_cannot_sign(keys: Path, tmp_path: Path) -> None:
    """Public ones, ones that others may read, other files."""
    shutil.copy(keys / "ed25519", tmp_path / "open")
    (tmp_path / "open").chmod(0o640)
    (tmp_path / "text").write_text("hello")
    (tmp_path / "text").chmod(0o600)
    (tmp_path / "public").write_text((keys / "ed25519.pub").read_text())
    (tmp_path / "public").chmod(0o600)
    for name, message in (
        ("open", "may be read by others"),
        ("text", "expected a private key"),
        ("public", "expected a private key"),
        ("none", "No such file"),
        (".", "Is a directory"),
    ):
        with pytest.raises(EvidenceError, match=message) as caught:
            CaptureSigner(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(EvidenceError, match="is no public key"):
        signers_of_key(tmp_path / "text")
