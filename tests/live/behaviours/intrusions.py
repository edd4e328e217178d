"""Intrusions that are recorded for a test, by the scripts that made the captures that ship."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MAKERS = Path(__file__).parents[3] / "captures" / "make" / "intrusion"


@dataclass(frozen=True)
class Intrusion:
    """A capture of an intrusion.

    Attributes:
        path: the capture.
        seed: what the names were drawn with; the same one gives them again.
        program: path of what the intruder dropped and ran.
        tool: path of what was downloaded.
        job: path of the entry for cron.
        host: the intruder's name on the network; `address` and `shell_port` are its numbers.
        steps: the numbers of the events of each step, as `captures/make/intrusion/steps.py` finds
            them by these names.
    """

    path: Path
    seed: int
    program: str
    tool: str
    job: str
    host: str
    address: str
    shell_port: int
    steps: dict[str, list[int]]

    @property
    def process(self) -> str:
        """The dropped program as `proc.name` has it: the kernel keeps 15 bytes."""
        return Path(self.program).name[:15]


def record_intrusion(folder: Path, noise_count: int, seed: int) -> Intrusion:
    """Record an intrusion among at least so many other events."""
    capture, names_file = folder / "intrusion.parquet", folder / "names.json"
    options = ["--noise", str(noise_count), "--seed", str(seed), "--names", str(names_file)]
    _run("record.py", "-o", str(capture), *options)
    names = json.loads(names_file.read_text())
    lines = _run("steps.py", str(capture), str(names_file)).splitlines()
    steps = {
        name: [int(number) for number in numbers.split(", ") if number]
        for name, _, numbers in (line.partition("\t") for line in lines)
    }
    chosen = ("program", "tool", "job", "host", "address", "shell_port")
    return Intrusion(capture, seed, **{name: names[name] for name in chosen}, steps=steps)


def _run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(MAKERS / script), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
