"""`falcotrace verify`, `sign` and `--sign`: lines, exit codes, JSON."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chained_captures import CAPTURES, Layout, chain_anew
from unit.cli.test_import import EVENTS
from unit.scap.scenarios import capture_bytes


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture with a chain."""
    target = tmp_path_factory.mktemp("shop") / "shop.parquet"
    chain_anew(CAPTURES / "shop_network.parquet", target, 2)
    return target


@pytest.fixture
def folder(shop: Path, tmp_path: Path) -> Path:
    """A folder with an intact capture, a changed one, one without a chain, and a key."""
    shutil.copy(shop, tmp_path / "intact.parquet")
    raw = bytearray(shop.read_bytes())
    raw[Layout(bytes(raw)).groups[1] + 9] ^= 1
    (tmp_path / "changed.parquet").write_bytes(raw)
    for name, passphrase in (("key", ""), ("secret", "open sesame"), ("other", "")):
        command = [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            passphrase,
            "-f",
            str(tmp_path / name),
        ]
        subprocess.run(command, check=True)
    return tmp_path


def falcotrace(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command there."""
    return subprocess.run(
        [sys.executable, "-m", "falcotrace", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_lines_and_exit_codes(folder: Path) -> None:
    """A line for each capture; the exit code is that of the worst."""
    done = falcotrace(folder, "verify", "intact.parquet")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("intact.parquet: intact; unsigned; ")
    assert done.stdout.count("\n") == 1
    done = falcotrace(folder, "verify", "intact.parquet", "changed.parquet")
    assert done.returncode == 1
    line = done.stdout.splitlines()[1]
    assert line.startswith("changed.parquet: CHANGED: row group 2 (events ")
    assert "T" in line.split(" to ")[1]
    (folder / "text.parquet").write_text("hello")
    done = falcotrace(folder, "verify", "text.parquet", "changed.parquet")
    assert done.returncode == 2
    assert done.stderr == "falcotrace: text.parquet: is not a Parquet file, expected a capture\n"
    assert done.stdout.startswith("changed.parquet: CHANGED")
    assert falcotrace(folder, "verify", "nowhere.parquet").returncode == 2


def test_json(folder: Path) -> None:
    """Says the same for programs."""
    done = falcotrace(folder, "verify", "--json", ".")
    assert done.returncode == 1
    changed, intact = json.loads(done.stdout)
    assert (changed["status"], intact["status"]) == ("changed", "intact")
    assert changed["findings"][0]["row_group"] == 2
    assert len(intact["head"]) == 64


def test_sign_and_verify(folder: Path) -> None:
    """With the key, with another one, without a signature; a changed capture is not signed."""
    done = falcotrace(folder, "verify", "--key", "key.pub", "intact.parquet")
    assert done.returncode == 1
    assert "UNSIGNED, a signature was asked for" in done.stdout
    done = falcotrace(folder, "sign", "--key", "key", "intact.parquet")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("intact.parquet.sig: signed by SHA256:")
    done = falcotrace(folder, "verify", "intact.parquet")
    assert (done.returncode, "whoever that is" in done.stdout) == (0, True)
    done = falcotrace(folder, "verify", "--key", "key.pub", "intact.parquet")
    assert done.returncode == 0
    assert "intact; signed by SHA256:" in done.stdout
    done = falcotrace(folder, "verify", "--key", "other.pub", "intact.parquet")
    assert (done.returncode, "NOT SIGNED by SHA256:" in done.stdout) == (1, True)
    done = falcotrace(folder, "sign", "--key", "key", "intact.parquet")
    assert (done.returncode, "--force" in done.stderr) == (2, True)
    assert falcotrace(folder, "sign", "--key", "key", "--force", "intact.parquet").returncode == 0
    done = falcotrace(folder, "sign", "--key", "key", "changed.parquet")
    assert (done.returncode, "it is not signed" in done.stderr) == (2, True)
    assert not (folder / "changed.parquet.sig").exists()


def test_a_passphrase_is_never_printed(folder: Path) -> None:
    """From the environment it works; without a terminal it says what to do."""
    done = falcotrace(folder, "sign", "--key", "secret", "intact.parquet")
    assert (done.returncode, "FALCOTRACE_KEY_PASSPHRASE" in done.stderr) == (2, True)
    for passphrase, code in (("open says me", 2), ("open sesame", 0)):
        environment = {"FALCOTRACE_KEY_PASSPHRASE": passphrase}
        arguments = ("--debug", "sign", "--key", "secret", "intact.parquet")
        done = falcotrace(folder, *arguments, **environment)
        assert (done.returncode == 0) == (code == 0)
        assert passphrase not in done.stdout + done.stderr


def test_a_passphrase_is_wiped_from_memory(folder: Path) -> None:
    """Where the kernel has put the environment, for forks of the process are described with it."""
    script = (
        "import os, pathlib\n"
        "from falcotrace.evidence.keys import take_passphrase\n"
        "before = pathlib.Path('/proc/self/environ').read_bytes()\n"
        "assert b'FALCOTRACE_KEY_PASSPHRASE=open sesame' in before\n"
        "assert take_passphrase(pathlib.Path('key')) == 'open sesame'\n"
        "after = pathlib.Path('/proc/self/environ').read_bytes()\n"
        "assert b'sesame' not in after and b'PASSPHRASE' not in after\n"
        "assert len(after) == len(before) and b'LAST=1' in after\n"
        "assert take_passphrase(pathlib.Path('key')) == ''\n"
    )
    environment = {**os.environ, "FALCOTRACE_KEY_PASSPHRASE": "open sesame", "LAST": "1"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, cwd=folder)


def test_import_signs(folder: Path) -> None:
    """What is imported has a chain and a signature; a signature that exists is asked for before."""
    (folder / "c.scap").write_bytes(capture_bytes(EVENTS))
    done = falcotrace(folder, "import", "c.scap", "--sign", "key")
    assert done.returncode == 0, done.stderr
    done = falcotrace(folder, "verify", "--key", "key.pub", "c.parquet")
    assert (done.returncode, "intact; signed by" in done.stdout) == (0, True)
    (folder / "c.parquet").unlink()
    done = falcotrace(folder, "import", "c.scap", "--sign", "key")
    assert (done.returncode, "c.parquet.sig: exists already" in done.stderr) == (2, True)
    assert not (folder / "c.parquet").exists()
