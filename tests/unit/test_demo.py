"""`make demo` works wherever it runs, and cleans up."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_demo_shows_the_main_job_and_leaves_nothing(tmp_path: Path) -> None:
    """Info, alerts and SQL everywhere; a recording, or the reason why not; no file afterwards."""
    done = subprocess.run(
        [sys.executable, "tests/demo.py", "captures/first_light.parquet"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "web-1",
        "29 alerts",
        "FROM 'captures/first_light.parquet'",
        "/srv/www/robots.bak",
    ):
        assert part in done.stdout
    here = done.stdout.split("Here and now")[1]
    assert "Skipped: " in here or ("cat /etc/shadow" in here and "memfd:demo" in here)
    assert list(tmp_path.iterdir()) == []
